"""SCL, SimCLR and SimSiam on CIFAR-10 with one encoder, the same data, steps and batches.

    .venv/bin/python -m benchmarks.methods --seeds 0 1 2

The images are those of ../shared/data/cifar10-images.tar.xz. Every method trains the
same ResNet-10 on the same views with the same optimiser, rate and schedule, none tuned
for it. All are judged by the probes of `tf_scl`, beside the untrained encoder and raw
pixels. An interval covers seeds and test images (`tf_scl.evaluation.bootstrap`).
"""

import argparse
import io
import pathlib
import tarfile
import time

import keras
import numpy as np
import PIL.Image

from benchmarks._machine import machine
from tf_scl.augmentation.policies import policy
from tf_scl.config import Config
from tf_scl.evaluation.bootstrap import accuracy_interval
from tf_scl.evaluation.knn import knn_predict
from tf_scl.evaluation.linear_probe import draw_labelled, linear_probe
from tf_scl.training import build_model, build_optimizer, learning_rate

ARCHIVE = pathlib.Path(__file__).parents[2] / "shared" / "data" / "cifar10-images.tar.xz"
METHODS = {"SCL": "spectral", "SimCLR": "simclr", "SimSiam": "simsiam"}
MEASURES = ("all labels", "10 per class", "kNN")
CLASSES, PER_CLASS, DRAWS = 10, 10, 5


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=4000, help="to train on")
    parser.add_argument("--test-images", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--width", type=int, default=16, help="of the ResNet-10's first stage")
    options = parser.parse_args()
    train, labels = _images("train", options.images)
    test, truth = _images("test", options.test_images)
    rows = {}
    for seed in options.seeds:
        keras.utils.set_random_seed(seed)
        for name, method in {"untrained encoder": None, **METHODS}.items():
            config = _config(method or "spectral", seed, options)
            model, seconds = _train(config, train) if method else (build_model(config), 0.0)
            features = (_embed(model.encoder, images) for images in (train, test))
            row = rows.setdefault(name, {"seconds": [], **{measure: [] for measure in MEASURES}})
            row["seconds"].append(seconds)
            for measure, correct in _judge(*features, labels, truth, seed).items():
                row[measure].append(correct)
            scores = ", ".join(f"{100 * np.mean(row[measure][-1]):.1f} %" for measure in MEASURES)
            print(f"seed {seed}, {name}: {scores}, {seconds:.0f} s of training", flush=True)
    flat = (images.reshape(len(images), -1) / 255 for images in (train, test))
    pixels = _judge(*flat, labels, truth, options.seeds[0])
    rows["raw pixels"] = {"seconds": [0.0], **{name: [x] for name, x in pixels.items()}}
    _print(rows, options)


def _config(method, seed, options):
    return Config.from_dict(
        {
            "augment": policy("spectral", 32),
            "model": {
                "method": method,
                "depth": 10,
                "width": options.width,
                "projector_hidden": (512,),
                "embedding_dim": 256,
                "predictor_hidden": 64,  # a bottleneck of a quarter, as in SimSiam's paper
            },
            "train": {
                "batch_size": options.batch,
                "epochs": options.epochs,
                "base_learning_rate": 0.1,
                "warmup_epochs": 2,
                "seed": seed,
            },
        }
    )


def _train(config, images):
    """(Model, seconds) after all steps, the first of which compiles."""
    keras.utils.set_random_seed(config.train.seed)
    model = build_model(config)
    steps = len(images) // config.train.batch_size
    rate = learning_rate(config.train, steps)
    model.compile(build_optimizer(config.train, rate))
    start = time.time()
    model.fit(
        _batches(images, config.train.batch_size, config.train.seed),
        epochs=config.train.epochs,
        steps_per_epoch=steps,
        verbose=0,
        shuffle=False,  # the data are
    )
    return model, time.time() - start


def _batches(images, size, seed):
    """Whole batches without end, in an order that depends on the seed alone."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(images))
        for start in range(0, len(order) - size + 1, size):
            yield (images[order[start : start + size]],)


def _embed(encoder, images):
    return encoder.predict(images.astype(np.float32), batch_size=256, verbose=0)


def _judge(train, test, labels, truth, seed):
    """Measure -> share of the times [M] that a test image was right."""
    few = []
    for draw in range(DRAWS):
        chosen = draw_labelled(labels, PER_CLASS, np.random.default_rng([seed, draw]))
        few.append(linear_probe(train[chosen], labels[chosen], test, truth).predictions == truth)
    return {
        "all labels": linear_probe(train, labels, test, truth).predictions == truth,
        "10 per class": np.mean(few, axis=0),
        "kNN": knn_predict(train, labels, test) == truth,
    }


def _images(part, count):
    """uint8 [n, 32, 32, 3] and int [n], as many of each class, the first by name."""
    found = {}
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            folder, _, name = member.name.partition("/")
            if folder == part and member.isfile():
                found[name] = archive.extractfile(member).read()
    classes = sorted({name.split("/")[0] for name in found})
    images, labels = [], []
    for label, folder in enumerate(classes):
        for name in sorted(n for n in found if n.startswith(f"{folder}/"))[: count // CLASSES]:
            images.append(np.asarray(PIL.Image.open(io.BytesIO(found[name])).convert("RGB")))
            labels.append(label)
    return np.stack(images), np.array(labels)


def _print(rows, options):
    print(f"\n| % of test images, 95 % interval | {' | '.join(MEASURES)} | seconds |")
    print("|---" * (len(MEASURES) + 2) + "|")
    for name, row in rows.items():
        cells = []
        for measure in MEASURES:
            low, high = accuracy_interval(np.array(row[measure]), resamples=10_000)
            mean = np.mean(row[measure])
            cells.append(f"{100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]")
        print(f"| {name} | {' | '.join(cells)} | {np.mean(row['seconds']):.0f} |")
    steps = options.epochs * (options.images // options.batch)
    print(
        f"\n{options.images} images, {options.test_images} to test on, {steps} steps of "
        f"{options.batch}, ResNet-10 of width {options.width}, seeds {options.seeds}; "
        f"{machine('tensorflow', 'keras')}"
    )


if __name__ == "__main__":
    main()
