"""Train with SimCLR, the peer method, and watch two measures of the encoder as it learns.

    .venv/bin/python examples/simclr.py

About a minute on the CPU of a laptop, without network: the images are scikit-learn's 1,797
handwritten digits. Any method of tf_scl trains in this way: a Keras model around an encoder, with
`compile` and `fit`. At the end of each epoch two callbacks look at the encoder: `probe_accuracy`
is that of a linear classifier, `knn_accuracy` that of the nearest neighbors. Both rise, and the
last line has their values at the end. The labels that they need never reach the training.
"""

import argparse

import keras
import numpy as np
from sklearn.datasets import load_digits

import tf_scl

parser = argparse.ArgumentParser(description="SimCLR on digits.")
parser.add_argument("--epochs", type=int, default=20)
args = parser.parse_args()

digits = load_digits()
images = np.round(digits.images[..., None] * (255 / 16)).astype("uint8")  # [1797, 8, 8, 1]
train, test = slice(0, 1200), slice(1200, None)
labeled = (images[train], digits.target[train], images[test], digits.target[test])

keras.utils.set_random_seed(0)
steps = args.epochs * 5  # 1,200 images in batches of 240
warmup = steps // 5
rate = keras.optimizers.schedules.CosineDecay(
    0.0, steps - warmup, warmup_target=0.3, warmup_steps=warmup
)
model = tf_scl.SimCLR(
    tf_scl.resnet(10, input_shape=(16, 16, 1), width=16),
    tf_scl.projection_head(128, (256,)),
    tf_scl.TwoViews(16, crop_scale=(0.4, 1.0), flip=0.0),
    temperature=0.5,
)
model.compile(tf_scl.L2SGD(rate, momentum=0.9, l2=5e-4))
history = model.fit(
    images[train],
    batch_size=240,
    epochs=args.epochs,
    verbose=2,
    callbacks=[tf_scl.OnlineLinearProbe(*labeled), tf_scl.OnlineKNN(*labeled, k=20)],
).history
probe, knn = history["probe_accuracy"][-1], history["knn_accuracy"][-1]
print(f"linear probe {probe:.1%}, nearest neighbors {knn:.1%}")
