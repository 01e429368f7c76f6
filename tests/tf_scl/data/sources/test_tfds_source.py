import io
import socket
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds

from tests.conftest import encode, photo
from tests.tf_scl.data.sources.read_all import read_all
from tf_scl.data.sources import tfds_source
from tf_scl.data.sources.open_source import open_source
from tf_scl.errors import InputError


class SclPhotos(tfds.core.GeneratorBasedBuilder):
    """PNG and JPEG files in the splits train (30) and test (6), and features of other kinds."""

    VERSION = tfds.core.Version("1.2.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(),
            "label": tfds.features.ClassLabel(names=["ant", "bee", "cat"]),
            "number": np.int64,
            "depth": tfds.features.Image(shape=(None, None, 1), dtype=np.float32),
            "pixels": tfds.features.Tensor(shape=(4, 5, 3), dtype=np.uint8),
            "gray": tfds.features.Tensor(shape=(4, 5), dtype=np.uint8),
            "flat": tfds.features.Tensor(shape=(20,), dtype=np.uint8),
            "text": tfds.features.Text(),
            "several": tfds.features.Sequence(tfds.features.ClassLabel(names=["x", "y"])),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(0, 30), "test": self._generate_examples(30, 36)}

    def _generate_examples(self, first, last):
        for number in range(first, last):
            yield (
                number,
                {
                    "image": io.BytesIO(_encoded(number)),
                    "label": number % 4 - 1,
                    "number": number,
                    "depth": np.zeros((2, 2, 1), np.float32),
                    "pixels": _pixels(number),
                    "gray": _pixels(number)[..., 0],
                    "flat": np.zeros(20, np.uint8),
                    "text": ("dog", "cat", "", "ant")[number % 4],
                    "several": [0, 1],
                },
            )


def _encoded(number):
    return encode(photo(number), "PNG" if number % 2 else "JPEG")


