"""A new two-view method, written outside of the package: Barlow Twins (arXiv 2103.03230).

    .venv/bin/python examples/add_a_method.py

About a minute on the CPU of a laptop, without network. A method is a loss of two batches of
embeddings: a subclass of `tf_scl.TwoViewModel`, which gives it `fit`, saving, micro-batches and
replicas. Each epoch prints `knn_accuracy`, that of the nearest neighbors on digits, which rises.
"""

import sys

import keras
import tensorflow as tf
from sklearn.datasets import load_digits

import tf_scl


@keras.saving.register_keras_serializable(package="examples")
class BarlowTwins(tf_scl.TwoViewModel):
    """Brings the correlations between the two views' embeddings to the identity (equation 1)."""

    term_names = ("invariance", "redundancy")  # their sum is the loss

    def __init__(self, *args, weight=5e-3, **options):
        super().__init__(*args, **options)
        self.weight = weight

    def contrastive_terms(self, embedding1, embedding2, context):
        def total(x):  # over all replicas; with one there is no context
            return x if context is None else context.all_reduce("SUM", x)

        def standardized(z):  # each column
            z = z - total(tf.reduce_sum(z, 0)) / rows
            return z * tf.math.rsqrt(total(tf.reduce_sum(z**2, 0)) / rows + 1e-5)

        rows = total(tf.cast(tf.shape(embedding1)[0], tf.float32))
        z1, z2 = (standardized(tf.cast(z, tf.float32)) for z in (embedding1, embedding2))
        correlations = total(tf.matmul(z1, z2, transpose_a=True)) / rows  # [d, d]
        diagonal = tf.linalg.diag_part(correlations)
        invariance = tf.reduce_sum((1 - diagonal) ** 2)
        redundancy = self.weight * (tf.reduce_sum(correlations**2) - tf.reduce_sum(diagonal**2))
        replicas = 1 if context is None else context.num_replicas_in_sync
        # Shares, which add up over the replicas to the loss of the global batch.
        return {"invariance": invariance / replicas, "redundancy": redundancy / replicas}

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}


def train(epochs):
    """Trains on scikit-learn's digits, and returns the model."""
    pixels, labels = load_digits(return_X_y=True)
    images = (pixels * (255 / 16)).astype("uint8").reshape(-1, 8, 8, 1)
    keras.utils.set_random_seed(0)
    encoder, projector = tf_scl.resnet(10, (16, 16, 1), width=16), tf_scl.projection_head(128)
    model = BarlowTwins(encoder, projector, tf_scl.TwoViews(16, (0.4, 1.0), flip=0.0))
    model.compile(keras.optimizers.Adam(1e-3))
    knn = tf_scl.OnlineKNN(images[:1200], labels[:1200], images[1200:], labels[1200:], k=20)
    model.fit(images[:1200], batch_size=120, epochs=epochs, verbose=2, callbacks=[knn])
    return model


if __name__ == "__main__":
    train(int(sys.argv[1]) if sys.argv[1:] else 20)
