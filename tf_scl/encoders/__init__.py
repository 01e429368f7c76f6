"""Encoder builders: images with values 0..255 to features."""
