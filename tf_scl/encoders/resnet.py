"""Residual networks (He et al., CVPR 2016, arXiv 1512.03385, table 1).

Keras's own ResNets start with a stride-2 stem and a pool, which leaves 1 x 1
maps on a 32 x 32 image; hence a builder of our own, with both stems.
"""

from collections.abc import Sequence

import keras

from tf_scl import validation
from tf_scl.encoders.convolution import Conv2D
from tf_scl.encoders.resnet_sizes import DEPTHS, STEMS
from tf_scl.normalization import batch_normalization


def resnet(
    depth: int = 18,
    input_shape: tuple[int | None, int | None, int] = (32, 32, 3),
    stem: str = "cifar",
    width: int = 64,
    zero_init_residual: bool = False,
    mean: Sequence[float] = (123.675, 116.28, 103.53),
    std: Sequence[float] = (58.395, 57.12, 57.375),
) -> keras.Model:
    """Builds a ResNet without a classifier: images to pooled features.

    Args:
        depth: Int in `DEPTHS`.
        input_shape: (height, width, channels) of the images.
        stem: "cifar" (3x3, stride 1, no pool) or "imagenet" (7x7, stride 2, then a
            3x3 max-pool of stride 2).
        width: Int, channels of the first stage (64 in the paper).
        zero_init_residual: Bool, start each block as the identity by a zero
            gamma in its last normalization.
        mean: Floats, one for each channel, in units of pixel values 0..255.
            Defaults to ImageNet's, as in the recipes; their average is used
            where their number is not that of the channels.
        std: Likewise.

    Returns:
        `keras.Model` from images [N, height, width, channels] with values
        0..255 to float features [N, D], D = 8 * width (32 * width with
        bottlenecks).

    Raises:
        InputError: Unknown `depth` or `stem`.
    """
    validation.one_of("depth", depth, DEPTHS)
    validation.one_of("stem", stem, STEMS)
    blocks, bottleneck = DEPTHS[depth]
    images = keras.Input(input_shape, name="images")
    x = _standardize(images, input_shape[-1], mean, std)
    if stem == "cifar":
        x = _conv_bn(x, width, 3, 1)
        x = keras.layers.ReLU()(x)
    else:
        x = _conv_bn(x, width, 7, 2)
        x = keras.layers.ReLU()(x)
        x = keras.layers.ZeroPadding2D(1)(x)
        x = keras.layers.MaxPooling2D(3, 2)(x)
    for stage, repeats in enumerate(blocks):
        for repeat in range(repeats):
            stride = 2 if stage > 0 and repeat == 0 else 1
            x = _block(x, width * 2**stage, stride, bottleneck, zero_init_residual)
    features = keras.layers.GlobalAveragePooling2D(name="features", dtype="float32")(x)
    return keras.Model(images, features, name=f"resnet{depth}")


def _standardize(
    images: keras.KerasTensor, channels: int, mean: Sequence[float], std: Sequence[float]
) -> keras.KerasTensor:
    """(images - mean) / std, in float32 whatever the dtype policy."""
    if channels != len(mean):
        mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
    return keras.layers.Rescaling(
        [1.0 / s for s in std],
        [-m / s for m, s in zip(mean, std, strict=True)],
        dtype="float32",
        name="standardize",
    )(images)


def _block(
    x: keras.KerasTensor, width: int, stride: int, bottleneck: bool, zero_init_residual: bool
) -> keras.KerasTensor:
    out_width = width * (4 if bottleneck else 1)
    gamma = "zeros" if zero_init_residual else "ones"
    shortcut = x
    if stride != 1 or x.shape[-1] != out_width:
        shortcut = _conv_bn(x, out_width, 1, stride)
    # (kernel, stride, width) of each convolution; a bottleneck strides in its
    # 3x3 convolution, as torchvision's ("v1.5") does.
    if bottleneck:
        convolutions = [(1, 1, width), (3, stride, width), (1, 1, out_width)]
    else:
        convolutions = [(3, stride, width), (3, 1, width)]
    for kernel, step, channels in convolutions[:-1]:
        x = keras.layers.ReLU()(_conv_bn(x, channels, kernel, step))
    kernel, step, channels = convolutions[-1]
    x = _conv_bn(x, channels, kernel, step, gamma)
    return keras.layers.ReLU()(keras.layers.Add()([x, shortcut]))


def _conv_bn(
    x: keras.KerasTensor, channels: int, kernel: int, stride: int, gamma: str = "ones"
) -> keras.KerasTensor:
    if stride > 1 and kernel > 1:
        # "same" would pad one side only when the stride is 2; pad both, as the paper's code.
        x = keras.layers.ZeroPadding2D(kernel // 2)(x)
        padding = "valid"
    else:
        padding = "same"
    x = Conv2D(
        channels,
        kernel,
        stride,
        padding=padding,
        use_bias=False,
        kernel_initializer=keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
    )(x)
    return batch_normalization(gamma_initializer=gamma)(x)