def _pixels(number):
    return np.random.default_rng(number).integers(0, 256, (4, 5, 3)).astype(np.uint8)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A folder with the data set, in three files a split."""
    folder = tmp_path_factory.mktemp("tfds")
    config = tfds.download.DownloadConfig(num_shards=3)
    SclPhotos(data_dir=folder).download_and_prepare(download_config=config)
    return folder


def _numbers(data_dir, split):
    """The numbers of the examples in the order of the split."""
    data = SclPhotos(data_dir=data_dir).as_dataset(
        split=split, read_config=tfds.ReadConfig(interleave_cycle_length=1)
    )
    return [int(example["number"]) for example in data.as_numpy_iterator()]


def test_every_example_with_its_bytes_label_and_place(data_dir, monkeypatch):
    monkeypatch.setattr(tfds_source, "_EXAMPLES_PER_UNIT", 7)
    source = open_source(f"tfds:scl_photos?data_dir={data_dir}")
    assert [unit.items for unit in source.units()] == [7, 7, 7, 7, 2]
    items = read_all(source)
    assert list(items) == [b"train:%d" % index for index in range(30)]
    numbers = _numbers(data_dir, "train")
    assert sorted(numbers) == list(range(30)) != numbers
    for number, item in zip(numbers, items.values(), strict=True):
        assert item.data == _encoded(number)
        label = number % 4 - 1
        assert item.label == (None if label < 0 else label)
        assert item.class_name == (None if label < 0 else (b"ant", b"bee", b"cat")[label])


def test_decoded_it_is_what_tfds_decodes(data_dir):
    items = read_all(open_source(f"tfds:scl_photos?data_dir={data_dir}&split=test"))
    data = tfds.load("scl_photos", split="test", data_dir=data_dir)
    decoded = {int(e["number"]): e["image"] for e in data.as_numpy_iterator()}
    for number, item in zip(_numbers(data_dir, "test"), items.values(), strict=True):
        pixels = np.asarray(PIL.Image.open(io.BytesIO(item.data))).astype(int)
        assert np.abs(pixels - decoded[number]).max() <= (0 if number % 2 else 8)


@pytest.mark.parametrize(
    "split,names",
    [
        ("test", [f"test:{n}" for n in range(6)]),
        ("train[10:15]", [f"train:{n}" for n in range(10, 15)]),
        ("train[-4:]", [f"train:{n}" for n in range(26, 30)]),
        (
            "train[:10%]+test[50%:]",
            [f"train:{n}" for n in range(3)] + ["test:3", "test:4", "test:5"],
        ),
        ("all", [f"train:{n}" for n in range(30)] + [f"test:{n}" for n in range(6)]),
    ],
)
def test_splits_in_the_language_of_tfds(data_dir, split, names):
    items = read_all(open_source(f"tfds:scl_photos?data_dir={data_dir}&split={split}"))
    assert sorted(items) == sorted(name.encode() for name in names)
    train, test = _numbers(data_dir, "train"), _numbers(data_dir, "test")
    for name, item in items.items():
        numbers = train if name.startswith(b"train") else test
        assert item.data == _encoded(numbers[int(name.split(b":")[1])])


@pytest.mark.parametrize("image", ["pixels", "gray"])
def test_features_of_pixels(data_dir, image):
    source = open_source(f"tfds:scl_photos?data_dir={data_dir}&split=test&image={image}")
    items = read_all(source).values()
    for number, item in zip(_numbers(data_dir, "test"), items, strict=True):
        expected = _pixels(number) if image == "pixels" else _pixels(number)[..., 0]
        np.testing.assert_array_equal(item.data, expected)
        assert item.data.dtype == np.uint8


def test_a_number_as_label(data_dir):
    items = read_all(open_source(f"tfds:scl_photos?data_dir={data_dir}&split=test&label=number"))
    for number, item in zip(_numbers(data_dir, "test"), items.values(), strict=True):
        assert (item.label, item.class_name) == (number, b"%d" % number)


def test_a_text_as_label(data_dir, monkeypatch):
    monkeypatch.setattr(tfds_source, "_EXAMPLES_PER_UNIT", 7)
    items = read_all(open_source(f"tfds:scl_photos?data_dir={data_dir}&label=text"))
    expected = [(2, b"dog"), (1, b"cat"), (None, None), (0, b"ant")]
    for number, item in zip(_numbers(data_dir, "train"), items.values(), strict=True):
        assert (item.label, item.class_name) == expected[number % 4]


def test_a_label_that_is_no_single_number_is_left_out(data_dir):
    """Unless the user named it."""
    source = open_source(f"tfds:scl_photos?data_dir={data_dir}&split=test")
    source._label = "several"
    items = [item for unit in source.units() for item in source.read(unit, 2**30)]
    assert {(item.label, item.class_name) for item in items} == {(None, None)}


def test_large_images(data_dir):
    items = read_all(open_source(f"tfds:scl_photos?data_dir={data_dir}&split=test"), max_bytes=1000)
    for number, item in zip(_numbers(data_dir, "test"), items.values(), strict=True):
        large = len(_encoded(number)) > 1000
        assert (item.problem is not None and item.problem[0] == "file too large") == large
    assert {item.problem is None for item in items.values()} == {True, False}


def test_a_data_set_is_prepared_when_it_is_not_there(tmp_path):
    assert len(read_all(open_source(f"tfds:scl_photos:1.2.0?data_dir={tmp_path}"))) == 30
    assert (tmp_path / "scl_photos" / "1.2.0" / "dataset_info.json").exists()


@pytest.mark.slow
def test_a_prepared_folder_needs_no_code(data_dir):
    """In a process that knows no SclPhotos."""
    code = (
        "from tf_scl.data.sources.open_source import open_source\n"
        f"source = open_source('tfds:scl_photos:1.2.0?data_dir={data_dir}')\n"
        "print(sum(item.data is not None for u in source.units() for item in source.read(u, 9999)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split()[-1] == "30"


def test_a_truncated_file_costs_what_lies_behind_the_damage(tmp_path, data_dir):
    source = open_source(f"tfds:scl_photos?data_dir={tmp_path}")
    before = read_all(source)
    (path,) = (tmp_path / "scl_photos" / "1.2.0").glob("*train*tfrecord*")
    path.write_bytes(path.read_bytes()[:-3])
    after = read_all(source)
    assert list(after) == list(before)
    assert [item.problem is None for item in after.values()] == [True] * 29 + [False]
    assert after[b"train:29"].problem[0] == "cannot be read"
    assert all(after[b"train:%d" % n].data == before[b"train:%d" % n].data for n in range(29))


def test_fingerprint_changes_with_version_and_split(tmp_path, data_dir, monkeypatch):
    texts = [
        f"tfds:scl_photos?data_dir={data_dir}",
        f"tfds:scl_photos?data_dir={data_dir}&split=train[:20]",
        f"tfds:scl_photos?data_dir={data_dir}&split=test",
    ]
    seen = [open_source(text).fingerprint() for text in texts]
    monkeypatch.setattr(SclPhotos, "VERSION", tfds.core.Version("1.3.0"))
    seen.append(open_source(f"tfds:scl_photos?data_dir={tmp_path}").fingerprint())
    assert len(set(seen)) == 4
    assert open_source(f"tfds:scl_photos:1.2.0?data_dir={data_dir}").fingerprint() == seen[0]


@pytest.mark.parametrize(
    "options,message",
    [
        ("&split=val", r"split 'val' cannot be used: .*; the data set has \['test', 'train'\]"),
        ("&split=train[", r"split 'train\[' cannot be used"),
        ("&split=train[:99]", r"split 'train\[:99\]' cannot be used"),
        ("&split=all[:9]", r"split 'all\[:9\]' cannot be used"),
        ("&split=train[:0]", "holds no images"),
        ("&image=picture", r"image=picture must be an Image, .* has \{'depth': 'Image', 'flat'"),
        ("&image=depth", "image=depth must be an Image, or uint8 pixels"),
        ("&image=flat", "image=flat must be an Image"),
        ("&image=label", "image=label must be an Image"),
        ("&label=noun", "label=noun must be a ClassLabel, one whole number, or one text; the data"),
        ("&label=several", "label=several must be a ClassLabel"),
        ("&label=gray", r"label=gray must be a ClassLabel.*say which with \?label=NAME"),
    ],
)
def test_options_that_do_not_fit_the_data_set(data_dir, options, message):
    with pytest.raises(InputError, match=message) as caught:
        open_source(f"tfds:scl_photos?data_dir={data_dir}{options}").units()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["cifar11", "cifar10/nope", "cifar10:99.0.0", "a b"])
def test_data_sets_that_tfds_does_not_know(tmp_path, name):
    with pytest.raises(InputError, match=f"tensorflow-datasets cannot open '{name}': ") as caught:
        open_source(f"tfds:{name}?data_dir={tmp_path}").units()
    assert "\n" not in str(caught.value)


_NOT_THERE = (
    r"'tfds:cifar10' is not in '.*' and cannot be prepared \((\w+): .*\). This needs the internet"
    r".*tfds build cifar10.* give \?data_dir=FOLDER"
)


def test_without_internet_the_error_is_one_line_and_comes_at_once(tmp_path, monkeypatch):
    def no_name(*_):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setattr(tfds_source.urllib.request, "getproxies", dict)
    with pytest.raises(InputError, match=_NOT_THERE) as caught:
        open_source(f"tfds:cifar10?data_dir={tmp_path}").units()
    assert str(tmp_path) in str(caught.value)
    assert "(gaierror: [Errno -2] Name or service not known)" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("proxies", [{}, {"https": "http://proxy:8080"}])
def test_a_failed_download_is_one_line(tmp_path, monkeypatch, proxies):
    def fail(self):
        raise ConnectionError("no route to host\nand a long story")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    monkeypatch.setattr(tfds_source.urllib.request, "getproxies", lambda: proxies)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(InputError, match=_NOT_THERE) as caught:
        open_source(f"tfds:cifar10?data_dir={tmp_path}").fingerprint()
    assert "(ConnectionError: no route to host and a long story)" in str(caught.value)


def test_files_to_be_fetched_by_hand(tmp_path):
    with pytest.raises(InputError, match="'tfds:imagenet2012' is not in .*Manual directory") as e:
        open_source(f"tfds:imagenet2012?data_dir={tmp_path}").units()
    assert "\n" not in str(e.value)


def test_files_that_tf_data_cannot_read(tmp_path):
    SclPhotos(data_dir=tmp_path).download_and_prepare(file_format="array_record")
    with pytest.raises(InputError, match="stored as array_record.*--file_format=tfrecord"):
        open_source(f"tfds:scl_photos?data_dir={tmp_path}").units()


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match=r"'tfds:mnist' needs .*: pip install tf_scl\[tfds\]"):
        open_source("tfds:mnist").units()
