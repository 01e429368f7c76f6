"""What the presets `laptop` and `digits` should be: trials of equal time.

    .venv/bin/python -m benchmarks.presets

needs trash-photos.tar.xz in ../shared/data. Every contender trains for the same time,
by the seconds of a step that stand in `CONTENDERS` (--measure takes them, side by side on
one thread), and is judged on a quarter of the *training* photos. Without --measure it is
a search; the test photos are not looked at. --test looks at them: it trains what was chosen
for `laptop` on all training photos with three seeds, for the time of a contender.
"""

import argparse

from benchmarks._machine import machine
from benchmarks._trials import run_trials, scores, seconds_of_a_step, trial
from benchmarks.methods import table
from tf_scl.augmentation.policies import policy
from tf_scl.config import PRESETS

BUDGET = 120.0  # seconds on one thread: about a tenth of ten minutes on two cores


def _geometry(width, size, source, stem="cifar", **more):
    views = policy("spectral", size)
    return {
        "width": width,
        "image_size": size,
        "source": source,
        "stem": stem,
        "augment": {**views, **more.pop("augment", {})},
        **more,
    }


def _chosen(**changes):
    """What won among the geometries, with something else changed."""
    return _geometry(**{"width": 32, "size": 64, "source": 96, "stem": "imagenet", **changes})


# name -> (seconds of a step, settings)
CONTENDERS = {
    "32 px, width 16": (0.22, _geometry(16, 32, 64)),
    "32 px, width 32": (0.70, _geometry(32, 32, 64)),
    "64 px, width 16": (0.80, _geometry(16, 64, 96)),
    "64 px, width 32, strided stem": (0.31, _chosen()),
    "64 px, width 64, strided stem": (1.06, _chosen(width=64)),
    "96 px, width 32, strided stem": (0.61, _chosen(size=96, source=128)),
    "128 px, width 16, strided stem": (0.80, _chosen(size=128, source=128, width=16)),
    "untrained, 32 px, width 32": (0.0, _geometry(32, 32, 64)),
    "untrained, 64 px, width 32, strided stem": (0.0, _chosen()),
    # Of the fourth, which won:
    "... cropped from 64 px": (0.31, _chosen(source=64)),
    "... rate 0.1": (0.31, _chosen(base_learning_rate=0.1)),
    "... rate 1": (0.31, _chosen(base_learning_rate=1.0)),
    "... crops from 0.08 of the area on": (0.31, _chosen(augment={"crop_scale": (0.08, 1.0)})),
    "... crops from 0.4 of the area on": (0.31, _chosen(augment={"crop_scale": (0.4, 1.0)})),
    "... no blur": (0.31, _chosen(augment={"blur": 0.0})),
    "... no gray, half the color": (
        0.31,
        _chosen(
            augment={"grayscale": 0.0, "saturation": 0.2, "hue": 0.05},
        ),
    ),
    "... batch 64": (0.155, _chosen(batch_size=64)),
    "... batch 256": (0.62, _chosen(batch_size=256)),
}


# The digits are trained for the steps of their preset: 40 epochs.
_DIGITS = {
    "data": "digits",
    "source": 16,
    "image_size": 16,
    "channels": 1,
    "width": 32,
    "batch_size": 256,
    "steps": 200,
    "augment": PRESETS["digits"]["augment"],
}
OF_DIGITS = {
    f"mu {mu}, rate {rate}": {**_DIGITS, "mu": mu, "base_learning_rate": rate}
    for mu in (1.0, "auto")
    for rate in (0.2, 0.5, 1.0)
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", default="presets.jsonl", help="file of trials, which grows")
    parser.add_argument("--workers", type=int, default=2, help="trials at a time, a core each")
    parser.add_argument("--measure", action="store_true", help="the seconds of a step, and no more")
    parser.add_argument("--test", action="store_true", help="what was chosen, and no search")
    options = parser.parse_args()
    if options.test:
        _test(options)
    elif options.measure:
        for name, (_, settings) in CONTENDERS.items():
            print(f"{name}: {seconds_of_a_step(trial(data='trash', **settings)):.2f} s a step")
    else:
        trials = {name: _trial(*contender) for name, contender in CONTENDERS.items()}
        trials |= {f"digits, {name}": trial(**settings) for name, settings in OF_DIGITS.items()}
        results = run_trials(list(trials.values()), options.results, options.workers)
        for (name, one), result in zip(trials.items(), results, strict=True):
            print(f"| {name} | {one['steps']} | {scores(result)} |")
    print(machine("tensorflow", "keras"))


def _test(options):
    """What was chosen, its untrained self and the raw pixels on the test photos, over seeds."""
    chosen = _chosen(source=64, augment={"blur": 0.0})
    seeds = [{"part": "test", "seed": seed} for seed in (0, 1, 2)]
    rows = {
        ("trash", "laptop"): [{**_trial(0.31, chosen), **seed} for seed in seeds],
        ("trash", "untrained"): [{**_trial(0.0, chosen), **seed} for seed in seeds],
        ("trash", "raw pixels"): [{**_trial(0.0, chosen), **seeds[0], "pixels": True}],
    }
    results = iter(run_trials(sum(rows.values(), []), options.results, options.workers))
    table({name: [next(results) for _ in trials] for name, trials in rows.items()}, rows)


def _trial(seconds, settings):
    steps = 50 * round(BUDGET / seconds / 50) if seconds else 0
    return trial(data="trash", steps=steps, **settings)


if __name__ == "__main__":
    main()
