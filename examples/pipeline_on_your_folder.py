"""The whole pipeline on a folder of images: from files to an encoder that can be served.

    .venv/bin/python examples/pipeline_on_your_folder.py
    .venv/bin/python examples/pipeline_on_your_folder.py path/to/images --minutes 8

A minute or two on the CPU of a laptop, without network; TFX is needed, which `make env` installs.
Without a folder 600 images of disks, squares and crosses are drawn. Further flags are those of
`python -m pipeline.local_runner`. It ends with the pipeline's summary (images that were kept or
rejected, accuracies, the verdict, the report) and the embedding of an image by the SavedModel.
"""

import json
import pathlib
import subprocess
import sys

import numpy as np
import PIL.Image
import PIL.ImageDraw
import tensorflow as tf

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
OUT = pathlib.Path("runs/examples/pipeline").resolve()
SMALL = "--model.image_size 32 --model.width 16 --train.batch_size 96 --train.epochs 5".split()


def draw_images(folder, count=600):
    """Writes images FOLDER/KIND/NUMBER.png, RGB, 40 x 40, each of another place and color."""
    rng = np.random.default_rng(0)
    for number in range(count):
        image = PIL.Image.new("RGB", (40, 40), tuple(rng.integers(0, 100, 3).tolist()))
        draw, color = PIL.ImageDraw.Draw(image), tuple(rng.integers(130, 256, 3).tolist())
        (x, y), r = rng.integers(14, 26, 2).tolist(), int(rng.integers(7, 12))
        kind = ("disk", "square", "cross")[number % 3]
        if kind == "disk":
            draw.ellipse((x - r, y - r, x + r, y + r), color)
        elif kind == "square":
            draw.rectangle((x - r, y - r, x + r, y + r), color)
        else:
            draw.line((x - r, y, x + r, y), color, 4)
            draw.line((x, y - r, x, y + r), color, 4)
        (folder / kind).mkdir(parents=True, exist_ok=True)
        image.save(folder / kind / f"{number:03d}.png")
    return folder


if sys.argv[1:] and not sys.argv[1].startswith("--"):
    folder, flags = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
else:
    folder, flags = draw_images(OUT / "images"), [*SMALL, *sys.argv[1:]]
command = [sys.executable, "-m", "pipeline.local_runner", "--data", folder, "--out", OUT, *flags]
if status := subprocess.run(command, cwd=CHECKOUT).returncode:
    sys.exit(status)  # the pipeline has said why

model = tf.saved_model.load(json.loads((OUT / "summary.json").read_text())["model"])
image = next(path for path in folder.rglob("*") if path.suffix.lower() in (".png", ".jpg"))
embedding = model.signatures["serving_default"](tf.constant([image.read_bytes()]))["embedding"]
print(f"{image.name}: an embedding of {embedding.shape[1]} numbers, {embedding[0, :4].numpy()} ...")
