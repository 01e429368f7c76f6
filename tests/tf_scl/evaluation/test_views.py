import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import encode, photo
from tf_scl.config import ModelConfig
from tf_scl.data import features
from tf_scl.evaluation.views import compared, embed_views
from tf_scl.images.check_image import check_image

_SIZE = 8
_STILL = {"crop_scale": (1.0, 1.0), "crop_ratio": (1.0, 1.0), "flip": 0.0, "jitter": 0.0}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """SavedModels of an encoder that flattens, with a projector that doubles; 300 records."""
    root = tmp_path_factory.mktemp("exported")
    encoder = keras.Sequential([keras.Input((_SIZE, _SIZE, 3)), keras.layers.Flatten()])
    double = keras.Sequential([keras.Input((_SIZE * _SIZE * 3,)), keras.layers.Rescaling(2.0)])
    tf_scl.export_saved_model(encoder, root / "encoder")
    model = tf_scl.SpectralContrastive(encoder, double)
    tf_scl.export_saved_model(model, root / "projected", projector=True)
    with tf.io.TFRecordWriter(str(root / "records")) as writer:
        for number in range(300):
            image = check_image(encode(photo(number, _SIZE, _SIZE)), 10**6)
            writer.write(features.encode_example(image, b"", "", number % 3, b"x"))
    return root


def _embed(root, images, views, **augment):
    config = tf_scl.Config.from_dict(
        {
            "model": {"image_size": _SIZE},
            "augment": {"grayscale": 0.0, **augment},
            "evaluate": {"spectrum_images": images, "spectrum_views": views},
        }
    )
    paths = {name: str(root / name) for name in ("encoder", "projected")}
    return embed_views(paths, [str(root / "records")], config)


def test_views_that_nothing_changes_are_the_images(exported):
    embedded, labels = _embed(exported, 260, 2, **_STILL)
    pixels = np.stack([photo(number, _SIZE, _SIZE).reshape(-1) for number in range(260)])
    for view in range(2):
        np.testing.assert_allclose(embedded["encoder"][:, view], pixels, atol=1e-3)
    np.testing.assert_allclose(embedded["projected"], 2.0 * embedded["encoder"], rtol=1e-5)
    assert labels.tolist() == [number % 3 for number in range(260)]


def test_every_view_is_another_one_but_the_same_again(exported):
    embedded, _ = _embed(exported, 300, 6)
    found = embedded["encoder"]
    assert found.shape == (300, 6, _SIZE * _SIZE * 3)
    flat = found.reshape(-1, found.shape[-1])
    assert len(np.unique(flat.round(2), axis=0)) == len(flat)
    np.testing.assert_array_equal(found, _embed(exported, 300, 6)[0]["encoder"])


def test_embeddings_are_as_the_loss_compares_them():
    rows = np.array([[[3.0, 4.0]], [[0.3, 0.4]], [[0.0, 0.0]]])
    clipped = compared(rows, ModelConfig(mu=4.0))
    np.testing.assert_allclose(clipped, [[[1.2, 1.6]], [[0.3, 0.4]], [[0.0, 0.0]]])
    huge = compared(np.float32([[3e25, 4e25]]), ModelConfig(mu=4.0))
    np.testing.assert_allclose(huge, [[1.2, 1.6]], rtol=1e-6)
    for model in (ModelConfig(method="simclr"), ModelConfig(mu="auto")):
        unit = compared(rows, model)
        np.testing.assert_allclose(unit, [[[0.6, 0.8]], [[0.6, 0.8]], [[0.0, 0.0]]])
