import keras
import numpy as np
import pytest

import tf_scl


@pytest.fixture(scope="session")
def pair_model():
    """Makes a model that trains on pairs of vectors [N, 6], fast, with every kind of state."""

    def make(optimizer=None):
        keras.utils.set_random_seed(1)
        layers = [
            keras.Input((6,)),
            keras.layers.GaussianNoise(0.5, seed=3),
            keras.layers.Dense(8),
            keras.layers.BatchNormalization(synchronized=True),
        ]
        model = tf_scl.SpectralContrastive(keras.Sequential(layers), keras.layers.Dense(4))
        model.compile(optimizer or keras.optimizers.SGD(0.05, momentum=0.9))
        return model

    return make


@pytest.fixture
def pairs():
    """Five batches of 8 pairs of vectors, as arrays: (first views, second views)."""
    first = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    return first, first + 0.1


@pytest.fixture
def labeled():
    """Vectors of two classes that a line separates: train and test, each with labels."""

    def draw(count, seed):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 2, count)
        vectors = rng.normal(size=(count, 6)) + 3.0 * labels[:, None]
        return vectors.astype(np.float32), labels + 5

    return *draw(64, 0), *draw(100, 1)
