"""What `make run` ends with, over several seeds of training: the digits, or a folder of yours.

    .venv/bin/python -m benchmarks.make_run
    .venv/bin/python -m benchmarks.make_run --data photos --seeds 0 1 2

Runs the pipeline itself, once a seed, and prints the tables of docs/benchmarks.md: accuracy
over the seeds, the 95 % interval of each gain on the evaluation images, and the minutes taken.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks._machine import machine
from tf_scl.dataclass_json import from_plain
from tf_scl.evaluation.results import Evaluation

ENCODERS = ("pretrained encoder", "untrained encoder", "raw pixels")
MEASURES = {
    "10 per class": lambda found: found.few_shot_probe.accuracy,
    "all labels": lambda found: found.linear_probe.accuracy,
    "kNN": lambda found: found.knn.accuracy,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="of make run; without it, the digits")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    data = ["--data", os.path.abspath(options.data)] if options.data else []
    runs = [_run(data, seed) for seed in options.seeds]
    print(f"\n| % | {' | '.join(MEASURES)} |")
    print("|---" * (len(MEASURES) + 1) + "|")
    for name in ENCODERS:
        cells = []
        for read in MEASURES.values():
            values = [100 * read(run.representations[name]) for run in runs]
            cells.append(f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}")
        print(f"| {name} | {' | '.join(cells)} |")
    for seed, run in zip(options.seeds, runs, strict=True):
        print(f"\nseed {seed}: {run.verdict.state}. {run.verdict.reason}")
        for check in run.checks:
            if check.baseline:
                print(f"- {check.name}: {check.state}; {check.text}")
    print(f"\n{machine('tensorflow', 'keras', 'tfx')}")


def _run(data, seed):
    with tempfile.TemporaryDirectory() as out:
        start = time.time()
        subprocess.run(
            [sys.executable, "-m", "pipeline.local_runner", "--out", out, *data]
            + ["--train.seed", str(seed)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        print(f"seed {seed}: {(time.time() - start) / 60:.1f} minutes", flush=True)
        with open(os.path.join(out, "summary.json")) as file:
            return from_plain(Evaluation, json.load(file)["evaluation"], file.name)


if __name__ == "__main__":
    main()
