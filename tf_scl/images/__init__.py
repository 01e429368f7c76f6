"""An image by itself: its checks, its decoding, its hash, the range of its pixels."""
