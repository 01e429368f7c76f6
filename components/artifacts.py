"""Artifact types of our own, and what lies where in an artifact.

The names have the form `lower.Upper`, and no properties are declared: TFX's
V2 compiler accepts nothing else.
"""

from tfx import v1 as tfx

# In a `ModelRun`: the SavedModel of the encoder before its first step.
UNTRAINED_DIR = "untrained"
# Custom property of `Examples`: JSON list of the class names, in the order of the labels.
CLASS_NAMES = "class_names"


class IngestionReport(tfx.dsl.Artifact):
    """`summary.json` and `rejected.jsonl` of an ingestion (`tf_scl.data.ingest`)."""

    TYPE_NAME = "tf_scl.IngestionReport"
