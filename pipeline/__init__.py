"""The pipeline: which components, which runner, which settings. No logic."""
