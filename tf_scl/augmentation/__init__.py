"""Batched augmentation: two random views of every image."""
