"""What labels are worth by how they are chosen: `tf-scl suggest` beside chance and others.

    .venv/bin/python -m benchmarks.suggest

needs cifar10-images.tar.xz and trash-photos.tar.xz in ../shared/data. An encoder of each set is
pretrained as in benchmarks.methods by the spectral loss, without labels. Then 10, 20, 50 and 100
of its training images are labeled, in rounds, by each way of choosing, and a linear classifier of
these is judged on the test images. Ten times, each from other four fifths of the training images.
With --validation a quarter of the training images judges instead: there settings are chosen.
"""

import argparse
import functools

import numpy as np

from benchmarks._kept import Kept
from benchmarks._machine import machine
from benchmarks._photos import photos
from benchmarks._trials import embed, prepared
from benchmarks.methods import SOURCES, kept_spectral

DATA, SEEDS, LABELS = ("cifar10", "trash"), range(10), (10, 20, 50, 100)
POOL = 0.8  # share of the training images in one of the ten


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoders", default="runs/suggest", help="folder for the encoders")
    parser.add_argument("--results", default="suggest.jsonl", help="file, which grows")
    parser.add_argument("--validation", action="store_true", help="do not look at test images")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--plot", help="a picture of the curves, such as suggest.svg")
    options = parser.parse_args()
    part = "validation" if options.validation else "test"
    kept, curves = Kept(options.results), {}
    for data in DATA:
        features = functools.cache(functools.partial(_embedded, data, part, options.encoders))

        def accuracies(way, seed, data=data, features=features):
            key = f"{data} {part} {way} {seed}"
            return kept.of(key, lambda: _accuracies(*features(), way, seed))

        curves[data] = {
            way: np.array([accuracies(way, seed) for seed in SEEDS]) for way in options.ways
        }
        table(data, curves[data])
    print(f"\n{machine('tensorflow', 'keras', 'scipy')}")
    if options.plot:
        plot(curves, options.plot)


def table(data, curves):
    """Means, and the differences from chance: the same ten pools, so paired."""
    print(f"\n{data}: accuracy, %, by number of labels\n")
    print(f"| | {' | '.join(map(str, LABELS))} |\n{'|---' * (len(LABELS) + 1)}|")
    for way, found in curves.items():
        cells = [f"{mean:.1f}" for mean in found.mean(axis=0)]
        if way != CHANCE and CHANCE in curves:
            gain = found - curves[CHANCE]
            error = 2.262 * gain.std(axis=0, ddof=1) / len(gain) ** 0.5  # Student's t, 9
            cells = [
                f"{cell} ({mean:+.1f} ± {half:.1f})"
                for cell, mean, half in zip(cells, gain.mean(axis=0), error, strict=True)
            ]
        print(f"| {way} | {' | '.join(cells)} |")


def plot(curves, path):
    """A picture of the curves, with standard errors over the ten pools."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(curves), figsize=(9, 3.6))
    for axis, (data, found) in zip(axes, curves.items(), strict=True):
        for way, values in found.items():
            error = values.std(axis=0, ddof=1) / len(values) ** 0.5
            axis.errorbar(LABELS, values.mean(axis=0), error, marker=".", capsize=2, label=way)
        axis.set(xscale="log", xlabel="labels", title=data)
        axis.set_xticks(LABELS, map(str, LABELS))
        axis.minorticks_off()
    axes[0].set_ylabel("accuracy on test images, %")
    axes[0].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def _embedded(data, part, encoders):
    """Features and labels of the images to choose from, and of those that judge."""
    from tf_scl.saving import load_model

    train, labels, test, truth = photos(data, SOURCES[data], part)
    encoder = load_model(kept_spectral(data, part, encoders))
    size = encoder.input_shape[1]
    rows, queries = (embed(encoder, prepared(images, size)) for images in (train, test))
    return rows, labels, queries, truth


def _accuracies(rows, labels, queries, truth, way, seed):
    """% after each number of `LABELS`."""
    from tf_scl.evaluation.linear_probe import fit_linear_head

    rng = np.random.default_rng(seed)
    rows, queries = np.float64(rows), np.float64(queries)
    pool = np.sort(rng.choice(len(rows), int(POOL * len(rows)), replace=False))
    rows, labels = rows[pool], labels[pool]
    chosen, found = [], []
    for count in LABELS:
        chosen += WAYS[way](rows, labels, chosen, count - len(chosen), rng)
        assert len(set(chosen)) == count
        classes, targets = np.unique(labels[chosen], return_inverse=True)
        if len(classes) == 1:
            found.append(100 * float(np.mean(truth == classes[0])))
            continue
        head = fit_linear_head(rows[chosen], targets, len(classes))
        given = classes[(queries @ head.kernel + head.bias).argmax(axis=1)]
        found.append(100 * float(np.mean(given == truth)))
    return found


# Ways of choosing `count` more images, beside those that were chosen.


def _chance(rows, labels, chosen, count, rng):
    others = np.setdiff1d(np.arange(len(rows)), chosen)
    return rng.choice(others, count, replace=False).tolist()


def _k_center(rows, labels, chosen, count, rng):
    """The farthest from all so far, one by one (Sener and Savarese, ICLR 2018)."""
    from tf_scl.unit_rows import unit_rows

    points, picked = unit_rows(rows - rows.mean(axis=0)), []
    distance = np.full(len(points), np.inf)
    for place in chosen:
        distance = np.minimum(distance, np.sum((points - points[place]) ** 2, axis=1))
    while len(picked) < count:
        place = int(distance.argmax()) if chosen or picked else int(rng.integers(len(points)))
        picked.append(place)
        distance = np.minimum(distance, np.sum((points - points[place]) ** 2, axis=1))
    return picked


def _suggested(rows, labels, chosen, count, rng):
    from tf_scl.suggestion.choose import choose_images

    known = {place: str(labels[place]) for place in chosen}
    found = choose_images(rows, count, known, seed=int(rng.integers(2**31)))
    return [one.place for one in found]


def _clusters(rows, labels, chosen, count, rng):
    """The same without doubt: labels of one class give none."""
    return _suggested(rows, np.zeros(len(rows), int), chosen, count, rng)


def _doubt(rows, labels, chosen, count, rng):
    """The images that a classifier of the labels so far is least sure of; at first, chance."""
    from tf_scl.suggestion import choose

    doubt = choose._doubt(rows, {place: str(labels[place]) for place in chosen})
    if doubt is None:
        return _chance(rows, labels, chosen, count, rng)
    doubt[chosen] = -1
    return np.argsort(-doubt, kind="stable")[:count].tolist()


CHANCE = "chance"
WAYS = {
    CHANCE: _chance,
    "k-center": _k_center,
    "doubt alone": _doubt,
    "clusters alone": _clusters,
    "tf-scl suggest": _suggested,
}


if __name__ == "__main__":
    main()
