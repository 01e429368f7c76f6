"""Spectral, SimCLR and SimSiam, each tuned by the same number of trials, on two sets of photos.

    .venv/bin/python -m benchmarks.methods

needs cifar10-images.tar.xz and trash-photos.tar.xz in ../shared/data. Every method
trains the same ResNet-10 on the same views, with the same steps, batches, optimizer and
schedule. Its rate and the one setting of its own are searched in `SPACES`, by eight trials
judged on a quarter of the *training* images (the mean of the three measures). The
winner is trained on all training images with three seeds, and judged once on the test
images. An interval covers seeds and test images (`tf_scl.evaluation.bootstrap`).

Stopped, it goes on where it was: every trial is a line of --results.
"""

import argparse
import itertools

import numpy as np

from benchmarks._machine import machine
from benchmarks._photos import DATA_SETS
from benchmarks._trials import MEASURES, describe, kept_encoder, run_trials, trial
from tf_scl.evaluation.bootstrap import accuracy_interval, difference_interval

SPACES = {
    "spectral": {
        "base_learning_rate": (0.3, 1.0),
        "mu": ("auto", 10.0, 30.0, 100.0),
    },
    "simclr": {
        "base_learning_rate": (0.3, 1.0),
        "temperature": (0.1, 0.2, 0.5, 1.0),
    },
    "simsiam": {
        "base_learning_rate": (0.03, 0.1, 0.3, 1.0),
        "predictor_hidden": (64, 256),
    },
}
# Photos are kept larger than the views that are cropped from them.
SOURCES = {"cifar10": 32, "trash": 64}


def kept_spectral(data, part, folder, seed=0):
    """Path of the encoder of the spectral loss at rate 1 and mu="auto", see `kept_encoder`."""
    one = trial(data=data, part=part, source=SOURCES[data], seed=seed, base_learning_rate=1.0)
    return kept_encoder(one, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", default="methods.jsonl", help="file of trials, which grows")
    parser.add_argument("--data", nargs="+", default=DATA_SETS, choices=DATA_SETS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workers", type=int, default=2, help="trials at a time, a core each")
    parser.add_argument("--plot", help="a picture of the searches, such as mu.svg")
    options = parser.parse_args()
    searches = search(options)
    rows = {}
    for (data, method), tried in searches.items():
        best = max(tried, key=lambda pair: mean(pair[1]))[0]
        print(f"{data}, {method}: {describe(best)} was best")
        rows[data, method] = [{**best, "part": "test", "seed": seed} for seed in options.seeds]
    for data in options.data:
        base = {"data": data, "source": SOURCES[data], "part": "test"}
        untrained = trial(**base, steps=0)
        rows[data, "untrained"] = [{**untrained, "seed": seed} for seed in options.seeds]
        rows[data, "raw pixels"] = [trial(**base, pixels=True)]
    results = iter(run_trials(sum(rows.values(), []), options.results, options.workers))
    found = {name: [next(results) for _ in trials] for name, trials in rows.items()}
    table(found, rows)
    leads(found)
    print(f"seeds {options.seeds}; {machine('tensorflow', 'keras')}")
    if options.plot:
        plot(searches, options.plot)


def search(options):
    """(Data, method) -> [(trial, result)] of its space."""
    keys, trials = [], []
    for data, (method, space) in itertools.product(options.data, SPACES.items()):
        for values in itertools.product(*space.values()):
            settings = dict(zip(space, values, strict=True))
            keys.append((data, method))
            trials.append(trial(data=data, source=SOURCES[data], method=method, **settings))
    found = {}
    for key, one, result in zip(
        keys, trials, run_trials(trials, options.results, options.workers), strict=True
    ):
        found.setdefault(key, []).append((one, result))
    return found


def mean(result):
    """What a search goes by: the mean of the measures."""
    return np.mean([result["accuracy"][measure] for measure in MEASURES])


def shares(found):
    """[seeds, M]: by how many of the measures an image was right, 0..1."""
    return np.array(
        [np.mean([result["correct"][name] for name in MEASURES], axis=0) for result in found]
    )


def lead(ours, theirs):
    """By how much one is ahead on the same images and seeds, in points, with its interval.

    Args:
        ours, theirs: [seeds, M], shares of the times that an image was right.
    """
    low, high = difference_interval(ours, theirs, resamples=10_000)
    return f"{100 * (ours - theirs).mean():+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def table(results, rows):
    """Prints what was found, in Markdown."""
    print(f"\n| data | method | {' | '.join(MEASURES)} | settings |")
    print("|---" * (len(MEASURES) + 3) + "|")
    for (data, method), found in results.items():
        cells = []
        for measure in MEASURES:
            correct = np.array([result["correct"][measure] for result in found])
            low, high = accuracy_interval(correct, resamples=10_000)
            cells.append(f"{100 * correct.mean():.1f} [{100 * low:.1f}, {100 * high:.1f}]")
        settings = describe(rows[data, method][0]) if method in SPACES else ""
        print(f"| {data} | {method} | {' | '.join(cells)} | {settings} |")


def leads(results):
    """Prints by how much spectral is ahead of each other trained or untrained encoder."""
    print(f"\n| data | spectral ahead of | {' | '.join(MEASURES)} |")
    print("|---" * (len(MEASURES) + 2) + "|")
    for (data, method), found in results.items():
        if method == "spectral" or len(found) < 2:
            continue
        cells = []
        for measure in MEASURES:
            ours, theirs = (
                np.array([result["correct"][measure] for result in one])
                for one in (results[data, "spectral"], found)
            )
            cells.append(lead(ours, theirs))
        print(f"| {data} | {method} | {' | '.join(cells)} |")


def plot(searches, path):
    """Accuracy of the search's trials over mu and over the temperature, as a picture."""
    import matplotlib.pyplot as plt

    datas = sorted({data for data, _ in searches})
    figure, axes = plt.subplots(
        len(datas), 2, figsize=(9, 3.2 * len(datas)), sharey="row", squeeze=False
    )
    for row, data in zip(axes, datas, strict=True):
        for axis, (method, name) in zip(
            row, (("spectral", "mu"), ("simclr", "temperature")), strict=True
        ):
            _curves(axis, searches[data, method], name)
            axis.set_title(f"{data}, {method}")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def _curves(axis, tried, name):
    rates = sorted({one["train"]["base_learning_rate"] for one, _ in tried})
    for color, rate in zip(("tab:blue", "tab:orange"), rates, strict=True):
        of_rate = [pair for pair in tried if pair[0]["train"]["base_learning_rate"] == rate]
        fixed = [(one["model"][name], mean(result)) for one, result in of_rate]
        swept = sorted(pair for pair in fixed if pair[0] != "auto")
        axis.plot(*zip(*swept, strict=True), "o-", color=color, label=f"rate {rate:g}")
        for _, value in (pair for pair in fixed if pair[0] == "auto"):
            axis.axhline(value, color=color, linestyle="--", label=f"auto, rate {rate:g}")
    axis.set_xscale("log")
    axis.set_xlabel(name)
    axis.set_ylabel("mean of the three measures, %")
    axis.legend(fontsize="small")


if __name__ == "__main__":
    main()
