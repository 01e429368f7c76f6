"""`tf-scl drift` on photos: how often it is wrong where nothing changed, and what it sees.

    .venv/bin/python -m benchmarks.drift

needs cifar10-images.tar.xz and trash-photos.tar.xz in ../shared/data. An encoder of each set is
pretrained as in benchmarks.methods by the spectral loss. Images that it was not trained on are
split at random, again and again: half of them, at most 1,000, are what the model keeps, and of
the others 50 or 150 are the new ones. They are left as they are (false alarms), blurred, darkened,
or lack a class. With --validation these are a quarter of the training images, and the kernels of
`KERNELS` are compared: there they are chosen.
"""

import argparse
import functools

import numpy as np

from benchmarks._kept import Kept
from benchmarks._machine import machine
from benchmarks._photos import photos
from benchmarks._trials import embed, prepared
from benchmarks.methods import SOURCES, kept_spectral

DATA, COUNTS = ("cifar10", "trash"), (50, 150)
KEPT = 1000  # at most, as in a SavedModel
FALSE_ALARMS, POWER = 200, 50  # splits
LEVELS = (0.01, 0.05)
OURS = "as shipped"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoders", default="runs/drift", help="folder for the encoders")
    parser.add_argument("--results", default="drift.jsonl", help="file, which grows")
    parser.add_argument("--validation", action="store_true", help="compare kernels")
    options = parser.parse_args()
    part, kernels = ("validation", list(KERNELS)) if options.validation else ("test", [OURS])
    kept = Kept(options.results)
    for data in DATA:
        _table(data, _measured(data, part, kernels, options.encoders, kept), kernels)
    print(f"\n{machine('tensorflow', 'keras', 'scipy')}")


def _table(data, found, kernels):
    heads = [f"{change}, {count}" for change in CHANGES for count in COUNTS]
    for level in LEVELS:
        print(f"\n{data}: share of splits in which p < {level}, % (change, new images)\n")
        print(f"| | {' | '.join(heads)} |\n{'|---' * (len(heads) + 1)}|")
        for kernel in kernels:
            cells = [
                f"{100 * np.mean(np.array(found[f'{kernel}, {head}']) < level):.1f}"
                for head in heads
            ]
            print(f"| {kernel} | {' | '.join(cells)} |")


def _measured(data, part, kernels, encoders, kept):
    """ "KERNEL, CHANGE, COUNT" -> p-values, one for each split."""
    embedded = functools.cache(functools.partial(_embedded, data, part, encoders))
    return {
        f"{kernel}, {change}, {count}": kept.of(
            f"{data}, {part}, {kernel}, {change}, {count}",
            functools.partial(_p_values, embedded, kernel, change, count),
        )
        for kernel in kernels
        for change in CHANGES
        for count in COUNTS
    }


def _p_values(embedded, kernel, change, count):
    from tf_scl.drift import two_sample

    widths, unit = KERNELS[kernel]
    before = two_sample._WIDTHS
    two_sample._WIDTHS = before if widths is None else widths
    (rows, labels), (changed, _) = embedded()["none"], embedded()[change]
    values = []
    try:
        for split in range(FALSE_ALARMS if change == "none" else POWER):
            rng = np.random.default_rng(split)
            order = rng.permutation(len(rows))
            kept, others = np.split(order, [min(KEPT, len(order) // 2)])
            if change == LACKING:
                others = others[labels[others] != rng.choice(np.unique(labels))]
            both = rows[kept], changed[others[:count]]
            if unit:
                both = tuple(x / np.linalg.norm(x, axis=1, keepdims=True) for x in both)
            values.append(two_sample.mmd_test(*both, permutations=999, seed=split).p_value)
    finally:
        two_sample._WIDTHS = before
    return values


def _embedded(data, part, encoders):
    """Change -> (embeddings of the images [M, D], their labels [M])."""
    from tf_scl.saving import load_model

    _, _, images, labels = photos(data, SOURCES[data], part)
    encoder = load_model(kept_spectral(data, part, encoders))
    size = encoder.input_shape[1]
    return {
        name: (embed(encoder, prepared(change(images), size)), labels)
        for name, change in CHANGES.items()
    }


def _blurred(images):
    """By a Gaussian with a standard deviation of a 32nd of the side."""
    from scipy.ndimage import gaussian_filter

    sigma = images.shape[1] / 32
    return gaussian_filter(images, (0, sigma, sigma, 0))


def _darkened(images):
    return np.round(0.7 * images).astype(np.uint8)


def _same(images):
    return images


LACKING = "a class is missing"
CHANGES = {"none": _same, "blurred": _blurred, "darkened": _darkened, LACKING: _same}
# name -> (widths in median squared distances, or None; whether rows are brought to norm 1)
KERNELS = {
    OURS: (None, False),
    "one width, the median": ((1.0,), False),
    "widths 0.5, 2, 8": ((0.5, 2.0, 8.0), False),
    "width 8, nearly the means": ((8.0,), False),
    f"{OURS}, rows of norm 1": (None, True),
    "one width, rows of norm 1": ((1.0,), True),
}


if __name__ == "__main__":
    main()
