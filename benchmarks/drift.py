"""`tf-scl drift` on photos: how often it is wrong where nothing changed, and what it sees.

    .venv/bin/python -m benchmarks.drift

needs cifar10-images.tar.xz and trash-photos.tar.xz in ../shared/data. An encoder of each set is
pretrained as in benchmarks.methods by the spectral loss. Images that it was not trained on are
split at random, again and again: half of them, at most 1,000, are what the model keeps, and of
the others 50 or 150 are the new ones. They are left as they are (false alarms), blurred, darkened,
lack a class, or are five frames of each of a fifth as many. With --validation these are a quarter
of the training images, and the kernels of `KERNELS` are compared: there they are chosen.

With --references the question is another: a model keeps one reference for all its days, so how
often is there a false alarm *given one reference*? 30 of 300 images are drawn from the 10,000 test
images of CIFAR-10, and each is compared with 40 samples of the others, of several sizes. Thirty say
little of the unluckiest, so 4,000 references are drawn from the limit that the statistic has for
many images: a weighted sum of squares (Gretton et al. 2012, theorem 12), the weights being the
eigenvalues of the centered kernel of 2,000 of the embeddings. What fewer new images cost is
measured on the photos.
"""

import argparse
import functools
import itertools

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
REFERENCES, COMPARISONS = 30, 40
REFERENCE, SAMPLES = 300, (75, 150, 300, 1000)  # images kept, and new
RATIOS = (0.25, 0.5, 1.0, 10 / 3, 10.0)  # of new to kept images, in the limit
IN_LIMIT, WEIGHTS = 4000, 400
COSTS = (62, 125, 250)  # new photos beside 250 kept ones


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoders", default="runs/drift", help="folder for the encoders")
    parser.add_argument("--results", default="drift.jsonl", help="file, which grows")
    parser.add_argument("--validation", action="store_true", help="compare kernels")
    parser.add_argument("--references", action="store_true", help="rates given one reference")
    options = parser.parse_args()
    part, kernels = ("validation", list(KERNELS)) if options.validation else ("test", [OURS])
    kept = Kept(options.results)
    if options.references:
        _references(options.encoders, kept)
    for data in () if options.references else DATA:
        _table(data, _measured(data, part, kernels, options.encoders, kept), kernels)
    print(f"\n{machine('tensorflow', 'keras', 'scipy')}")


