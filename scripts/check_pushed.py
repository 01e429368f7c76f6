"""Does a pushed SavedModel, in an environment with TensorFlow alone, equal the Keras encoder?

check_pushed.py write ENCODER.keras FILE.json   where Keras and tf_scl are
check_pushed.py read SAVED_MODEL FILE.json      where TensorFlow is
"""

import base64
import json
import sys

import tensorflow as tf

TOLERANCE = 1e-5


def write(encoder_path, path):
    """Notes some encoded images and what the Keras encoder makes of their pixels."""
    import io

    import numpy as np
    import PIL.Image

    import tf_scl
    from tf_scl.images.decode import decode_image, fit_to_square

    encoder = tf_scl.load_model(encoder_path)
    _, size, _, channels = encoder.input_shape
    cases = []
    for number, (height, width) in enumerate([(size, size), (8, 8), (40, 30)] * 2):
        pixels = np.random.default_rng(number).integers(0, 256, (height, width)).astype(np.uint8)
        for format in ("PNG", "JPEG"):
            buffer = io.BytesIO()
            PIL.Image.fromarray(pixels).save(buffer, format)
            fitted = tf.round(fit_to_square(decode_image(buffer.getvalue(), channels), size))
            embedding = encoder(fitted[None], training=False)[0]
            encoded = base64.b64encode(buffer.getvalue()).decode()
            cases.append(
                {"format": format, "image": encoded, "embedding": embedding.numpy().tolist()}
            )
    with open(path, "w") as file:
        json.dump(cases, file)


def read(saved_model, path):
    """Embeds the same bytes with the SavedModel; exits 1 where they differ."""
    model = tf.saved_model.load(saved_model)
    with open(path) as file:
        cases = json.load(file)
    encoded = tf.constant([base64.b64decode(case["image"]) for case in cases])
    embeddings = model.signatures["serving_default"](encoded)["embedding"]
    expected = tf.constant([case["embedding"] for case in cases])
    worst = float(tf.reduce_max(tf.abs(embeddings - expected)))
    formats = sorted({case["format"] for case in cases})
    loaded = sorted({"keras", "tf_scl", "tfx", "apache_beam"} & set(sys.modules))
    print(f"{len(cases)} images ({', '.join(formats)}): largest difference {worst:.1e}")
    print(f"tensorflow {tf.__version__}; of keras, tf_scl, tfx, apache_beam loaded: {loaded}")
    return worst <= TOLERANCE


if __name__ == "__main__":
    command, source, target = sys.argv[1:]
    sys.exit(0 if {"write": write, "read": read}[command](source, target) is not False else 1)
