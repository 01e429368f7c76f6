"""Pretrain an encoder with the spectral contrastive loss, and see what it has learned.

    .venv/bin/python examples/pretrain.py

About a minute on the CPU of a laptop, without network: the images are scikit-learn's 1,797
handwritten digits. No label is used for training. It prints the accuracy of a linear classifier
that sees ten labels of each digit, on top of the raw pixels, of the encoder before training and
of the encoder after it. The last of the three is the highest. The encoder is written to --out,
from which examples/embed_and_search.py can load it.
"""

import argparse
import pathlib

import keras
import numpy as np
from sklearn.datasets import load_digits

import tf_scl

parser = argparse.ArgumentParser(description="Spectral contrastive pretraining on digits.")
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--out", default="runs/examples/pretrain.keras", help="the encoder's file")
args = parser.parse_args()

digits = load_digits()
images = np.round(digits.images[..., None] * (255 / 16)).astype("uint8")  # [1797, 8, 8, 1]
train, test = slice(0, 1200), slice(1200, None)

keras.utils.set_random_seed(0)
encoder = tf_scl.resnet(10, input_shape=(16, 16, 1), width=16)
views = tf_scl.TwoViews(16, crop_scale=(0.4, 1.0), flip=0.0)  # no mirror images
model = tf_scl.SpectralContrastive(encoder, tf_scl.projection_head(128, (256,)), views)
model.compile(tf_scl.L2SGD(0.3, momentum=0.9, l2=5e-4))


def probe(features):
    """Mean accuracy of linear classifiers that learn from 10 labels of each digit."""
    accuracies = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        order = rng.permutation(1200)
        labels = digits.target[order]
        few = np.concatenate([order[labels == digit][:10] for digit in range(10)])
        result = tf_scl.linear_probe(
            features[few], digits.target[few], features[test], digits.target[test]
        )
        accuracies.append(result.accuracy)
    return np.mean(accuracies)


untrained = probe(model.predict(images, verbose=0))
model.fit(images[train], batch_size=240, epochs=args.epochs, verbose=2)
print(f"raw pixels         {probe(images.reshape(len(images), -1).astype('float32')):.1%}")
print(f"untrained encoder  {untrained:.1%}")
print(f"pretrained encoder {probe(model.predict(images, verbose=0)):.1%}")
pathlib.Path(args.out).parent.mkdir(parents=True, exist_ok=True)
encoder.save(args.out)
