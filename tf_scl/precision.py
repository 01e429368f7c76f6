"""Which number format the layers of a model compute in."""

import contextlib
import pathlib
from collections.abc import Iterator

import keras
import tensorflow as tf

AUTO = "auto"
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # of x86 processors, and of ARM's
_AMPERE = (8, 0)  # the first compute capability of NVIDIA's GPUs with bfloat16


def policy_name(precision: str) -> str:
    """The name of the Keras dtype policy that a precision stands for.

    Args:
        precision: "float32", "mixed_bfloat16", "mixed_float16"; or "auto", which
            is "mixed_bfloat16" where this machine multiplies in bfloat16 (GPUs
            from NVIDIA's Ampere on, TPUs, and without either processors with
            AVX512-BF16 or AMX), and else "float32".

    Returns:
        Str.
    """
    if precision != AUTO:
        return precision
    return "mixed_bfloat16" if _multiplies_in_bfloat16() else "float32"


@contextlib.contextmanager
def layers_in(precision: str) -> Iterator[None]:
    """Scope whose new layers have the policy of a precision, as `policy_name` takes it."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy_name(precision))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _multiplies_in_bfloat16() -> bool:
    if tf.config.list_logical_devices("TPU"):
        return True
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return all(one.get("compute_capability", (0, 0)) >= _AMPERE for one in details)
    return bool(_BFLOAT16_FLAGS & _processor_flags())


def _processor_flags(path: str = "/proc/cpuinfo") -> set[str]:
    """What the first processor can do, in the words of Linux; nothing elsewhere."""
    try:
        lines = pathlib.Path(path).read_text().splitlines()
    except OSError:
        return set()
    for line in lines:
        name, _, words = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return set(words.split())
    return set()
