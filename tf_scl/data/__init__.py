"""Sources of images, the record format, and batches that are read from records."""
