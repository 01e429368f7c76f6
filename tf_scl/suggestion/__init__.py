"""Which images to label next, so that few labels tell most."""
