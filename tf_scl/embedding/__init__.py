"""A collection of images embedded by a SavedModel, as a Beam job."""
