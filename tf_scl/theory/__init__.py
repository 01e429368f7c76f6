"""The theory of arXiv 2106.04156 on finite augmentation graphs: exact, in float64."""
