"""The two sets of real photos, and the digits, that methods and recipes are compared on.

The photos are read from archives beside the checkout. The test images are looked at once, by
what was chosen on a part of the training images.
"""

import functools
import io
import pathlib
import tarfile

import numpy as np
import PIL.Image

DATA = pathlib.Path(__file__).parents[2] / "shared" / "data"
DATA_SETS = ("cifar10", "trash")
CIFAR = "cifar10-images.tar.xz"
_SMOOTH = PIL.Image.Resampling.BILINEAR
# Of the training images, and as many to test on.
_CIFAR_PER_CLASS = {"cifar10": 400, "cifar10-large": 2000}
_TRASH_TEST, _DIGITS_TEST = 500, 360


def photos(name, side, part):
    """Images to train on and images to judge by.

    Args:
        name: "cifar10" (4,000 training and 4,000 test images, the first of each class),
            "cifar10-large" (20,000 and 10,000), "trash" (2,527 photos of six kinds of
            waste; 500 of them are for the test) or "digits" (scikit-learn's 1,797, gray,
            360 for the test).
        side: Int, pixels. CIFAR-10 has 32 and no other.
        part: "test", or "validation": a quarter of the training images judges the rest.

    Returns:
        (images uint8 [N, side, side, C], labels int [N], the same two to judge by).
    """
    train, labels, test, truth = _loaded(name, side)
    if part == "test":
        return train, labels, test, truth
    order = np.random.default_rng(1).permutation(len(labels))
    held, rest = np.split(order, [len(order) // 4])
    return train[rest], labels[rest], train[held], labels[held]


@functools.lru_cache(maxsize=2)
def _loaded(name, side):
    if name in _CIFAR_PER_CLASS:
        of_each = _CIFAR_PER_CLASS[name]
        return *_cifar("train", of_each), *_cifar("test", of_each)
    if name == "digits":
        (images, labels), held = _digits(side), _DIGITS_TEST
    else:
        images, labels = _decoded(files_of("trash-photos.tar.xz", "photos/"), side)
        held = _TRASH_TEST
    order = np.random.default_rng(0).permutation(len(labels))
    test, train = np.split(order, [held])
    return images[train], labels[train], images[test], labels[test]


def _cifar(part, per_class):
    files = files_of(CIFAR, f"{part}/")
    images, labels = _decoded(files, 32)
    classes = range(labels.max() + 1)
    rows = np.concatenate([np.flatnonzero(labels == label)[:per_class] for label in classes])
    return images[rows], labels[rows]


def _digits(side):
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
    images = [PIL.Image.fromarray(image).resize((side, side), _SMOOTH) for image in pixels]
    return np.stack([np.asarray(image)[..., None] for image in images]), digits.target


def files_of(archive, below):
    """Bytes by path, sorted by it, of the files of an archive of `DATA` below a folder."""
    # In the archive's own order: to go back in it is to unpack it again from its start.
    with tarfile.open(DATA / archive) as opened:
        found = {
            member.name: opened.extractfile(member).read()
            for member in opened
            if member.isfile() and member.name.startswith(below)
        }
    return dict(sorted(found.items()))


def _decoded(files, side):
    """Images uint8 [N, side, side, 3], and the numbers of their folders [N]."""
    folders = sorted({path.split("/")[-2] for path in files})
    images = [_square(PIL.Image.open(io.BytesIO(data)), side) for data in files.values()]
    return np.stack(images), np.array([folders.index(path.split("/")[-2]) for path in files])


def _square(image, side):
    short = min(image.size)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    square = image.convert("RGB").crop((left, top, left + short, top + short))
    return np.asarray(shrunk(square, side))


def shrunk(image, side):
    """A square PIL image of another side, mostly a smaller one."""
    if image.width == side:
        return image
    smaller = side < image.width
    return image.resize((side, side), PIL.Image.Resampling.BOX if smaller else _SMOOTH)
