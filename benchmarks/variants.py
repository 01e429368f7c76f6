"""More views, a memory of negatives and non-negative features, each at equal time.

    .venv/bin/python -m benchmarks.variants

needs cifar10-images.tar.xz and trash-photos.tar.xz in ../shared/data. Encoder, views,
schedule are those of benchmarks.methods. Every contender has four trials on a quarter of
CIFAR-10's training images, the plain loss too. If its best comes within `CLOSE` points of the
plain loss, it is trained on all training images of both sets with three seeds, and judged
once on the test images, beside the plain loss. Those that make more of a step take fewer
steps, by the time of a step in --measure (`STEPS`). Stopped, it goes on where it was.
"""

import argparse
import dataclasses
import itertools

import numpy as np

from benchmarks._machine import machine
from benchmarks._photos import DATA_SETS
from benchmarks._trials import MEASURES, describe, run_trials, seconds_of_a_step, trial
from benchmarks._variants import Variant
from benchmarks.methods import SOURCES, lead, mean, shares

RATES = (0.3, 1.0)
PLAIN = "plain"
# Each two settings of its own, by two rates.
CONTENDERS = {
    PLAIN: ({"mu": "auto"}, {"mu": 10.0}),
    "all views are negatives": (
        {"variant": Variant()},
        {"variant": Variant(), "embedding_dim": 512},
    ),
    "small crops": ({"variant": Variant(small=2)}, {"variant": Variant(small=4)}),
    "four views": (
        {"variant": Variant(large=4), "batch_size": 64},
        {"variant": Variant(large=4)},
    ),
    "memory": ({"variant": Variant(memory=0.5)}, {"variant": Variant(memory=0.9)}),
    "non-negative": (
        {"variant": Variant(non_negative=True)},
        {"variant": Variant(non_negative=True), "embedding_dim": 1024},
    ),
}
CLOSE = 2.0  # points, of the mean of the three measures
# That take as long as 300 of the plain loss, to 25.
STEPS = {
    ("all views are negatives", 1): 275,
    ("small crops", 0): 225,
    ("small crops", 1): 175,
    ("four views", 0): 250,
    ("four views", 1): 150,
    ("non-negative", 1): 250,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", default="variants.jsonl", help="file of trials, which grows")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workers", type=int, default=2, help="trials at a time, a core each")
    parser.add_argument("--measure", action="store_true", help="time the contenders' steps")
    options = parser.parse_args()
    if options.measure:
        measure_steps()
        return
    keys = list(itertools.product(CONTENDERS, RATES, (0, 1)))
    trials = [contender(*key) for key in keys]
    tried = {}
    results = run_trials(trials, options.results, options.workers)
    for (name, *_), one, result in zip(keys, trials, results, strict=True):
        tried.setdefault(name, []).append((mean(result), one))
    best = {name: max(pairs, key=lambda pair: pair[0]) for name, pairs in tried.items()}
    for name, (reached, one) in best.items():
        print(f"{name}: {reached:.1f} by {describe(one)}")
    rows = {}
    for data, (name, (reached, one)) in itertools.product(DATA_SETS, best.items()):
        if reached < best[PLAIN][0] - CLOSE:
            continue
        test = {"data": data, "source": SOURCES[data], "part": "test"}
        rows[data, name] = [{**one, **test, "seed": seed} for seed in options.seeds]
    results = iter(run_trials(sum(rows.values(), []), options.results, options.workers))
    table({key: [next(results) for _ in made] for key, made in rows.items()}, rows)
    print(f"seeds {options.seeds}; {machine('tensorflow', 'keras')}")


def contender(name, rate, which):
    """Its trial."""
    settings = dict(CONTENDERS[name][which])
    if "variant" in settings:
        settings["variant"] = dataclasses.asdict(settings["variant"])
    steps = STEPS.get((name, which), 300)
    return trial(base_learning_rate=rate, steps=steps, **settings)


def measure_steps():
    """Prints the seconds of a step of each, one after the other, by one thread."""
    for name, which in itertools.product(CONTENDERS, (0, 1)):
        seconds = seconds_of_a_step(contender(name, RATES[0], which))
        print(f"{name}, {CONTENDERS[name][which]}: {1000 * seconds:.0f} ms", flush=True)


def table(results, rows):
    """Prints what was found, in Markdown."""
    head = [*MEASURES, "gain, mean of the three", "settings"]
    print(f"\n| data | contender | {' | '.join(head)} |")
    print("|---" * (len(head) + 2) + "|")
    for (data, name), found in results.items():
        cells = [
            f"{np.mean([result['accuracy'][measure] for result in found]):.1f}"
            for measure in MEASURES
        ]
        gain = ""
        if name != PLAIN:
            gain = lead(shares(found), shares(results[data, PLAIN]))
        cells += [gain, describe(rows[data, name][0])]
        print(f"| {data} | {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
