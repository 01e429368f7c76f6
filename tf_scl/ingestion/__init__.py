"""From a source of images to records, as a Beam job."""
