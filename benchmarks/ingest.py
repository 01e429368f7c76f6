"""Speed of the Beam ingestion: one worker process, two, and a plain loop.

    .venv/bin/python -m benchmarks.ingest [--data FOLDER]

Without a folder, on 9,000 generated JPEG files of 500 x 375 pixels.
The plain loop reads, checks, hashes and writes the same records in one process
without Beam. Each way runs in a process of its own, they take turns, and
ratios are those of the same round. The workers' start is measured on 40
images and taken out: "images/s" are those of the work itself.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time

from benchmarks._machine import machine

WAYS = ("plain loop", "in this process", "1 worker process", "2 worker processes")
SEED = 0
PHOTOS = 9000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", help="folder of images")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print(f"seed {SEED}; {machine('tensorflow', 'apache-beam', 'pillow')}; load {os.getloadavg()}")
    with tempfile.TemporaryDirectory() as folder:
        few = os.path.join(folder, "few")
        _write_images(few, 40, (32, 32), "png")
        if args.data is None:
            args.data = os.path.join(folder, "photos")
            _write_images(args.data, PHOTOS, (500, 375), "jpg")
        times = {way: [] for way in WAYS}
        for _ in range(args.rounds):
            for way in WAYS:
                start, _ = _seconds(way, few, folder)
                whole, summary = _seconds(way, args.data, folder)
                times[way].append((start, whole - start))
        _print_table(times, summary)


def _print_table(times, summary):
    images = summary["files"]
    print(f"\n{images:,} files: kept {summary['kept']}, rejected {summary['rejected']}\n")
    print("| way | start, s | images, s | images/s | speed / 1 worker | speed / plain loop |")
    print("|---" * 6 + "|")
    for way, rounds in times.items():
        start, work = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratios = [
            statistics.median(
                theirs / ours for (_, theirs), (_, ours) in zip(times[rival], rounds, strict=True)
            )
            for rival in ("1 worker process", "plain loop")
        ]
        cells = [
            f"{start:.1f}",
            f"{work:.1f}",
            f"{images / work:,.0f}",
            *(f"{r:.2f}" for r in ratios),
        ]
        print(f"| {way} | {' | '.join(cells)} |")


def _write_images(folder, count, size, suffix):
    """Smooth colors with some noise, in two class folders."""
    import numpy as np
    import PIL.Image

    rng = np.random.default_rng(SEED)
    for number in range(count):
        directory = os.path.join(folder, f"class{number % 2}")
        os.makedirs(directory, exist_ok=True)
        small = PIL.Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8))
        pixels = np.asarray(small.resize(size, PIL.Image.BICUBIC), np.int16)
        noisy = np.clip(pixels + rng.integers(-12, 13, pixels.shape), 0, 255)
        path = os.path.join(directory, f"{number:05d}.{suffix}")
        PIL.Image.fromarray(noisy.astype(np.uint8)).save(path)


def _seconds(way, data, folder):
    """(Seconds, summary) of an ingestion, in a new process."""
    out = tempfile.mkdtemp(dir=folder)
    answers = multiprocessing.get_context("spawn").SimpleQueue()
    process = multiprocessing.get_context("spawn").Process(
        target=_ingest, args=(way, data, out, answers)
    )
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{way} ended with {process.exitcode}")
    seconds = answers.get()
    with open(os.path.join(out, "report", "summary.json")) as file:
        summary = json.load(file)
    shutil.rmtree(out)
    return seconds, summary


def _ingest(way, data, out, answers):
    from tf_scl.config import IngestConfig
    from tf_scl.data.sources.open_source import absolute, open_source
    from tf_scl.ingestion import ingest
    from tf_scl.ingestion import summary as ingest_summary

    source, config = open_source(absolute(data)), IngestConfig()
    splits = {split: os.path.join(out, f"Split-{split}") for split in ingest_summary.SPLITS}
    report = os.path.join(out, "report")
    start = time.perf_counter()
    if way == "plain loop":
        _loop(source, config, splits, report)
    else:
        ingest.ingest(lambda: _pipeline(way), source, config, splits, report)
    answers.put(time.perf_counter() - start)


def _pipeline(way):
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    workers = way.split()[0]
    mode = "in_memory" if way == "in this process" else "multi_processing"
    return beam.Pipeline(
        options=PipelineOptions(
            [
                "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
                f"--direct_running_mode={mode}",
                f"--direct_num_workers={workers if workers.isdigit() else 1}",
            ]
        )
    )


def _loop(source, config, splits, report):
    """The same checks and the same records, in the order of the source."""
    import tensorflow as tf

    from tf_scl.data import features
    from tf_scl.images.check_image import RejectedImageError, check_image
    from tf_scl.images.content_hash import split_of
    from tf_scl.ingestion import summary as ingest_summary

    for folder in (*splits.values(), report):
        os.makedirs(folder)
    writers = {
        split: tf.io.TFRecordWriter(os.path.join(folder, "data_tfrecord-00000-of-00001"))
        for split, folder in splits.items()
    }
    seen, rejected = set(), []
    for unit in source.units():
        for item in source.read(unit, config.max_megabytes * 2**20):
            if item.problem:
                rejected.append((item.name, *item.problem))
                continue
            sha256 = hashlib.sha256(item.data).hexdigest()
            try:
                image = check_image(item.data, config.max_pixels)
            except RejectedImageError as error:
                rejected.append((item.name, error.reason, error.detail))
                continue
            if sha256 in seen:
                rejected.append((item.name, ingest_summary.DUPLICATE, ""))
                continue
            seen.add(sha256)
            split = split_of(sha256, config.eval_fraction)
            writers[split].write(
                features.encode_example(image, item.name, sha256, item.label, item.class_name)
            )
    for writer in writers.values():
        writer.close()
    with open(os.path.join(report, ingest_summary.REJECTED_FILE), "w") as file:
        for name, reason, detail in rejected:
            line = {"file": os.fsdecode(name), "reason": reason, "detail": detail}
            file.write(json.dumps(line) + "\n")
    items = sum(unit.items for unit in source.units())
    summary = ingest_summary.count_written(source.name, items, splits, report)
    with open(os.path.join(report, ingest_summary.SUMMARY_FILE), "w") as file:
        json.dump(vars(summary), file)


if __name__ == "__main__":
    main()
