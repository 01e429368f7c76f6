import keras
import numpy as np
import tensorflow as tf

import tf_scl
from tests.conftest import encode, photo
from tf_scl.data import features
from tf_scl.evaluation.saved_model_features import extract_features
from tf_scl.images.check_image import check_image


def test_the_pixel_baseline_is_at_most_32_pixels_wide(tmp_path):
    pooled = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.GlobalAveragePooling2D()])
    tf_scl.export_saved_model(pooled, tmp_path / "model")
    path = str(tmp_path / "records")
    with tf.io.TFRecordWriter(path) as writer:
        checked = check_image(encode(photo(0, 64, 64)), 10**6)
        writer.write(features.encode_example(checked, b"", ""))
    _, pixels, _ = extract_features({"pooled": str(tmp_path / "model")}, [path])
    assert pixels.shape == (1, 32 * 32 * 3)
    np.testing.assert_allclose(pixels.mean(), photo(0, 64, 64).mean() / 255, rtol=0.01)


def test_features_pixels_and_labels_line_up(tmp_path):
    encoder = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten()])
    pooled = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.GlobalAveragePooling2D()])
    for name, model in (("flat", encoder), ("pooled", pooled)):
        tf_scl.export_saved_model(model, tmp_path / name)
    images = [photo(number, 16, 16) for number in range(5)]
    path = str(tmp_path / "records")
    with tf.io.TFRecordWriter(path) as writer:
        for number, image in enumerate(images):
            checked = check_image(encode(image), 10**6)
            writer.write(features.encode_example(checked, b"", "", number, b"x"))
    models = {name: str(tmp_path / name) for name in ("flat", "pooled")}
    embedded, pixels, labels = extract_features(models, [path])
    flat = np.stack(images).reshape(5, -1).astype(np.float32)
    np.testing.assert_allclose(embedded["flat"], flat)
    np.testing.assert_allclose(embedded["pooled"], np.stack(images).mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(pixels, flat / 255)
    assert labels.tolist() == [0, 1, 2, 3, 4]
