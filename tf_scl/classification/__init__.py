"""From an encoder and a few labels to a classifier with calibrated probabilities."""
