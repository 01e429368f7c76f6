"""Dense layers that start as PyTorch's do."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="tf_scl")
class Dense(keras.layers.Dense):
    """`keras.layers.Dense` with the initial weights of `torch.nn.Linear`.

    Kernel and bias are drawn from U(-1 / sqrt(D), 1 / sqrt(D)), D being the
    width of the input: what `kaiming_uniform_(a=sqrt(5))` comes to. Keras's
    defaults are Glorot's kernel, whose standard deviation in the projector of
    the CIFAR-10 recipe is 1.1 and 2.0 times that, and a bias of zeros.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html.

    Args:
        units: Int, width of the output.
        kwargs: As in Keras, but for the two initializers, which are fixed.

    Input shape: [..., D]. Output shape: [..., units].
    """

    def build(self, input_shape: tuple[Any, ...]) -> None:
        limit = input_shape[-1] ** -0.5
        self.kernel_initializer = keras.initializers.RandomUniform(-limit, limit)
        self.bias_initializer = keras.initializers.RandomUniform(-limit, limit)
        super().build(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["kernel_initializer"], config["bias_initializer"]
        return config
