"""The MLP between the encoder and the loss."""

from collections.abc import Iterable

import keras

from tf_scl.models.dense import Dense
from tf_scl.normalization import batch_normalization


def projection_head(
    output_dim: int = 1000, hidden_dims: Iterable[int] = (2048,), name: str = "projector"
) -> keras.Sequential:
    """Dense-BN-ReLU blocks closed by Dense-BN, as in the official code.

    The defaults are those of its CIFAR-10 recipe: 512 -> 2048 -> 1000. Dense
    layers start as there, with PyTorch's initial weights and biases.

    Args:
        output_dim: Int, width d of the embedding that the loss sees.
        hidden_dims: Ints, widths of the hidden layers.
        name: Name of the returned model.

    Returns:
        `keras.Sequential` from features [N, D] to embeddings [N, output_dim].
    """
    stack = []
    for width in hidden_dims:
        stack += [
            Dense(width),
            batch_normalization(),
            keras.layers.ReLU(),
        ]
    stack += [Dense(output_dim), batch_normalization()]
    return keras.Sequential(stack, name=name)
