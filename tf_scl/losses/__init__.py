"""Contrastive losses as pure functions of two batches of embeddings."""
