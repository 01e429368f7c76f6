import json

import pytest
import tensorflow as tf

from tf_scl.data import features
from tf_scl.images.check_image import CheckedImage
from tf_scl.ingestion import summary as ingest_summary


def test_the_sentence_holds_every_count():
    summary = ingest_summary.IngestSummary(
        "cats", 1204, {"train": 1000, "eval": 200}, {"duplicate": 3, "damaged": 1}, {}
    )
    assert ingest_summary.describe(summary) == (
        "1,204 found: 1,200 kept (1,000 train, 200 eval), 4 rejected (1 damaged; 3 duplicate)"
    )


def _write(tmp_path, labels):
    """Two records of each label in each split, and two rejected images."""
    splits = {}
    for split in ingest_summary.SPLITS:
        folder = tmp_path / split
        folder.mkdir()
        with tf.io.TFRecordWriter(str(folder / "data")) as writer:
            for name, label in [*labels.items()] * 2:
                image = CheckedImage(b"pixels", "png", 1, 1, 3)
                writer.write(features.encode_example(image, b"file", "ab", label, name))
        splits[split] = str(folder)
    rejected = tmp_path / "report" / ingest_summary.REJECTED_FILE
    rejected.parent.mkdir()
    rejected.write_text("".join(json.dumps({"reason": reason}) + "\n" for reason in ("b", "a")))
    return splits, str(rejected.parent)


def test_counts_are_those_of_the_files(tmp_path):
    written = _write(tmp_path, {b"zebra": 0, b"ant": 1, b"": None})
    summary = ingest_summary.count_written("cats", 14, *written)
    assert summary == ingest_summary.IngestSummary(
        "cats", 14, {"train": 6, "eval": 6}, {"a": 1, "b": 1}, {"zebra": 4, "ant": 4}
    )
    assert list(summary.classes) == ["zebra", "ant"]


def test_names_of_classes_need_not_be_text_and_no_image_is_lost_to_one_name(tmp_path):
    written = _write(tmp_path, {b"caf\xe9": 0, b"caf\\xe9": 1})
    summary = ingest_summary.count_written("cats", 10, *written)
    assert summary.classes == {"caf\\xe9": 8}


@pytest.mark.parametrize("listed", [13, 15])
def test_counts_that_do_not_add_up_are_an_error(tmp_path, listed):
    written = _write(tmp_path, {b"zebra": 0, b"ant": 1, b"": None})
    with pytest.raises(RuntimeError, match=f"{listed} images were listed but 14"):
        ingest_summary.count_written("cats", listed, *written)


@pytest.mark.parametrize("gray,said", [(10, True), (9, False), (0, False)])
def test_that_all_images_are_gray_is_said(gray, said):
    kept = {"train": 8, "eval": 2}
    sentence = ingest_summary.describe_gray(
        ingest_summary.IngestSummary("cats", 10, kept, {}, {}, gray)
    )
    expected = "all 10 images are gray, for which model.channels 1 is enough"
    assert sentence == (expected if said else None)
