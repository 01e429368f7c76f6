"""Keras models that learn from two views, and their heads."""
