"""From image files to batches: ingestion, record format, reading."""
