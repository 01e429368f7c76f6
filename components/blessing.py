"""The file and the properties by which TFX's Pusher and resolvers know a blessing."""

import os

import tensorflow as tf
from tfx import types


def bless(blessing: types.Artifact, model: types.Artifact, blessed: bool) -> None:
    """Writes what TFX's own Evaluator writes.

    Args:
        blessing: Artifact, of the blessing.
        model: Artifact, of the model that was judged.
        blessed: Bool.
    """
    name = "BLESSED" if blessed else "NOT_BLESSED"
    with tf.io.gfile.GFile(os.path.join(blessing.uri, name), "w") as file:
        file.write("")
    blessing.set_int_custom_property("blessed", int(blessed))
    blessing.set_string_custom_property("current_model", model.uri)
    blessing.set_int_custom_property("current_model_id", model.id)
