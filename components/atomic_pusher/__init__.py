"""TFX's Pusher, with versions that appear complete or not at all."""
