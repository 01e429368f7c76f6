import numpy as np
import PIL.Image
import pytest

import tf_scl
from tests.conftest import photo
from tf_scl.evaluation import paper_probe
from tf_scl.evaluation.paper_probe import augmented_features, center_features
from tf_scl.evaluation.sgd_probe import sgd_linear_probe


def test_augmented_features_are_crops_and_mirrors_that_change_with_the_epoch(monkeypatch):
    images = np.stack([photo(seed, 16, 16) for seed in range(6)])
    monkeypatch.setattr(paper_probe, "_BATCH", 4)
    seen = []

    def embed(batch):
        seen.append(np.asarray(batch))
        return batch[:, 0, :, 0]

    features = augmented_features(embed, images, size=8)
    first = features(1)
    assert [batch.shape for batch in seen] == [(4, 8, 8, 3), (2, 8, 8, 3)]
    assert first.shape == (6, 8) and first.dtype == np.float32
    np.testing.assert_array_equal(features(1), first)
    assert (features(2) != first).any(axis=1).all()
    assert (augmented_features(embed, images, size=8, seed=1)(1) != first).any()
    pixels = np.concatenate(seen)
    assert pixels.min() >= 0 and 60 < pixels.max() <= 255


def test_crops_are_of_8_to_100_percent_and_half_are_mirrored():
    """On a ramp from left to right a crop shows its width and whether it is mirrored."""
    ramp = np.broadcast_to(np.arange(64, dtype=np.float32)[None, None, :, None], (600, 64, 64, 1))
    features = augmented_features(lambda x: x[:, 0, :, 0], ramp, size=4)(1)
    slope = (features[:, 2] - features[:, 1]) * 4  # width of the crop in pixels
    assert 0.42 < np.mean(slope < 0) < 0.58
    share = (np.abs(slope) / 64) ** 2  # its area, times a ratio of 3/4 to 4/3
    assert share.min() < 0.11 and share.max() > 0.85
    assert share.min() > 0.08 * 3 / 4 - 0.01


@pytest.mark.parametrize(
    "size,resized,height,width",
    [
        (32, 40, 32, 32),
        (64, 74, 64, 64),
        (224, 256, 300, 400),
        (224, 256, 350, 190),
        (28, 32, 40, 30),
    ],
)
def test_the_center_is_what_pil_resizes_and_crops(size, resized, height, width):
    """As torchvision's Resize(resized) and CenterCrop(size) on PIL images."""
    image = photo(0, height, width)
    ratio = resized / min(height, width)
    whole = PIL.Image.fromarray(image).resize(
        (int(ratio * width + 1e-9), int(ratio * height + 1e-9)), PIL.Image.BILINEAR
    )
    top, left = (round((side - size) / 2) for side in (whole.height, whole.width))
    expected = np.asarray(whole.crop((left, top, left + size, top + size)), np.int64)
    features = center_features(lambda x: np.reshape(x, [len(x), -1]), image[None], size)
    assert features.dtype == np.float32
    difference = features.reshape(size, size, 3) - expected
    assert np.abs(difference).max() <= 1
    assert np.mean(difference != 0) < 0.25


def _flat(images):
    return np.reshape(images, [len(images), -1]) / 255


def test_the_protocol_is_crops_center_and_sgd():
    rng = np.random.default_rng(0)
    labels, truth = rng.integers(0, 2, 60), rng.integers(0, 2, 40)
    train, test = (
        np.stack([photo(i, 8, 8) // 2 + 120 * label for i, label in enumerate(one)])
        for one in (labels, truth)
    )
    options = {"epochs": 20, "batch_size": 16, "learning_rate": 0.3}
    result = tf_scl.paper_probe(
        _flat, train, labels[:, None], test, truth[:, None], size=8, **options
    )
    features = augmented_features(_flat, train, 8), labels, center_features(_flat, test, 8), truth
    assert result.accuracies == sgd_linear_probe(*features, **options).accuracies
    assert result.accuracy > 0.9


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"train_images": np.ones((4, 8, 8))}, r"images \[N, H, W, C\].*\(4, 8, 8\)"),
        ({"test_images": np.ones((0, 8, 8, 3))}, r"N >= 1.*\(0, 8, 8, 3\)"),
        ({"size": 0}, "size=0"),
        ({"size": 8.0}, "size=8.0"),
        ({"test_labels": [0]}, "1 labels"),
        ({"train_labels": np.eye(4)}, "numpy.argmax"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    arguments = {
        "embed": _flat,
        "train_images": np.ones((4, 8, 8, 3)),
        "train_labels": [0, 1, 0, 1],
        "test_images": np.ones((2, 8, 8, 3)),
        "test_labels": [0, 1],
        "size": 8,
        **changes,
    }
    with pytest.raises(tf_scl.InputError, match=message):
        tf_scl.paper_probe(**arguments)
