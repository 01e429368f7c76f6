"""Artifact types of our own, and what lies where in an artifact.

The names have the form `lower.Upper`, and no properties are declared: TFX's
V2 compiler accepts nothing else. Its entry point imports an artifact's class
by that name, so the part before the dot is a module that has it.
"""

from tfx import v1 as tfx

# In a `ModelRun`: the SavedModel of the encoder before its first step.
UNTRAINED_DIR = "untrained"
# And that of the trained encoder with its projector, for the spectrum.
PROJECTED_DIR = "projected"
# And the trained encoder as a Keras model.
KERAS_FILE = "encoder.keras"
# And the metrics of each epoch.
HISTORY_FILE = "history.json"
# In a `ModelEvaluation`: what was measured, of an encoder or of a classifier.
EVALUATION_FILE = "evaluation.json"
# In `ImageLabels`.
LABELS_FILE = "labels.json"
# In a `ClassifierModel`, beside the SavedModel: the classifier as a Keras model.
CLASSIFIER_FILE = "classifier.keras"
# Custom property of `Examples`: JSON list of the class names, in the order of the labels.
CLASS_NAMES = "class_names"


class IngestionReport(tfx.dsl.Artifact):
    """`summary.json` and `rejected.jsonl` of an ingestion (`tf_scl.ingestion.ingest`)."""

    TYPE_NAME = "components.IngestionReport"


class ImageLabels(tfx.dsl.Artifact):
    """`labels.json` (`tf_scl.labels.joined.ImageLabels`)."""

    TYPE_NAME = "components.ImageLabels"


class ClassifierModel(tfx.dsl.Artifact):
    """A classifier as TFX keeps models, and as a Keras model; a type of its own.

    Of two kinds of `Model` in a pipeline a resolver would take the one for the other.
    """

    TYPE_NAME = "components.ClassifierModel"


class ClassifierBlessing(tfx.dsl.Artifact):
    """As `ModelBlessing`, of a `ClassifierModel`."""

    TYPE_NAME = "components.ClassifierBlessing"
