"""From a blessed encoder and labels to a classifier."""
