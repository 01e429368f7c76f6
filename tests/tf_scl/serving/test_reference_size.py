import numpy as np
import pytest

from tf_scl.errors import InputError
from tf_scl.serving.reference import check_reference
from tf_scl.serving.reference_size import LEAST_IMAGES


def test_so_many_images_make_a_reference_and_one_less_does_not():
    images = np.zeros((LEAST_IMAGES, 8, 8, 3))
    assert len(check_reference(images, 3)) == LEAST_IMAGES
    with pytest.raises(InputError, match=f"at least {LEAST_IMAGES} images"):
        check_reference(images[1:], 3)
