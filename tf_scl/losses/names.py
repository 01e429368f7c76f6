"""Words that a loss takes as arguments. Imports nothing, so that settings can know them too."""

MU_AUTO = "auto"
NEGATIVES = ("global", "replica")
