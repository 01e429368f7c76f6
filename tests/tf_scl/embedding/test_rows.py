import hashlib
import io

import numpy as np
import PIL.Image

from tests.conftest import encode, photo
from tf_scl.data.sources.source import Item
from tf_scl.embedding.rows import Row, check_item


def test_an_image_goes_on_as_it_is_with_what_is_known_of_it():
    data = encode(photo(1), "JPEG")
    row, encoded = check_item(Item(b"caf\xe9/\xc3\xa9.jpg", data, 3, b"caf\xe9"), 10**6)
    digest = hashlib.sha256(data).hexdigest()
    assert row == Row("caf\\xe9/é.jpg", digest, 3, "caf\\xe9")
    assert encoded == data
    assert check_item(Item(b"a", data), 10**6)[0] == Row("a", digest, None, None)


def test_pixels_become_a_png_of_them():
    pixels = photo(1)
    row, encoded = check_item(Item(b"images:0", pixels), 10**6)
    with PIL.Image.open(io.BytesIO(encoded)) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
    assert row.problem is None


def test_an_item_with_a_problem_has_it_still():
    row, encoded = check_item(Item(b"a", None, problem=("cannot be read", "gone")), 10**6)
    assert row == Row("a", None, None, None, ("cannot be read", "gone"))
    assert encoded is None


def test_what_cannot_be_used_has_the_reason():
    row, encoded = check_item(Item(b"a", b"text", 1, b"b"), 10**6)
    digest = hashlib.sha256(b"text").hexdigest()
    assert row == Row("a", digest, 1, "b", ("not an image", "it starts with b'text'"))
    assert encoded is None
    row, _ = check_item(Item(b"a", encode(photo(1, 40, 30))), 1000)
    assert row.problem == ("too many pixels", "30 x 40 is more than max_pixels = 1000")
