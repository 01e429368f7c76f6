"""Labels that come beside the images: from a file, joined to records by name."""
