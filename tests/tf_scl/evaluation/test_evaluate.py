import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import encode, photo
from tf_scl.config import Config
from tf_scl.data import features
from tf_scl.evaluation.evaluate import PROJECTED, evaluate_models
from tf_scl.evaluation.gate import LAST_BLESSED, PIXELS, PRETRAINED, UNTRAINED
from tf_scl.evaluation.results import Leakage
from tf_scl.images.check_image import check_image


def _write_records(path, numbers):
    """Images whose class, bright or dark, is plain to see."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in numbers:
            pixels = photo(number) // 2 + (128 if number % 2 else 0)
            image = check_image(encode(pixels.astype(np.uint8)), 10**6)
            writer.write(features.encode_example(image, b"", "", number % 2, b"x"))


def test_a_predecessor_of_another_image_size_is_compared_on_the_same_images(tmp_path):
    _write_records(tmp_path / "train", range(60))
    _write_records(tmp_path / "test", range(60, 100))
    models = {}
    for name, size, channels in (
        (PRETRAINED, 16, 3), (UNTRAINED, 16, 3), (LAST_BLESSED, 8, 1)
    ):  # fmt: skip
        pooling = keras.layers.AveragePooling2D(4)
        encoder = keras.Sequential(
            [keras.Input((size, size, channels)), pooling, keras.layers.Flatten()]
        )
        models[name] = str(tmp_path / name.replace(" ", "-"))
        tf_scl.export_saved_model(encoder, models[name])
    files = [[str(tmp_path / part)] for part in ("train", "test")]
    config = Config.from_dict(
        {"evaluate": {"draws": 2, "spectrum_images": 30}, "model": {"image_size": 16}}
    )
    result = evaluate_models(models, models[PRETRAINED], *files, config, ["dark", "bright"])
    evaluation = result.evaluation
    assert list(evaluation.representations) == [PRETRAINED, UNTRAINED, LAST_BLESSED, PIXELS]
    assert set(result.views) == {PRETRAINED, UNTRAINED, PROJECTED}
    assert result.views[PRETRAINED].shape == (30, 4, 48)
    assert result.view_labels.tolist() == [number % 2 for number in range(60, 90)]
    matched = evaluation.representations[PRETRAINED].view_matching
    assert matched == evaluation.representations[UNTRAINED].view_matching
    assert matched.accuracy > 0.1
    dimensions = [one.dimension for one in evaluation.representations.values()]
    assert dimensions == [4 * 4 * 3, 4 * 4 * 3, 2 * 2, 16 * 16 * 3]
    assert evaluation.comparison.images == 40
    assert evaluation.confusion.classes == ("dark", "bright")
    assert evaluation.verdict.state == "not shown"  # the untrained encoder is the same one
    assert result.near_copies is evaluation.leakage is None  # the model notes no cosine for it
    assert result.train_features.shape == (60, 48)
    assert result.test_features.shape == (40, 48)
    assert result.test_labels.tolist() == [number % 2 for number in range(60, 100)]


@pytest.mark.slow
def test_evaluation_images_with_a_near_copy_in_training_are_counted(tmp_path):
    _write_records(tmp_path / "train", range(40))
    _write_records(tmp_path / "test", range(30, 60))
    encoder = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.AveragePooling2D(4), keras.layers.Flatten()]
    )
    model = str(tmp_path / "model")
    tf_scl.export_saved_model(encoder, model, {"duplicate_cosine": 0.99999})
    files = [[str(tmp_path / part)] for part in ("train", "test")]
    config = Config.from_dict({"evaluate": {"draws": 2}, "model": {"image_size": 16}})
    result = evaluate_models({PRETRAINED: model, UNTRAINED: model}, model, *files, config)
    assert result.evaluation.leakage == Leakage(10, 0.99999, 30 * (1 - 0.99 ** (40 / 30)))
    copies = result.near_copies  # all have a cosine of 1, so that rounding orders them
    pairs = sorted(zip(copies.test_rows.tolist(), copies.train_rows.tolist(), strict=True))
    assert pairs == [(row, 30 + row) for row in range(10)]
