"""Labels of images, from a file or from class folders."""
