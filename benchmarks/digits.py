"""Probe accuracy of `make run` on the digits, over several seeds.

    .venv/bin/python -m benchmarks.digits --seeds 0 1 2

Runs the pipeline itself, once a seed of training, and prints the table of the
README with versions and machine.
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

ENCODERS = ("pretrained encoder", "untrained encoder", "raw pixels")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    few = {name: [] for name in ENCODERS}
    whole = {name: [] for name in ENCODERS}
    for seed in seeds:
        results = _run(seed)
        for name in ENCODERS:
            few[name].append(100 * results[name]["probe_few"]["mean"])
            whole[name].append(100 * results[name]["probe_all"]["accuracy"])
    columns = " | ".join(f"seed {seed}" for seed in seeds)
    print(f"\n| linear probe, 10 labels per class (%) | {columns} | mean | std |")
    print("|---" * (len(seeds) + 3) + "|")
    for table, note in ((few, ""), (whole, ", all labels")):
        for name in ENCODERS:
            values = " | ".join(f"{value:.1f}" for value in table[name])
            mean, std = np.mean(table[name]), np.std(table[name], ddof=1)
            print(f"| {name}{note} | {values} | {mean:.1f} | {std:.1f} |")
    print(f"\n{machine('tensorflow', 'keras', 'tfx')}")


def _run(seed):
    with tempfile.TemporaryDirectory() as out:
        start = time.time()
        subprocess.run(
            [sys.executable, "-m", "pipeline.local_runner", "--out", out]
            + ["--train.seed", str(seed)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        print(f"seed {seed}: {time.time() - start:.0f} s", flush=True)
        with open(os.path.join(out, "summary.json")) as file:
            return json.load(file)["evaluation"]["representations"]


if __name__ == "__main__":
    main()
