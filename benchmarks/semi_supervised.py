"""Ten labels per class in the pretraining itself, beside pretraining and then a classifier.

    .venv/bin/python -m benchmarks.semi_supervised

needs cifar10-images.tar.xz and trash-photos.tar.xz in ../shared/data. Encoder, views and schedule
are those of benchmarks.methods; all contenders have the same labels and the same time. One
pretrains without labels and solves a head on frozen features; one fine-tunes from there, for which
it pretrains less; one pretrains with the labels in the graph (SORL, `LabeledModel` in
benchmarks/_variants.py) and solves a head. Each has six trials on a quarter of the training
images, two draws of labels each; what won is trained with three seeds and judged once on the test
images.
"""

import argparse
import dataclasses
import itertools

import numpy as np

from benchmarks._kept import Kept
from benchmarks._machine import machine
from benchmarks._photos import photos
from benchmarks._trials import BASE, kept_encoder, prepared, schedule, trial, whole_batches
from benchmarks._variants import Variant, build_variant
from benchmarks.few_labels import _interval
from benchmarks.methods import SOURCES

DATA, PER_CLASS, SEEDS, DRAWS = ("cifar10", "trash"), 10, (0, 1, 2), 2
LABELED = 32  # labeled images in a step of 128 others
# Steps of no more time: one with labels is of 158 images or 160, and fine-tuning takes some.
STEPS = {"frozen": 300, "fine-tuned": 275, "labels in the graph": 225}
SPACE = {
    "frozen": [{"rate": rate, "mu": mu} for rate in (0.3, 1.0) for mu in ("auto", 10.0, 30.0)],
    "fine-tuned": [
        {"tuned": tuned, "learning_rate": rate}
        for tuned, rate in itertools.product(("last", "all"), (3e-4, 1e-3, 3e-3))
    ],
    "labels in the graph": [
        {"rate": rate, "labeled": labeled} for rate in (0.3, 1.0) for labeled in (0.1, 0.3, 0.6)
    ],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoders", default="runs/semi_supervised", help="folder for encoders")
    parser.add_argument("--results", default="semi_supervised.jsonl", help="file, which grows")
    options = parser.parse_args()
    kept = Kept(options.results)

    def correct(*key):
        return kept.of(key, lambda: _run(options.encoders, *key))

    for data in DATA:
        print(f"\n{data}\n\n| contender | 10 labels per class | settings |\n|---|---|---|")
        for name, space in SPACE.items():
            found = [
                np.mean([correct(data, "validation", name, one, 0, d) for d in range(DRAWS)])
                for one in space
            ]
            best = space[int(np.argmax(found))]
            tested = [
                correct(data, "test", name, best, seed, draw)
                for seed in SEEDS
                for draw in range(DRAWS)
            ]
            settings = ", ".join(f"{key} {value}" for key, value in best.items())
            print(f"| {name} | {_interval(np.array(tested))} | {settings} |", flush=True)
    print(f"\n{machine('tensorflow', 'keras')}")


def _run(folder, data, part, name, settings, seed, draw):
    """Which of the images that judge were right, list of bools."""
    import keras

    from tf_scl.classification.few_labels import fit_classifier
    from tf_scl.config import ClassifyConfig
    from tf_scl.evaluation.linear_probe import draw_labeled
    from tf_scl.saving import load_model

    keras.backend.clear_session()
    train, labels, judged, truth = photos(data, SOURCES[data], part)
    chosen = draw_labeled(labels, PER_CLASS, np.random.default_rng([seed, draw]))
    one = trial(
        data=data,
        part=part,
        source=SOURCES[data],
        seed=seed,
        steps=STEPS[name],
        base_learning_rate=settings.get("rate", 1.0),
        mu=settings.get("mu", "auto"),
    )
    config = ClassifyConfig(seed=draw)
    if name == "labels in the graph":
        encoder = _with_labels(one, settings["labeled"], train, chosen, labels[chosen])
    else:
        encoder = load_model(kept_encoder(one, folder))
    if name == "fine-tuned":
        config = dataclasses.replace(config, **settings)
    known, judged = (prepared(images, encoder.input_shape[1]) for images in (train[chosen], judged))
    classifier = fit_classifier(encoder, known, labels[chosen].astype(str), config)
    given = classifier.predict(judged, verbose=0).argmax(axis=1)
    right = np.array(classifier.classes)[given] == truth.astype(str)
    print(f"{data}, {name}, {settings}, {part} {seed}.{draw}: {100 * right.mean():.1f}", flush=True)
    return right.tolist()


def _with_labels(one, weight, train, chosen, classes):
    """An encoder that is pretrained with labels in its graph."""
    import keras
    import tensorflow as tf

    from tf_scl.config import Config
    from tf_scl.optimizers.by_name import build_optimizer

    keras.utils.set_random_seed(one["seed"])
    config = Config.from_dict(
        {"model": one["model"], "train": {**one["train"], "seed": one["seed"]}}
    )
    model = build_variant(config, Variant(labeled=weight))
    optimizer = build_optimizer(config.train, schedule(config.train, one["steps"]))
    model.compile(optimizer, jit_compile=False)
    images, classes = train[chosen], np.unique(classes, return_inverse=True)[1]
    kinds = classes.max() + 1

    def labeled():
        rng = np.random.default_rng(one["seed"])
        while True:
            rows = [rng.permutation(np.flatnonzero(classes == kind)) for kind in range(kinds)]
            rows = np.concatenate([of_one[: max(2, LABELED // kinds)] for of_one in rows])
            yield images[rows], classes[rows].astype(np.int32)

    count = kinds * max(2, LABELED // kinds)
    shapes = [count, *images.shape[1:]], [count]
    spec = tuple(map(tf.TensorSpec, shapes, (tf.uint8, tf.int32)))
    few = tf.data.Dataset.from_generator(labeled, output_signature=spec)
    many = whole_batches(train, BASE["train"]["batch_size"], one["seed"])
    both = tf.data.Dataset.zip((many, few)).map(lambda x, y: (x[0], y)).prefetch(2)
    model.fit(both, epochs=one["steps"] // 25, steps_per_epoch=25, verbose=0, shuffle=False)
    return model.encoder


if __name__ == "__main__":
    main()
