"""Names of types that several modules share, for annotations alone."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy.typing as npt

if TYPE_CHECKING:
    import tensorflow as tf

PathLike: TypeAlias = str | os.PathLike[str]

Array: TypeAlias = npt.NDArray[Any]
ArrayLike: TypeAlias = npt.ArrayLike  # what `numpy.asarray` takes
# A batch [N, H, W, C], values 0..255. Not with |, which a string has only with some types.
Images: TypeAlias = Union[Array, "tf.Tensor"]  # noqa: UP007

# The second part of what a function below `tf.custom_gradient` returns.
Gradient: TypeAlias = Callable[..., Any]

# An element of a data set: a tensor, or tuples, lists and dicts of them. Keras and tf.data know
# no type for it.
Element: TypeAlias = Any

Logs: TypeAlias = dict[str, Any]  # from the name of a metric to its value, as Keras reports them
