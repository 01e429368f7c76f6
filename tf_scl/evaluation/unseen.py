"""Which images a model cannot have been trained on, so that another one is compared fairly."""

from collections.abc import Sequence

import numpy as np

from tf_scl.data import features
from tf_scl.data.input_pipeline import count_records, open_records
from tf_scl.images.content_hash import split_of
from tf_scl.serving.export import read_metadata
from tf_scl.typing import Array

_BATCH = 1024


def unseen_by(model: str, files: Sequence[str]) -> Array:
    """Which images of record files a model's run had set aside too.

    Images are set aside by their content's hash and `ingest.eval_fraction`. Where that is larger
    than it was, some of those that are set aside now are images that the model was trained on.

    Args:
        model: Folder of a SavedModel.
        files: List of TFRecord paths, of the evaluation images.

    Returns:
        Bool array [N]; all true where the model notes no fraction.
    """
    fraction = read_metadata(model).get("settings", {}).get("ingest", {}).get("eval_fraction")
    if fraction is None:
        return np.ones(count_records(files), bool)
    found = [np.zeros(0, bool)]
    for batch in open_records(files).batch(_BATCH):
        hashes = features.parse_hashes(batch).numpy().tolist()
        found.append(np.array([split_of(one.decode(), fraction) == "eval" for one in hashes]))
    return np.concatenate(found)
