import gzip
import io
import tarfile

import pytest
import tensorflow as tf

from tests.conftest import encode, photo
from tests.tf_scl.data.sources.read_all import read_all
from tf_scl.data.sources.open_source import open_source
from tf_scl.errors import InputError


def _tar(members, **options):
    """Bytes of a tar of (name, data) pairs."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _samples(first, last, suffix="jpg"):
    for number in range(first, last):
        yield f"{number:04d}.{suffix}", encode(photo(number), "JPEG")
        yield f"{number:04d}.cls", b"%d\n" % (number % 3)
        yield f"{number:04d}.json", b"{}"


def _read(path, *data, **options):
    path.write_bytes(b"".join(data))
    return read_all(open_source(f"webdataset:{path}"), **options)


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tgz"])
@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_every_sample_with_its_bytes_and_label(tmp_path, suffix, format):
    for shard in range(3):
        data = _tar(_samples(4 * shard, 4 * shard + 4), format=format)
        path = tmp_path / f"{shard:03d}.{suffix}"
        path.write_bytes(gzip.compress(data) if suffix != "tar" else data)
    source = open_source(f"webdataset:{tmp_path}/{{000..002}}.{suffix}")
    assert [unit.items for unit in source.units()] == [4, 4, 4]
    items = read_all(source)
    assert list(items) == [b"%03d.%s/%04d" % (n // 4, suffix.encode(), n) for n in range(12)]
    for number, item in enumerate(items.values()):
        assert item.data == encode(photo(number), "JPEG")
        assert (item.label, item.class_name) == (number % 3, b"%d" % (number % 3))


def test_keys_and_suffixes_are_those_of_webdataset(tmp_path):
    items = _read(
        tmp_path / "a.tar",
        _tar(
            [
                ("./v1.0/a.PNG", b"1"),
                ("./v1.0/b.seg.png", b"mask"),
                ("./v1.0/b.png", b"2"),
                ("./v1.0/b.jpg", b"second image"),
                ("README", b"no suffix"),
                ("./v1.0/._b.png", b"hidden"),
                ("c.webp", b"3"),
                ("d/c.tiff", b"4"),
                ("caf\udce9.gif", b"5"),
            ]
        ),
    )
    assert {name: item.data for name, item in items.items()} == {
        b"a.tar/./v1.0/a": b"1",
        b"a.tar/./v1.0/b": b"2",
        b"a.tar/c": b"3",
        b"a.tar/d/c": b"4",
        b"a.tar/caf\xe9": b"5",
    }
    assert {item.label for item in items.values()} == {None}


def test_tars_of_class_folders(tmp_path):
    """As `tar cf` makes them: with the folders themselves, and links."""
    (tmp_path / "in" / "cat").mkdir(parents=True)
    for number in range(4):
        (tmp_path / "in" / "cat" / f"{number}.png").write_bytes(b"%d" % number)
    (tmp_path / "in" / "cat" / "link.png").symlink_to("0.png")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "in" / "cat", "photos.d/cat")
    items = read_all(open_source(f"webdataset:{tmp_path}/a.tar"))
    names = {b"a.tar/photos.d/cat/%d" % number: b"%d" % number for number in range(4)}
    link = items.pop(b"a.tar/photos.d/cat/link")
    assert {name: item.data for name, item in items.items()} == names
    assert link.problem == ("cannot be read", "'photos.d/cat/link.png' is not a regular file")


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_text_labels_are_classes_over_all_tars(tmp_path, suffix):
    nouns = [b"dog", b"cat\n", b"", b"10a", b"9a", "é".encode(), b"cat"]
    for shard, part in enumerate((nouns[:4], nouns[4:])):
        members = [("caption.jpg", b"x"), ("caption.txt", b"a text that is no label")]
        for number, noun in enumerate(part):
            members += [(f"{number}.jpg", b"x"), (f"{number}.cls", noun)]
        data = _tar(members)
        path = tmp_path / f"{shard}.{suffix}"
        path.write_bytes(gzip.compress(data) if suffix != "tar" else data)
    items = read_all(open_source(f"webdataset:{tmp_path}/*.{suffix}"))
    assert {item.problem for item in items.values()} == {None}
    found = {name: (item.label, item.class_name) for name, item in items.items()}
    captions = [found.pop(name) for name in list(found) if name.endswith(b"caption")]
    assert captions == [(None, None)] * 2
    expected = [noun.strip() or None for noun in nouns]
    order = sorted({noun for noun in expected if noun})
    assert list(found.values()) == [(order.index(n) if n else None, n) for n in expected]


def test_a_text_that_is_too_long_for_a_label_is_none(tmp_path):
    members = [("a.jpg", b"x"), ("a.cls", b"cat"), ("b.jpg", b"x"), ("b.cls", b"word " * 300)]
    items = _read(tmp_path / "a.tar", _tar(members))
    assert (items[b"a.tar/a"].label, items[b"a.tar/a"].class_name) == (0, b"cat")
    assert "not a text that was listed" in items[b"a.tar/b"].problem[1]


def test_bad_samples_are_items_with_a_problem(tmp_path):
    members = [("a.cls", b"1"), ("b.jpg", b"x"), ("b.cls", b"dog"), *_samples(0, 3)]
    items = _read(tmp_path / "a.tar", _tar(members))
    assert len(items) == 5
    assert items[b"a.tar/a"].problem == ("cannot be read", "no image among its members, ['cls']")
    assert items[b"a.tar/b"].class_name == b"dog"  # where one label is text, all are
    assert sum(item.problem is None for item in items.values()) == 4


def test_one_number_among_texts_is_a_class_of_that_name(tmp_path):
    members = []
    for number, noun in enumerate([b"cat", b"7", b"dog", b"cat"]):
        members += [(f"{number}.jpg", b"x"), (f"{number}.cls", noun)]
    items = _read(tmp_path / "a.tar", _tar(members)).values()
    assert [(item.label, item.class_name) for item in items] == [
        *((1, b"cat"), (0, b"7"), (2, b"dog"), (1, b"cat"))
    ]


def test_large_images_are_not_read(tmp_path):
    members = [(f"{number}.jpg", bytes(number)) for number in (8, 9, 10, 11)]
    items = _read(tmp_path / "a.tar", _tar(members), max_bytes=9)
    problems = [item.problem and item.problem[0] for item in items.values()]
    assert problems == [None, None, "file too large", "file too large"]


@pytest.mark.parametrize(
    "cut,whole",
    [
        ("in the header of the image", 4),  # whether sample 4 was whole, nobody knows
        ("behind the header of the image", 5),
        ("in the image", 5),
        ("behind the image", 5),
        ("in the last member", 5),
        ("behind the last member", 5),
    ],
)
def test_a_truncated_tar_costs_its_last_sample(tmp_path, cut, whole):
    data = _tar(_samples(0, 6))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        image, label, last = tar.getmembers()[-3:]
    end = {
        "in the header of the image": image.offset + 100,
        "behind the header of the image": image.offset_data,
        "in the image": image.offset_data + 100,
        "behind the image": label.offset,
        "in the last member": last.offset_data + 1,
        "behind the last member": last.offset_data + 512,
    }[cut]
    items = list(_read(tmp_path / "a.tar", data[:end]).values())
    assert len(items) == whole + 1
    assert [item.data for item in items[:-1]] == [encode(photo(n), "JPEG") for n in range(whole)]
    assert items[-1].name == b"a.tar:%d" % whole
    assert items[-1].problem[0] == "cannot be read"


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_gzip_keeps_its_whole_samples(tmp_path, share):
    data = gzip.compress(_tar(_samples(0, 40)))
    items = list(_read(tmp_path / "a.tar.gz", data[: int(share * len(data))]).values())
    assert 40 * share - 8 < len(items) < 40 * share + 8
    assert [item.data for item in items[:-1]] == [
        encode(photo(n), "JPEG") for n in range(len(items) - 1)
    ]
    assert items[-1].problem[0] == "cannot be read"


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_a_damaged_header_is_not_taken_for_the_end(tmp_path, suffix):
    data = bytearray(_tar(_samples(0, 6)))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        offset = tar.getmembers()[3 * 4].offset  # of the fifth sample's image
    data[offset : offset + 512] = b"\xaa" * 512
    data = gzip.compress(data) if suffix == "tar.gz" else bytes(data)
    items = list(_read(tmp_path / f"a.{suffix}", data).values())
    assert [item.problem is None for item in items] == [True] * 3 + [False]
    assert "damaged" in items[-1].problem[1]


def test_a_flipped_bit_in_a_gzip_is_noticed(tmp_path):
    data = bytearray(gzip.compress(_tar(_samples(0, 40))))
    data[len(data) // 2] ^= 0x10
    items = list(_read(tmp_path / "a.tar.gz", data).values())
    assert items[-1].problem[0] == "cannot be read"
    readable = [item.data for item in items if item.problem is None]
    assert readable[:10] == [encode(photo(n), "JPEG") for n in range(10)]


def test_files_that_are_no_tar_are_one_problem_each(tmp_path):
    (tmp_path / "a.tar").write_bytes(_tar(_samples(0, 4)))
    (tmp_path / "b.tar").write_bytes(b"some text" * 1000)
    (tmp_path / "c.tar").write_bytes(b"")
    (tmp_path / "d.tar.gz").write_bytes(b"no gzip")
    items = read_all(open_source(f"webdataset:{tmp_path}/*"))
    assert [name for name, item in items.items() if item.problem] == [
        b"b.tar:0",
        b"c.tar:0",
        b"d.tar.gz:0",
    ]
    assert sum(item.problem is None for item in items.values()) == 4


def test_a_tar_that_vanished_is_a_problem_not_an_error(tmp_path):
    (tmp_path / "a.tar").write_bytes(_tar(_samples(0, 4)))
    source = open_source(f"webdataset:{tmp_path}/a.tar")
    (unit,) = source.units()
    (tmp_path / "a.tar").unlink()
    assert [item.problem[0] for item in source.read(unit, 2**30)] == ["cannot be read"] * 4


def test_places_that_only_tensorflow_knows():
    tf.io.gfile.makedirs("ram://tars")
    with tf.io.gfile.GFile("ram://tars/a.tar.gz", "wb") as file:
        file.write(gzip.compress(_tar(_samples(0, 4))))
    items = read_all(open_source("webdataset:ram://tars/*.tar.gz"))
    assert [item.data for item in items.values()] == [encode(photo(n), "JPEG") for n in range(4)]


def test_fingerprint_changes_with_the_files(tmp_path):
    source = open_source(f"webdataset:{tmp_path}/*.tar")
    (tmp_path / "a.tar").write_bytes(_tar(_samples(0, 4)))
    before = source.fingerprint()
    assert source.fingerprint() == before
    (tmp_path / "b.tar").write_bytes(_tar(_samples(4, 5)))
    assert source.fingerprint() != before


def test_no_samples(tmp_path):
    (tmp_path / "a.tar").write_bytes(_tar(_samples(0, 0)))
    with pytest.raises(InputError, match="holds no images"):
        open_source(f"webdataset:{tmp_path}/a.tar").units()


def test_a_missing_shard(tmp_path):
    (tmp_path / "000.tar").write_bytes(_tar(_samples(0, 4)))
    with pytest.raises(InputError, match="names no file: there is no '.*/001.tar'"):
        open_source(f"webdataset:{tmp_path}/{{000..001}}.tar").units()
