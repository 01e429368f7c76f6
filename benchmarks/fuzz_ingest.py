"""Ingestion of a folder of good, bad and damaged images: what became of each file.

    .venv/bin/python -m benchmarks.fuzz_ingest --files 10000 --seed 0

Prints a table of the kinds of `tests/damaged_images.py` and of what became of
their files. Exits with status 1 unless every file that was listed is kept or
rejected, exactly once, good ones are kept and bad ones are not.
"""

import argparse
import collections
import json
import logging
import os
import sys
import tempfile
import time

import apache_beam as beam
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

from benchmarks._machine import machine
from tests.damaged_images import BAD, GOOD, KINDS, write_damaged_images
from tf_scl.config import IngestConfig
from tf_scl.data import features
from tf_scl.data.input_pipeline import open_records, record_files
from tf_scl.data.sources.open_source import open_source
from tf_scl.ingestion import ingest

_FLAGS = [
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    "--direct_running_mode=in_memory",
]
KEPT = "kept"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.getLogger("tf_scl").setLevel(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        images, out = os.path.join(folder, "images"), os.path.join(folder, "out")
        kinds = write_damaged_images(images, arguments.files, arguments.seed)
        start = time.monotonic()
        listed = _ingest(images, out)
        seconds = time.monotonic() - start
        outcomes = _outcomes(out)
    table = collections.Counter((kinds[path], outcome) for path, outcome in outcomes)
    _print_table(table)
    print(f"\n{listed:,} files listed, {table.total():,} accounted for, {seconds:.0f} s")
    print(f"seed {arguments.seed}; {machine('tensorflow', 'apache-beam', 'pillow')}")
    wrong = _wrong(table, kinds, outcomes, listed)
    print("\n".join(wrong) or "all as it should be")
    sys.exit(bool(wrong))


def _ingest(images, out):
    """Number of files that the ingestion listed."""
    summary = ingest.ingest(
        lambda: beam.Pipeline(options=PipelineOptions(_FLAGS)),
        open_source(images),
        IngestConfig(),
        {split: os.path.join(out, split) for split in ingest.SPLITS},
        os.path.join(out, "report"),
    )
    return summary.files


def _outcomes(out):
    """List of (path, outcome), an entry for each record and each rejection that was written."""
    outcomes = []
    for split in ingest.SPLITS:
        for record in open_records(record_files(os.path.join(out, split))):
            feature = tf.train.Example.FromString(record.numpy()).features.feature
            outcomes.append((feature[features.FILENAME].bytes_list.value[0], KEPT))
    with open(os.path.join(out, "report", ingest.REJECTED_FILE)) as lines:
        for rejected in map(json.loads, lines):
            outcomes.append((os.fsencode(rejected["file"]), rejected["reason"]))
    return outcomes


def _print_table(table):
    reasons = [KEPT, *sorted({outcome for _, outcome in table} - {KEPT})]
    print(f"| kind | {' | '.join(reasons)} | files |")
    print("|---" * (len(reasons) + 2) + "|")
    for kind in KINDS:
        counts = [table[kind, reason] for reason in reasons]
        print(f"| {kind} | {' | '.join(str(count or '') for count in counts)} | {sum(counts)} |")
    totals = [sum(table[kind, reason] for kind in KINDS) for reason in reasons]
    print(f"| all | {' | '.join(map(str, totals))} | {sum(totals)} |")


def _wrong(table, kinds, outcomes, listed):
    """Sentences on what is not as it should be."""
    wrong = []
    if not listed == len(kinds) == len(outcomes) == len(dict(outcomes)):
        wrong.append(
            f"{len(kinds)} files were written, {listed} listed; {len(outcomes)} entries of "
            f"{len(dict(outcomes))} files came out"
        )
    for (kind, outcome), count in table.items():
        good = outcome in (KEPT, ingest.DUPLICATE)
        if (kind in GOOD and not good) or (kind in BAD and good):
            wrong.append(f"{count} of kind '{kind}': {outcome}")
    return wrong


if __name__ == "__main__":
    main()
