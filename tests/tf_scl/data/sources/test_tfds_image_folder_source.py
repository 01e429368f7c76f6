import numpy as np
import pytest
import tensorflow_datasets as tfds

from tests.conftest import encode, photo
from tests.tf_scl.data.sources.read_all import read_all
from tf_scl.data.sources.open_source import open_source
from tf_scl.errors import InputError


@pytest.fixture
def root(tmp_path):
    """Splits train and test; the class "ant" is in test alone."""
    number = 0
    for split, classes in {"train": ("bee", "cat"), "test": ("ant", "bee", "cat")}.items():
        for name in classes:
            for _ in range(3):
                path = tmp_path / "root" / split / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encode(photo(number)))
                number += 1
    return tmp_path / "root"


@pytest.mark.parametrize("split", ["train", "test"])
def test_as_tfds_reads_it(root, split):
    expected = {
        example["image/filename"].decode(): example
        for example in tfds.ImageFolder(str(root)).as_dataset(split=split).as_numpy_iterator()
    }
    items = read_all(open_source(f"tfds:ImageFolder?data_dir={root}&split={split}"))
    assert len(items) == len(expected)
    for item in items.values():
        path = root / split / item.name.decode()
        example = expected[str(path)]
        assert item.data == path.read_bytes()
        assert item.label == example["label"]
        assert item.class_name.decode() == path.parent.name
        np.testing.assert_array_equal(example["image"], photo(int(path.stem)))


def test_train_is_the_default_split(root):
    items = read_all(open_source(f"tfds:ImageFolder?data_dir={root}"))
    assert {item.class_name: item.label for item in items.values()} == {b"bee": 1, b"cat": 2}


def test_other_files_are_not_passed_over(root):
    (root / "train" / "bee" / "notes.txt").write_text("notes")
    (root / "train" / "bee" / "broken.png").symlink_to("nothing")
    items = read_all(open_source(f"tfds:ImageFolder?data_dir={root}"))
    assert items[b"bee/notes.txt"].data == b"notes"
    assert items[b"bee/broken.png"].problem[0] == "cannot be read"
    assert len(items) == 8


def test_fingerprint_is_of_the_split(root):
    train = open_source(f"tfds:ImageFolder?data_dir={root}")
    test = open_source(f"tfds:ImageFolder?data_dir={root}&split=test")
    before = train.fingerprint(), test.fingerprint()
    (root / "test" / "ant" / "new.png").write_bytes(b"x")
    assert train.fingerprint() == before[0]
    assert test.fingerprint() != before[1] != before[0]


def test_a_split_that_is_not_there(root):
    with pytest.raises(InputError, match=r"no split 'val' in '.*', but \['test', 'train'\]"):
        open_source(f"tfds:ImageFolder?data_dir={root}&split=val").units()


def test_a_root_that_is_not_there(root):
    with pytest.raises(InputError, match=r"no split 'train' in '.*/nowhere', but \[\]"):
        open_source(f"tfds:ImageFolder?data_dir={root}/nowhere").units()
