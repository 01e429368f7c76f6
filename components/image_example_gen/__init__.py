"""ImageExampleGen: a folder of images to Examples."""
