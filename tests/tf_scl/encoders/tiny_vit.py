"""A vision transformer of Keras's own layers (Dosovitskiy et al., ICLR 2021), for tests."""

import keras


def tiny_vit(size=32, channels=3, patch=8, width=16, blocks=2, scale=1 / 127.5, offset=-1.0):
    """From images [N, size, size, channels], values 0..255, to features [N, width]."""
    tokens = (size // patch) ** 2
    images = keras.Input((size, size, channels))
    x = keras.layers.Rescaling(scale, offset)(images)
    x = keras.layers.Conv2D(width, patch, patch)(x)
    x = keras.layers.Reshape((tokens, width))(x)
    # With a bias of its own for each place: the embedding of positions.
    x = keras.layers.EinsumDense(
        "ntd,de->nte", (tokens, width), bias_axes="te", bias_initializer="random_normal"
    )(x)
    for _ in range(blocks):
        y = keras.layers.LayerNormalization()(x)
        x = x + keras.layers.MultiHeadAttention(2, width // 2)(y, y)
        y = keras.layers.LayerNormalization()(x)
        y = keras.layers.Dense(2 * width, activation="gelu")(y)
        x = x + keras.layers.Dropout(0.1)(keras.layers.Dense(width)(y))
    x = keras.layers.LayerNormalization()(x)
    return keras.Model(images, keras.layers.GlobalAveragePooling1D()(x), name="tiny_vit")
