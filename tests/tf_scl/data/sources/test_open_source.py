import os
import pathlib
import subprocess
import sys

import pytest

from tf_scl.data.sources.folder_source import FolderSource
from tf_scl.data.sources.numpy_source import NumpySource
from tf_scl.data.sources.open_source import absolute, open_source
from tf_scl.data.sources.tfds_image_folder_source import TfdsImageFolderSource
from tf_scl.data.sources.tfds_source import TfdsSource
from tf_scl.data.sources.tfrecord_source import TfrecordSource
from tf_scl.data.sources.webdataset_source import WebdatasetSource
from tf_scl.errors import InputError


@pytest.mark.parametrize(
    "text,kind,location,options",
    [
        ("photos", FolderSource, "photos", {}),
        ("/a b/photos?x=1", FolderSource, "/a b/photos?x=1", {}),
        ("./odd:name", FolderSource, "./odd:name", {}),
        ("numpy:a.npz?images=x&labels=y", NumpySource, "a.npz", {"images": "x", "labels": "y"}),
        ("tfds:mnist", TfdsSource, "mnist", {}),
        ("tfds:d/c:1.0.0?split=train[:10%]+test", TfdsSource, "d/c:1.0.0", None),
        ("tfds:ImageFolder?data_dir=/d", TfdsImageFolderSource, "/d/train", {"data_dir": "/d"}),
        ("tfrecord:d/a-?????-of-00002", TfrecordSource, "d/a-?????-of-00002", {}),
        ("tfrecord:d/a-??.gz?class=c", TfrecordSource, "d/a-??.gz", {"class": "c"}),
        ("webdataset:gs://b/{000..010}.tar", WebdatasetSource, "gs://b/{000..010}.tar", {}),
    ],
)
def test_text_to_source(text, kind, location, options):
    source = open_source(text)
    assert type(source) is kind
    assert source.name == text
    assert source._location == location
    if options is not None:
        assert source._options == options


@pytest.mark.parametrize(
    "text,expected",
    [
        ("photos", "/here/photos"),
        ("/a b/photos?x=1", "/a b/photos?x=1"),
        ("numpy:a.npz?images=x&labels=y", "numpy:/here/a.npz?images=x&labels=y"),
        ("tfds:mnist:3.0.1?split=test", "tfds:mnist:3.0.1?split=test"),
        ("tfds:ImageFolder?data_dir=d&split=x", "tfds:ImageFolder?data_dir=/here/d&split=x"),
        ("tfrecord:d/a-??.gz?class=c", "tfrecord:/here/d/a-??.gz?class=c"),
        ("webdataset:gs://b/{000..010}.tar", "webdataset:gs://b/{000..010}.tar"),
    ],
)
def test_absolute(text, expected, monkeypatch):
    monkeypatch.setattr(os, "getcwd", lambda: "/here")
    assert absolute(text) == expected


def test_the_split_language_of_tfds_passes_through():
    source = open_source("tfds:mnist?split=train[:10%]+test&data_dir=/a b+c%20")
    assert source._options == {"split": "train[:10%]+test", "data_dir": "/a b+c%20"}


def test_the_home_folder_is_found():
    assert open_source("numpy:~/a.npy")._location == os.path.expanduser("~/a.npy")


def test_a_path_object_is_a_folder():
    assert open_source(pathlib.Path("photos")).name == "photos"


@pytest.mark.parametrize(
    "text,message",
    [
        ("gs://bucket/a", "'gs'; it must be one of numpy, tfds, tfrecord, webdataset.*'./gs://"),
        ("Numpy:a.npy", "unknown scheme, 'Numpy'"),
        ("numpy:", "'numpy:' names no data; write numpy:LOCATION"),
        ("tfds:?split=train", "names no data; write tfds:LOCATION"),
        ("numpy:a.npz?image=x", "the option 'image=x'.*the names are images, labels"),
        ("numpy:a.npz?images=x&images=y", "the option 'images=y'.*each once"),
        ("numpy:a.npz?images=x&labels", "the option 'labels'; options are written NAME=VALUE"),
        ("numpy:a.npz?images=", "the option 'images='"),
        ("tfds:mnist?images=x", "the names are split, data_dir, image, label"),
        ("tfds:ImageFolder?data_dir=/d&label=x", "the names are data_dir, split"),
        ("tfrecord:a?labels=x", "the names are image, label, class"),
        ("webdataset:a.tar?class=x", "the option 'class=x'.*and here there are none"),
        ("tfds:ImageFolder", r"names no folder; write tfds:ImageFolder\?data_dir=ROOT"),
        ("tfds:ImageFolder?split=test", r"write tfds:ImageFolder\?data_dir=ROOT"),
    ],
)
def test_text_that_names_no_source(text, message):
    with pytest.raises(InputError, match=message):
        open_source(text)


def test_nothing_heavy_is_imported():
    code = (
        "import sys, tf_scl, tf_scl.data.sources.open_source as module\n"
        "module.open_source('tfds:mnist')\n"
        "assert not {'tensorflow_datasets', 'apache_beam', 'tfx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
