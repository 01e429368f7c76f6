"""mu="auto" against a sweep of mu: by d and batch, by budget and seed, on two sets of photos.

    .venv/bin/python -m benchmarks.mu --plot docs/explanation/mu-on-images.svg

needs cifar10-images.tar.xz and trash-photos.tar.xz in ../shared/data. The encoder and the
views are those of benchmarks.methods, the rate is 0.3. All is judged on a quarter of the
training images: no test image is looked at. Stopped, it goes on where it was.
"""

import argparse
import itertools

import numpy as np

from benchmarks._machine import machine
from benchmarks._photos import DATA_SETS
from benchmarks._trials import MEASURES, run_trials, trial
from benchmarks.methods import SOURCES, lead, mean, shares

IMAGES = 19_200  # in the sweep by d and batch, counted as often as they are seen
DIMENSIONS, BATCHES = (64, 256, 1000), (64, 256)
SWEEP = (3.0, 10.0, 30.0, 100.0, "auto")
BUDGETS, SEEDS, CLOSE = (150, 450), (0, 1, 2), (10.0, 30.0, "auto")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", default="mu.jsonl", help="file of trials, which grows")
    parser.add_argument("--workers", type=int, default=2, help="trials at a time, a core each")
    parser.add_argument("--plot", help="a picture of the sweep, such as mu.svg")
    options = parser.parse_args()
    swept = _run(_sweep(), options)
    print(f"\nMean of {', '.join(MEASURES)}, %\n")
    _table(swept, ("data", "d", "batch"), SWEEP, lambda found: f"{mean(found[0]):.1f}")
    repeated = _run(_repeats(), options)
    print("\nThe same over three seeds: mean ± standard error\n")
    _table(repeated, ("data", "steps"), CLOSE, _with_error)
    print("\nauto minus the better number, on the same seeds, with a 95 % interval\n")
    _gains(repeated)
    print(f"\n{machine('tensorflow', 'keras')}")
    if options.plot:
        _plot(swept, options.plot)


def _sweep():
    """(Data, d, batch, mu) -> its trial."""
    return {
        (data, d, batch, mu): [
            trial(
                data=data,
                source=SOURCES[data],
                embedding_dim=d,
                batch_size=batch,
                steps=IMAGES // batch,
                mu=mu,
            )
        ]
        for data, d, batch, mu in itertools.product(DATA_SETS, DIMENSIONS, BATCHES, SWEEP)
    }


def _repeats():
    """(Data, steps, mu) -> its trials, one for each seed."""
    return {
        (data, steps, mu): [
            trial(data=data, source=SOURCES[data], steps=steps, mu=mu, seed=seed) for seed in SEEDS
        ]
        for data, steps, mu in itertools.product(DATA_SETS, BUDGETS, CLOSE)
    }


def _run(trials, options):
    results = iter(run_trials(sum(trials.values(), []), options.results, options.workers))
    return {key: [next(results) for _ in made] for key, made in trials.items()}


def _table(results, names, values, cell):
    print(f"| {' | '.join([*names, *(f'mu {value}' for value in values)])} | auto ends at |")
    print("|---" * (len(names) + len(values) + 1) + "|")
    for key in dict.fromkeys(key[:-1] for key in results):
        cells = [cell(results[(*key, value)]) for value in values]
        found = np.mean([result["history"]["mu"][-1] for result in results[(*key, "auto")]])
        print(f"| {' | '.join([*map(str, key), *cells])} | {found:.0f} |")


def _gains(repeated):
    for data, steps in itertools.product(DATA_SETS, BUDGETS):
        by_mu = {mu: shares(repeated[data, steps, mu]) for mu in CLOSE}
        auto = by_mu.pop("auto")
        best = max(by_mu, key=lambda mu: by_mu[mu].mean())
        by_seed = ", ".join(f"{100 * one:+.1f}" for one in (auto - by_mu[best]).mean(axis=1))
        print(f"{data}, {steps} steps, mu {best:g}: {lead(auto, by_mu[best])}; by seed {by_seed}")


def _with_error(found):
    values = [mean(result) for result in found]
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1) / len(values) ** 0.5:.1f}"


def _plot(swept, path):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(DATA_SETS), figsize=(9, 3.6))
    for axis, data in zip(axes, DATA_SETS, strict=True):
        colors = itertools.cycle(plt.rcParams["axes.prop_cycle"].by_key()["color"])
        for (d, batch), color in zip(itertools.product(DIMENSIONS, BATCHES), colors, strict=False):
            value = {mu: mean(swept[data, d, batch, mu][0]) for mu in SWEEP}
            found = swept[data, d, batch, "auto"][0]["history"]["mu"][-1]
            fixed = [mu for mu in SWEEP if mu != "auto"]
            label = f"d {d}, batch {batch}"
            axis.plot(fixed, [value[mu] for mu in fixed], ".-", color=color, label=label)
            axis.plot(found, value["auto"], "*", color=color, markersize=12)
        axis.set(xscale="log", xlabel="mu (a star: auto, where it ended)", title=data)
    axes[0].set_ylabel("mean of the three measures, %")
    axes[0].legend(fontsize="x-small")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
