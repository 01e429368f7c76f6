"""Nearest neighbors and near-duplicates in a collection of embeddings."""