def _table(data, found, kernels):
    heads = [f"{change}, {count}" for change in CHANGES for count in COUNTS]
    for level in LEVELS:
        print(f"\n{data}: share of splits in which p <= {level}, % (change, new images)\n")
        print(f"| | {' | '.join(heads)} |\n{'|---' * (len(heads) + 1)}|")
        for kernel in kernels:
            cells = [
                f"{100 * np.mean(np.array(found[f'{kernel}, {head}']) <= level):.1f}"
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


def _p_values(embedded, kernel, change, count, every=False):
    """Of each split; with `every` all new images are tested, not only as many as shipped."""
    from tf_scl.drift import two_sample
    from tf_scl.drift.detect import tested

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
            frames = 1 if changed.ndim == 2 else changed.shape[1]
            new = changed[others[: count // frames]].reshape(-1, rows.shape[1])
            both = (rows[kept], new) if every else tested(rows[kept], new, rng)
            if unit:
                both = tuple(x / np.linalg.norm(x, axis=1, keepdims=True) for x in both)
            values.append(two_sample.mmd_test(*both, permutations=999, seed=split).p_value)
    finally:
        two_sample._WIDTHS = before
    return values


def _embedded(data, part, encoders):
    """Change -> (embeddings of the images [M, D], or of their frames [M, 5, D]; labels [M])."""
    from tf_scl.saving import load_model

    _, _, images, labels = photos(data, SOURCES[data], part)
    encoder = load_model(kept_spectral(data, part, encoders))
    size = encoder.input_shape[1]
    found = {
        name: (embed(encoder, prepared(change(images), size)), labels)
        for name, change in CHANGES.items()
        if name != FRAMES
    }
    frames = [embed(encoder, prepared(_times(images, one), size)) for one in BRIGHTNESS]
    return found | {FRAMES: (np.stack(frames, axis=1), labels)}


def _references(encoders, kept):
    """Prints how often there is a false alarm given one reference, and what fewer images cost."""
    rows = functools.cache(functools.partial(_large, encoders))
    _heading("kept, new", "mean", "median", "90 % quantile", "most", "of chance: 90 %", "most")
    for count in SAMPLES:
        key = f"references, {REFERENCE}, {count}, {REFERENCES}, {COMPARISONS}"
        found = np.array(kept.of(key, functools.partial(_given, rows, count)))
        for level in LEVELS:
            print(_row(f"{REFERENCE}, {count}", level, _spread(found, level)))
    _heading("new for each kept", "mean", "median", "90 % quantile", "99 % quantile", "most")
    for ratio, level in itertools.product(RATIOS, LEVELS):
        found = kept.of(f"limit, {ratio}, {level}", functools.partial(_limit, rows, ratio, level))
        print(_row(f"{ratio:.2f}", level, found))
    _heading("change, new photos", "seen")
    embedded = functools.cache(functools.partial(_embedded, "trash", "test", encoders))
    for change, count in itertools.product(("blurred", "darkened", LACKING), COSTS):
        key = f"trash, test, {OURS}, {change}, {count}, every"
        found = kept.of(key, functools.partial(_p_values, embedded, OURS, change, count, True))
        for level in LEVELS:
            print(_row(f"{change}, {count}", level, [100 * np.mean(np.array(found) <= level)]))


def _heading(first, *others):
    print(f"\n| {first} | level | {' | '.join(others)} |\n{'|---' * (len(others) + 2)}|")


def _row(name, level, numbers):
    return f"| {name} | {level} | {' | '.join(f'{number:.1f}' for number in numbers)} |"


def _spread(p_values, level):
    """Rates of false alarms, %, of p-values [references, comparisons], and what chance makes."""
    rates = np.mean(p_values <= level, axis=1)
    many, each = p_values.shape
    chance = np.random.default_rng(0).binomial(each, level, (10_000, many)) / each
    usual = np.quantile(chance, 0.9, axis=1).mean(), chance.max(axis=1).mean()
    return 100 * np.array([*_summary(rates, 0.9), *usual])


def _summary(rates, *quantiles):
    return [rates.mean(), np.median(rates), *np.quantile(rates, quantiles), rates.max()]


def _given(rows, count):
    """p-values of each reference, lists of lists; 99 permutations are exact too."""
    from tf_scl.drift.two_sample import mmd_test

    pool, values = rows(), []
    for reference in range(REFERENCES):
        rng = np.random.default_rng([REFERENCE, reference])
        kept, others = np.split(rng.permutation(len(pool)), [REFERENCE])
        samples = [rng.choice(others, count, replace=False) for _ in range(COMPARISONS)]
        tests = [mmd_test(pool[kept], pool[new], 99, seed) for seed, new in enumerate(samples)]
        values.append([test.p_value for test in tests])
    return values


def _limit(rows, ratio, level):
    """Mean, median, quantiles and most of the rates of false alarms of references, %."""
    weights, rng = _eigenvalues(rows), np.random.default_rng(0)
    kept, new = rng.normal(size=(2, IN_LIMIT, WEIGHTS))
    across = (kept * weights) @ new.T / np.sqrt(ratio)
    statistics = ((kept**2 - 1) @ weights)[:, None] + (new**2 - 1) @ weights / ratio - 2 * across
    rates = np.mean(statistics > np.quantile(statistics, 1 - level), axis=1)
    return (100 * np.array(_summary(rates, 0.9, 0.99))).tolist()


@functools.cache
def _eigenvalues(rows):
    """The largest of the centered kernel of 2,000 embeddings [WEIGHTS]."""
    from tf_scl.drift import two_sample

    pool = rows()
    kernel = two_sample._kernel(pool[np.random.default_rng(0).permutation(len(pool))[:2000]])
    np.fill_diagonal(kernel, 1.0)
    centered = kernel - kernel.mean(axis=0)
    centered -= centered.mean(axis=1)[:, None]
    return np.linalg.eigvalsh(centered)[: -WEIGHTS - 1 : -1] / len(kernel)


def _large(encoders):
    """Embeddings [10000, D] of CIFAR-10's test images, by the encoder of the table."""
    from tf_scl.saving import load_model

    _, _, images, _ = photos("cifar10-large", SOURCES["cifar10"], "test")
    return embed(load_model(kept_spectral("cifar10", "test", encoders)), images)


def _blurred(images):
    """By a Gaussian with a standard deviation of a 32nd of the side."""
    from scipy.ndimage import gaussian_filter

    sigma = images.shape[1] / 32
    return gaussian_filter(images, (0, sigma, sigma, 0))


def _times(images, factor):
    return np.round(np.minimum(factor * images, 255)).astype(np.uint8)


def _darkened(images):
    return _times(images, 0.7)


def _same(images):
    return images


LACKING, FRAMES = "a class is missing", "five frames of each"
CHANGES = {"none": _same, "blurred": _blurred, "darkened": _darkened, LACKING: _same, FRAMES: None}
BRIGHTNESS = (0.98, 0.99, 1.0, 1.01, 1.02)  # of frames
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
