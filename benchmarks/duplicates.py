"""`tf-scl duplicates` on photos: what its threshold finds of copies, and what it takes for some.

    .venv/bin/python -m benchmarks.duplicates

needs cifar10-images.tar.xz and trash-photos.tar.xz in ../shared/data. An encoder of each set is
pretrained as in benchmarks.methods by the spectral loss. Of the test images, on which it was not
trained, half give the threshold, as a SavedModel's reference does. Each image of the other half
is copied in the ways of `COPIES`, and a copy counts as found if its cosine to the image reaches
the threshold. Beside the encoder's vectors stand those of `tf_scl.ordered_encoder`.
"""

import argparse
import io

import numpy as np
import PIL.Image

from benchmarks._machine import machine
from benchmarks._photos import photos
from benchmarks._trials import embed, prepared
from benchmarks.methods import SOURCES, kept_spectral

DATA, ORDERED = ("cifar10", "trash"), 64


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoders", default="runs/duplicates", help="folder for the encoders")
    options = parser.parse_args()
    heads = [*COPIES, "another image"]
    print(f"| vectors | threshold | {' | '.join(heads)} |\n{'|---' * (len(heads) + 2)}|")
    for data in DATA:
        for name, cells in _measured(data, options.encoders).items():
            print(f"| {data}, {name} | {' | '.join(cells)} |", flush=True)
    print(f"\n{machine('tensorflow', 'keras', 'pillow')}")


def _measured(data, encoders):
    """Vectors -> threshold, and the share found of each kind of copy, as text."""
    from tf_scl.saving import load_model
    from tf_scl.serving.ordered import ordered_encoder
    from tf_scl.serving.reference import duplicate_cosine
    from tf_scl.unit_rows import unit_rows

    train, _, images, _ = photos(data, SOURCES[data], "test")
    encoder = load_model(kept_spectral(data, "test", encoders))
    size = encoder.input_shape[1]
    order = np.random.default_rng(0).permutation(len(images))[:2000]
    kept, asked = np.array_split(images[order], 2)
    kept = prepared(kept, size).astype(np.float32)
    found = {}
    for name, model in {
        "encoder": encoder,
        f"ordered, {ORDERED} numbers": ordered_encoder(encoder, train, ORDERED),
    }.items():

        def run(x, model=model):
            return model(x, training=False)

        threshold = duplicate_cosine(run, kept, embed(model, kept), size)
        rows = unit_rows(embed(model, prepared(asked, size)))
        shares = []
        for change in COPIES.values():
            copies = unit_rows(embed(model, prepared(np.stack([change(x) for x in asked]), size)))
            shares.append(np.mean(np.sum(rows * copies, axis=1) >= threshold))
        others = rows @ rows.T
        np.fill_diagonal(others, -1)
        shares.append(np.mean(others.max(axis=1) >= threshold))
        found[name] = [f"{threshold:.3f}", *(f"{100 * share:.1f} %" for share in shares)]
    return found


# Copies of an image, uint8 [S, S, C].


def _saved_again(image):
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "JPEG", quality=50)
    return np.asarray(PIL.Image.open(file))


def _smaller(image):
    side = len(image)
    small = PIL.Image.fromarray(image).resize((side * 3 // 4,) * 2, PIL.Image.Resampling.BILINEAR)
    return np.asarray(small.resize((side, side), PIL.Image.Resampling.BILINEAR))


def _cropped(image):
    """By a twentieth of its side, at the left and the top."""
    side = len(image)
    part = PIL.Image.fromarray(image[side // 20 or 1 :, side // 20 or 1 :])
    return np.asarray(part.resize((side, side), PIL.Image.Resampling.BILINEAR))


def _brighter(image):
    return np.minimum(image * 1.1, 255).astype(np.uint8)


def _mirrored(image):
    return image[:, ::-1]


COPIES = {
    "JPEG of quality 50": _saved_again,
    "three quarters of the size": _smaller,
    "cropped": _cropped,
    "a tenth brighter": _brighter,
    "mirrored": _mirrored,
}


if __name__ == "__main__":
    main()
