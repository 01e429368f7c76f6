"""How far new images are from those that an encoder was made for."""
