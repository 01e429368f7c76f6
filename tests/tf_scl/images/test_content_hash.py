import hashlib

import numpy as np

from tf_scl.images.content_hash import content_sha256, file_sha256, split_of


def test_of_a_file_it_is_what_sha256sum_prints():
    assert content_sha256(b"abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_a_file_is_read_in_parts(tmp_path):
    data = np.random.default_rng(0).bytes(2**20 + 7)  # more than one
    (tmp_path / "file").write_bytes(data)
    assert file_sha256(str(tmp_path / "file")) == content_sha256(data)


def test_pixels_of_another_shape_are_another_image():
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    digests = {content_sha256(one) for one in (pixels, pixels.copy(), pixels.reshape(6, 4))}
    assert len(digests) == 2


def test_the_split_is_a_share_of_all_hashes():
    assert split_of("0" * 64, 0.01) == "eval"
    assert split_of("f" * 64, 0.99) == "train"
    assert split_of("7" + "f" * 63, 0.5) == "eval"
    assert split_of("8" + "0" * 63, 0.5) == "train"
    splits = [split_of(hashlib.sha256(b"%d" % i).hexdigest(), 0.2) for i in range(5000)]
    assert abs(splits.count("eval") - 1000) < 4 * (5000 * 0.2 * 0.8) ** 0.5
