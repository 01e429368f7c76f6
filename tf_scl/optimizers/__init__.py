"""Optimisers that Keras lacks."""
