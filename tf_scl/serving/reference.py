"""What a SavedModel keeps of the images it was made for: embeddings of a sample of them."""

import io
import os
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tf_scl.augmentation.two_views import TwoViews
from tf_scl.data.input_pipeline import first_images
from tf_scl.errors import InputError, file_reason, first_sentence
from tf_scl.files import read_file
from tf_scl.images.pixel_range import require_pixels
from tf_scl.serving.reference_size import LEAST_IMAGES
from tf_scl.typing import Array, Images
from tf_scl.unit_rows import unit_rows

REFERENCE_FILE = os.path.join("assets.extra", "tf_scl_reference.npy")
REFERENCE_IMAGES = 1000  # at most
_COPIES_FOUND = 0.95  # share of copies, each cropped by up to a tenth, above the threshold
OTHERS = 0.99  # share of images whose nearest other one is to be below it


def reference_images(files: Sequence[str], size: int, channels: int) -> Array | None:
    """The images of record files that a model is to keep, uint8 [n, size, size, channels].

    Args:
        files: List of TFRecord paths, of images that the encoder was not trained on.
        size: Int, side in pixels.
        channels: 1 or 3.

    Returns:
        1,000 images at most; None where there are too few.
    """
    images = first_images(files, REFERENCE_IMAGES, size, channels)
    return images if len(images) >= LEAST_IMAGES else None


def check_reference(images: Images, channels: int) -> Array:
    """The images of a reference as an array, no more of them than are kept; of more a sample.

    Args:
        images: Array-like [N, H, W, C], values 0..255.
        channels: Int C of the encoder.

    Raises:
        InputError: Another shape, fewer than 20 images, or values of another range.
    """
    array = np.asarray(images)
    if array.ndim != 4 or array.shape[3] != channels or len(array) < LEAST_IMAGES:
        raise InputError(
            f"`reference` must be at least {LEAST_IMAGES} images [N, H, W, {channels}] that the "
            f"encoder was not trained on. Received: {array.shape}"
        )
    require_pixels("reference", array)
    if len(array) > REFERENCE_IMAGES:  # they may be sorted by class
        chosen = np.random.default_rng(0).choice(len(array), REFERENCE_IMAGES, replace=False)
        array = array[np.sort(chosen)]
    return array.astype(np.float32)


def duplicate_cosine(
    embed: Callable[[tf.Tensor], tf.Tensor], images: Array, embeddings: Array, size: int
) -> float:
    """The cosine from which on two images count as copies of one.

    It is such that of copies, cropped by up to a tenth of their area at random, 95 % are found;
    or higher, if need be, so that 99 % of the images have no other image above it.

    Args:
        embed: From float32 [N, S, S, C] to float32 [N, D].
        images: float32 [N, H, W, C], values 0..255.
        embeddings: float32 [N, D], theirs.
        size: Int S.
    """
    crop = TwoViews(size, (0.9, 1.0), flip=0.0, jitter=0.0, grayscale=0.0, blur=0.0)
    copies = embed(crop.pair(tf.constant(images), tf.constant([0, 0]))[0]).numpy()
    rows, others = unit_rows(embeddings), unit_rows(copies)
    of_copies = np.sum(rows * others, axis=1)
    of_others = rows @ rows.T
    np.fill_diagonal(of_others, -1.0)
    found = np.quantile(of_copies, 1 - _COPIES_FOUND)
    apart = np.quantile(of_others.max(axis=1), OTHERS)
    return float(min(max(found, apart), 1.0))


def count_pairs(embeddings: Array, cosine: float) -> int:
    """Number of pairs of images whose cosine is at a value or above.

    Args:
        embeddings: float32 [N, D].
        cosine: Float.
    """
    rows = unit_rows(embeddings)
    return int(np.count_nonzero(np.triu(rows @ rows.T >= cosine, 1)))


def reference_bytes(embeddings: Array) -> bytes:
    """The content of `REFERENCE_FILE`."""
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(embeddings, np.float32), allow_pickle=False)
    return buffer.getvalue()


def read_reference(model: str) -> npt.NDArray[np.float32]:
    """The embeddings that a SavedModel keeps, float32 [N, D] with N >= 20, all finite.

    Args:
        model: Folder of the SavedModel, local or remote.

    Raises:
        InputError: It keeps none, or the file cannot be read or is damaged.
    """
    path = os.path.join(model, REFERENCE_FILE)
    try:
        content = read_file(path) if tf.io.gfile.exists(path) else None
    except (OSError, tf.errors.OpError) as error:
        raise InputError(
            f"cannot read {path!r}: {file_reason(error)}; make it readable, or export the model "
            "again"
        ) from error
    if content is None:
        raise InputError(
            f"the model {model!r} keeps no embeddings to compare with; `make run` writes them, and "
            "tf_scl.export_saved_model does where it is given `reference`, images that the encoder "
            "was not trained on"
        )
    try:
        return _embeddings(content)
    except Exception as error:  # numpy raises all kinds on damage
        raise InputError(
            f"{path!r} is damaged ({first_sentence(error)}); export the model again"
        ) from error


def _embeddings(content: bytes) -> npt.NDArray[np.float32]:
    """What `reference_bytes` were made of; raises what numpy does, or ValueError."""
    found: Array = np.load(io.BytesIO(content), allow_pickle=False)
    if not isinstance(found, np.ndarray):  # numpy has archives too
        raise ValueError("it is no array")
    if found.ndim != 2 or found.dtype != np.float32 or len(found) < LEAST_IMAGES:
        raise ValueError(f"it holds {found.dtype} {found.shape}")
    if not np.isfinite(found).all():
        raise ValueError("it holds values that are not finite")
    return found
