import hashlib
import json

import numpy as np
import tensorflow as tf

from tests.conftest import encode, photo
from tf_scl.data import features
from tf_scl.evaluation.unseen import unseen_by
from tf_scl.images.check_image import check_image
from tf_scl.images.content_hash import split_of
from tf_scl.serving.export import METADATA_FILE


def _model(folder, metadata):
    path = folder / METADATA_FILE
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(metadata))
    return str(folder)


def test_images_that_a_smaller_fraction_had_trained_on(tmp_path):
    hashes = [hashlib.sha256(bytes([number])).hexdigest() for number in range(200)]
    now = [one for one in hashes if split_of(one, 0.5) == "eval"]
    image = check_image(encode(photo(0)), 10**6)
    with tf.io.TFRecordWriter(str(tmp_path / "records")) as writer:
        for one in now:
            writer.write(features.encode_example(image, b"", one))
    files = [str(tmp_path / "records")]
    models = {
        fraction: _model(tmp_path / str(fraction), {"settings": {"ingest": noted}})
        for fraction, noted in {
            0.2: {"eval_fraction": 0.2}, 0.7: {"eval_fraction": 0.7}, "unknown": {}
        }.items()
    }  # fmt: skip
    found = unseen_by(models[0.2], files)
    assert found.dtype == bool and found.tolist() == [split_of(one, 0.2) == "eval" for one in now]
    assert 0.2 < found.mean() < 0.6
    for known in (0.7, "unknown"):
        assert np.array_equal(unseen_by(models[known], files), np.ones(len(now), bool))
