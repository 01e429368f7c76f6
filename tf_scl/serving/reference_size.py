"""How few images can be compared with others: of those that a SavedModel keeps, and of new ones.

Apart from what needs TensorFlow, so that a command can refuse fewer at once.
"""

LEAST_IMAGES = 20
