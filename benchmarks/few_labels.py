"""A classifier from ten labels per class: frozen head, last stage, everything, and without us.

    .venv/bin/python -m benchmarks.few_labels

needs trash-photos.tar.xz in ../shared/data. Encoders are pretrained as the preset `laptop` is
tested (`benchmarks.presets`), with three seeds, and kept in --encoders. The settings of each
contender, which `SPACE` names, are chosen by draws of labels from the *training* photos, judged
on a quarter of these that no encoder of the search was trained on; the winners are then trained
on draws from all training photos and judged once on the 500 test photos.
"""

import argparse
import dataclasses
import itertools
import pathlib

import numpy as np

from benchmarks._kept import Kept
from benchmarks._machine import machine
from benchmarks._photos import photos
from benchmarks._trials import kept_encoder, trial

PER_CLASS = 10
SEARCH_DRAWS, TEST_DRAWS = 2, 3
SEEDS = (0, 1, 2)
STEPS = 400
# One trial for each; all contenders that are trained have as many.
SPACE = [
    {"learning_rate": rate, "backbone_rate": backbone}
    for rate, backbone in itertools.product((3e-4, 1e-3, 3e-3), (0.03, 0.1, 0.3))
]
# name -> (encoder, what is tuned)
CONTENDERS = {
    "frozen, linear head": ("pretrained", "head"),
    "last stage": ("pretrained", "last"),
    "everything": ("pretrained", "all"),
    "untrained, linear head": ("untrained", "head"),
    "untrained, everything": ("untrained", "all"),
    "raw pixels": ("pixels", "head"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoders", default="runs/few_labels", help="folder for the encoders")
    parser.add_argument("--results", default="few_labels.jsonl", help="file, which grows")
    options = parser.parse_args()
    kept, chosen = Kept(options.results), {}

    def correct(*key):
        return kept.of(key, lambda: _run(pathlib.Path(options.encoders), *key))

    for name, (encoder, tuned) in CONTENDERS.items():
        trials = [{}] if tuned == "head" else SPACE
        scores = [
            np.mean([correct(encoder, tuned, one, "validation", 0, d) for d in range(SEARCH_DRAWS)])
            for one in trials
        ]
        chosen[name] = trials[int(np.argmax(scores))]
        print(
            f"{name}: {chosen[name]} ({100 * max(scores):.1f} % on the validation part)", flush=True
        )
    print("\n| contender | 10 labels per class | settings |\n|---|---|---|")
    for name, (encoder, tuned) in CONTENDERS.items():
        tested = [
            correct(encoder, tuned, chosen[name], "test", seed, draw)
            for seed in SEEDS
            for draw in range(TEST_DRAWS)
        ]
        print(f"| {name} | {_interval(np.array(tested))} | {chosen[name] or ''} |")
    print(machine("tensorflow", "keras"))


def _run(folder, encoder, tuned, changes, part, seed, draw):
    """Which of the images that judge were right, list of bools."""
    import keras

    from tf_scl.classification.few_labels import fit_classifier
    from tf_scl.config import ClassifyConfig
    from tf_scl.evaluation.linear_probe import draw_labeled
    from tf_scl.saving import load_model

    keras.backend.clear_session()
    images, labels, judged, truth = photos("trash", 64, part)
    rows = draw_labeled(labels, PER_CLASS, np.random.default_rng([seed, draw]))
    if encoder == "pixels":
        network = _pixels()
    else:
        network = load_model(_encoder(folder, encoder, part, seed))
    config = dataclasses.replace(ClassifyConfig(tuned=tuned, seed=draw), **changes)
    classifier = fit_classifier(network, images[rows], labels[rows], config)
    given = classifier.predict(judged, verbose=0).argmax(axis=1)
    right = np.array(classifier.classes)[given] == truth.astype(str)
    print(f"{encoder}, {tuned}, {changes}, {part} {seed}.{draw}: {100 * right.mean():.1f}")
    return right.tolist()


def _encoder(folder, kind, part, seed):
    steps = STEPS if kind == "pretrained" else 0
    one = trial(data="trash", part=part, seed=seed, steps=steps, **_LAPTOP)
    return kept_encoder(one, folder)


def _pixels():
    """An encoder that is none: 32 x 32 pixels as they are, as the evaluation's baseline."""
    import keras

    return keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.AveragePooling2D(2),
            keras.layers.Flatten(),
        ]
    )


# What `benchmarks.presets` chose for `laptop`.
_LAPTOP = {
    "width": 32,
    "image_size": 64,
    "source": 64,
    "stem": "imagenet",
    "augment": {"blur": 0.0},
}


def _interval(correct):
    from tf_scl.evaluation.bootstrap import accuracy_interval

    low, high = accuracy_interval(correct, resamples=10_000)
    return f"{100 * correct.mean():.1f} [{100 * low:.1f}, {100 * high:.1f}]"


if __name__ == "__main__":
    main()
