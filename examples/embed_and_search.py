"""Embed images with an encoder, and find the images most like a given one.

    .venv/bin/python examples/embed_and_search.py --encoder runs/examples/pretrain.keras

Seconds with the encoder that examples/pretrain.py has written; without --encoder one is trained
first, about a minute on the CPU of a laptop. No network. The search is exact: the cosine of each
query with every other image, by one matrix product of numpy. It prints some digits with the five
digits found for each, and how often the nearest image is of the same digit, which neither the
encoder nor the search was told.
"""

import argparse

import keras
import numpy as np
from sklearn.datasets import load_digits

import tf_scl

parser = argparse.ArgumentParser(description="Nearest neighbors among digits.")
parser.add_argument("--encoder", help="a .keras file of an encoder (default: train one)")
parser.add_argument("--epochs", type=int, default=20, help="of the training without --encoder")
args = parser.parse_args()

digits = load_digits()
images = np.round(digits.images[..., None] * (255 / 16)).astype("uint8")  # [1797, 8, 8, 1]

if args.encoder:
    encoder = tf_scl.load_model(args.encoder)
    model = tf_scl.SpectralContrastive(encoder)  # fits the images to the encoder's size
else:
    keras.utils.set_random_seed(0)
    encoder = tf_scl.resnet(10, input_shape=(16, 16, 1), width=16)
    views = tf_scl.TwoViews(16, crop_scale=(0.4, 1.0), flip=0.0)
    model = tf_scl.SpectralContrastive(encoder, tf_scl.projection_head(128, (256,)), views)
    model.compile(tf_scl.L2SGD(0.3, momentum=0.9, l2=5e-4))
    model.fit(images, batch_size=256, epochs=args.epochs, verbose=2)

embeddings = model.predict(images, verbose=0)  # float32 [1797, D]
embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)


def nearest(queries, count):
    """Numbers of the `count` images with the largest cosine, [len(queries), count]."""
    cosines = embeddings[queries] @ embeddings.T
    cosines[np.arange(len(queries)), queries] = -np.inf  # not the image itself
    return np.argsort(-cosines, axis=1)[:, :count]


queries = np.arange(10)  # the first ten images are the digits 0 to 9
for query, found in zip(queries, nearest(queries, 5), strict=True):
    print(f"image {query}, a {digits.target[query]}: found {digits.target[found]}, images {found}")
first = nearest(np.arange(len(images)), 1)[:, 0]
print(
    f"the nearest image is of the same digit: {np.mean(digits.target[first] == digits.target):.1%}"
)
