"""Set-up that every test shares."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Before numpy is imported: workers of pytest-xdist are as many as cores already, and threads that
# wait for one another take most of the time of a small product.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import gc
import io

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from tf_scl.augmentation.two_views import TwoViews
from tf_scl.encoders import resnet_sizes
from tf_scl.strategies import make_strategy

# Two logical CPU devices, so that a mirrored strategy has two replicas. This
# must come before TensorFlow is used at all.
# As few threads as can be: workers of pytest-xdist are as many as cores already.
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(2)  # two replicas wait for each other
_CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(_CPU, [tf.config.LogicalDeviceConfiguration()] * 2)


# Without what pays for long data only. Programs that tests start have it.
_AS_IT_IS = tf.data.Options()
_AS_IT_IS.experimental_optimization.apply_default_optimizations = False
# The end of an iterator that is tuned may also wait for its tuner, which sleeps as long as the
# iterator has lived: TensorFlow wakes it before it has noted that it is to end.
_AS_IT_IS.autotune.enabled = False
tf.data.Dataset._apply_debug_options = lambda self: self.with_options(_AS_IT_IS)


def pytest_configure(config):
    """Fast tests run graphs as traced: to optimize a small one takes longer than to run it."""
    if config.option.markexpr.startswith("not slow"):
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def pytest_collection_finish():
    """What is imported stays: no need to look for garbage among a million objects each time."""
    gc.collect()
    gc.freeze()


# Files that take minutes come first, so that no worker is left alone with one at the end.
_LONG = (
    *("test_export_applications.py", "test_faults.py", "test_end_to_end.py"),
    *("test_training.py", "test_checkpoint_and_resume.py", "test_pretrainer_and_evaluator.py"),
    *("test_accumulated_step.py", "test_methods.py", "test_cli.py", "test_two_view_model.py"),
)


def pytest_collection_modifyitems(items):
    """Long files first, in the order above; others as they were."""
    place = {name: number for number, name in enumerate(_LONG)}
    items.sort(key=lambda item: place.get(item.path.name, len(_LONG)))


def first_fast(cases, count=1):
    """Cases of a grid for `pytest.mark.parametrize`: the first for the fast tests, others slow.

    A case of several arguments is a tuple.
    """
    cases = list(cases)
    slow = [case if isinstance(case, tuple) else (case,) for case in cases[count:]]
    return [*cases[:count], *(pytest.param(*case, marks=pytest.mark.slow) for case in slow)]


def exhaustive_but(sample, cases):
    """Cases for `pytest.mark.parametrize`: those of a sample slow, the others exhaustive."""
    marks = {True: pytest.mark.slow, False: pytest.mark.exhaustive}
    return [pytest.param(case, marks=marks[case in sample]) for case in cases]


@pytest.fixture
def two_replicas():
    """A mirrored strategy over two logical CPU devices."""
    return make_strategy("mirrored")


@pytest.fixture
def one_replica():
    """A strategy with one replica."""
    return make_strategy("one_device")


# The section of a `Config` for an encoder that trains in seconds.
TINY_MODEL = {
    "image_size": 8,
    "depth": 10,
    "width": 4,
    "projector_hidden": (16,),
    "embedding_dim": 8,
}


def make_resnet_shallow(monkeypatch, stages=1):
    """Leaves ResNet-10 its first stages only, for tests to which a ResNet is any encoder."""
    monkeypatch.setitem(resnet_sizes.DEPTHS, 10, ((1,) * stages, False))


@pytest.fixture
def shallow_resnet(monkeypatch):
    make_resnet_shallow(monkeypatch)


def crops(size, **options):
    """Views by crop and flip alone: colors take most of the time of tracing `TwoViews`."""
    return TwoViews(size, jitter=0.0, grayscale=0.0, **options)


def encode(pixels, format="PNG", mode=None, **options):
    """Encoded bytes of an array or a PIL image."""
    image = PIL.Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, format, **options)
    return buffer.getvalue()


def photo(seed, height=24, width=32):
    """A smooth random color image, uint8 [height, width, 3]."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 4, 3), np.uint8)
    resized = PIL.Image.fromarray(small).resize((width, height), PIL.Image.BICUBIC)
    return np.asarray(resized)


def write_bright_and_dark(folder, count):
    """PNG images in the class folders `bright` and `dark`, which a probe tells apart."""
    for number in range(count):
        name = "bright" if number % 2 else "dark"
        (folder / name).mkdir(parents=True, exist_ok=True)
        pixels = photo(number) // 2 + (128 if number % 2 else 0)
        (folder / name / f"{number}.png").write_bytes(encode(pixels.astype(np.uint8)))


@pytest.fixture
def image_folder(tmp_path):
    """A folder of 24 PNG and 24 JPEG images in two class folders."""
    folder = tmp_path / "photos"
    for number in range(48):
        directory = folder / ("cat" if number < 24 else "dog")
        directory.mkdir(parents=True, exist_ok=True)
        png = number % 2 == 0
        data = encode(photo(number), "PNG" if png else "JPEG")
        (directory / f"{number:02d}.{'png' if png else 'jpg'}").write_bytes(data)
    return folder
