"""ImageExampleGen: images to Examples."""
