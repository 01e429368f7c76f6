"""The MLP that predicts one view's embedding from the other's."""

import keras

from tf_scl.models.dense import Dense
from tf_scl.normalization import batch_normalization


def prediction_head(
    output_dim: int, hidden_dim: int = 512, name: str = "predictor"
) -> keras.Sequential:
    """Dense-BN-ReLU-Dense, the bottleneck of SimSiam (arXiv 2011.10566, section 3).

    Dense layers start with PyTorch's initial weights and biases, as there.

    Args:
        output_dim: Int, width d of the embeddings.
        hidden_dim: Int, width of the hidden layer; a quarter of d in the paper.
        name: Name of the returned model.

    Returns:
        `keras.Sequential` from [N, d] to [N, d].
    """
    hidden = [Dense(hidden_dim), batch_normalization(), keras.layers.ReLU()]
    return keras.Sequential([*hidden, Dense(output_dim)], name=name)
