"""The commands of `tf-scl`, a file for each: its flags and what it does."""
