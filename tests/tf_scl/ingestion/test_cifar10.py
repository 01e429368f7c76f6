"""CIFAR-10 as 60,000 JPEG files, ingested and read back, where the archive is at hand."""

import collections
import hashlib
import io
import json
import os
import pathlib
import tarfile

import apache_beam as beam
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

from tf_scl.config import IngestConfig
from tf_scl.data import features
from tf_scl.data.input_pipeline import open_records, record_files
from tf_scl.data.sources.open_source import open_source
from tf_scl.images.decode import decode_batch
from tf_scl.ingestion import ingest

_ARCHIVE = pathlib.Path(__file__).parents[4] / "shared" / "data" / "cifar10-images.tar.xz"


@pytest.mark.exhaustive
@pytest.mark.skipif(not _ARCHIVE.exists(), reason=f"no {_ARCHIVE}")
def test_every_pixel_arrives(tmp_path):
    """Train and test part together, as CLASS/PART/file."""
    files, hashes = {}, collections.Counter()
    with tarfile.open(_ARCHIVE) as archive:
        for member in archive:
            if member.isfile():
                part, name, file = member.name.split("/")[-3:]
                path = f"{name}/{part}/{file}"
                files[path] = archive.extractfile(member).read()
                hashes[hashlib.sha256(files[path]).hexdigest()] += 1
                target = tmp_path / "images" / path
                os.makedirs(target.parent, exist_ok=True)
                target.write_bytes(files[path])
    assert len(files) == 60_000

    splits = {split: str(tmp_path / f"Split-{split}") for split in ingest.SPLITS}
    summary = ingest.ingest(
        lambda: beam.Pipeline(options=PipelineOptions(["--runner=DirectRunner"])),
        open_source(tmp_path / "images"),
        IngestConfig(),
        splits,
        str(tmp_path / "report"),
    )
    print(ingest.describe(summary))
    duplicates = sum(count - 1 for count in hashes.values())
    assert summary.files == 60_000
    assert summary.rejected == ({"duplicate": duplicates} if duplicates else {})
    lines = (tmp_path / "report" / "rejected.jsonl").read_text().splitlines()
    assert len({json.loads(line)["file"] for line in lines}) == duplicates

    seen = set()
    for directory in splits.values():
        for records in open_records(record_files(directory)).batch(500):
            pixels = decode_batch(features.parse_encoded(records), 32, 3).numpy()
            for record, got in zip(records.numpy(), pixels, strict=True):
                example = tf.train.Example.FromString(record).features.feature
                name = example["image/filename"].bytes_list.value[0].decode()
                assert (
                    example["image/class/text"].bytes_list.value[0].decode() == name.split("/")[0]
                )
                expected = PIL.Image.open(io.BytesIO(files[name])).convert("RGB")
                np.testing.assert_array_equal(got, np.asarray(expected))
                seen.add(name)
    assert len(seen) == 60_000 - duplicates
