"""Embeddings per second of a SavedModel, beside onnxruntime on the same network.

    .venv/bin/python -m benchmarks.serving --rounds 10

The encoder is that of the CIFAR-10 recipe, ResNet-18 on 32 x 32 pixels, with
two threads. The SavedModel is called in-process, without a server's network
and JSON: encoded bytes, uint8 and float32 images. onnxruntime runs the same
weights on float32 images, and on bytes that PIL decodes for it one by one. Of
each batch size every contender is a process of its own; they take turns, one
at work while the others sleep, and ratios are those of the same round. Each
turn begins with a request that is not counted.

TensorFlow runs with TF_ONEDNN_ASSUME_FROZEN_WEIGHTS=1, as docs/how-to/serve.md
advises for servers: kernels are brought into oneDNN's layout once, and not at
each request. `--plain` leaves it out.
"""

import argparse
import io
import os
import statistics
import sys
import tempfile

import numpy as np

from benchmarks import _turns as turns
from benchmarks._machine import machine

SEED, THREADS, SIZE = 0, 2, 32
SAVED_MODEL, ONNX_FILE = "saved_model", "encoder.onnx"
# name -> (whether onnxruntime, signature or None, rival of the same input)
CONTENDERS = {
    "SavedModel float32": (False, "encode_images", "onnxruntime float32"),
    "SavedModel uint8": (False, "encode_uint8", "onnxruntime float32"),
    "SavedModel bytes": (False, "serving_default", "PIL and onnxruntime bytes"),
    "SavedModel bfloat16 weights, float32": (False, "encode_images", "onnxruntime float32"),
    "onnxruntime float32": (True, None, None),
    "PIL and onnxruntime bytes": (True, None, None),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--images", type=int, default=64, help="at least so many in each turn")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--depth", type=int, default=18)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--plain", action="store_true", help="without that setting")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        name, batch, folder = args.worker
        turns.answer(lambda: _make_step(name, int(batch), folder))
    else:
        _compare(args)


def _compare(args):
    print(machine("tensorflow", "keras", "tf2onnx", "onnxruntime"))
    print(f"seed {SEED}, {THREADS} threads, ResNet-{args.depth} of width {args.width}")
    os.environ["TF_ONEDNN_ASSUME_FROZEN_WEIGHTS"] = "0" if args.plain else "1"
    print(f"TF_ONEDNN_ASSUME_FROZEN_WEIGHTS={os.environ['TF_ONEDNN_ASSUME_FROZEN_WEIGHTS']}")
    print(f"load at the start {os.getloadavg()}", flush=True)
    print("\n| batch | contender | ms a request | min | max | embeddings/s | speed / rival |")
    print("|---" * 7 + "|")
    with tempfile.TemporaryDirectory() as folder:
        _export(folder, args.depth, args.width)
        for batch in args.batches:
            _compare_at(batch, folder, args.rounds, -(-args.images // batch))
    print(f"\nload at the end {os.getloadavg()}")


def _compare_at(batch, folder, rounds, steps):
    workers, seconds, sums = {}, {name: [] for name in CONTENDERS}, {}
    for name in CONTENDERS:
        workers[name] = turns.start("benchmarks.serving", name, str(batch), folder)
        sums[name] = turns.ask(workers[name], 3)["result"]  # tracing, allocating
    for _ in range(rounds):
        for name, worker in workers.items():
            turns.ask(worker, 1)  # its caches are warm, as those of a server at work
            seconds[name].append(turns.ask(worker, steps)["seconds"] / steps)
    turns.stop(workers.values())
    for name, times in seconds.items():
        if abs(sums[name] - sums["onnxruntime float32"]) > 0.02 * abs(sums["onnxruntime float32"]):
            sys.exit(f"{name} gives other embeddings, of mean {sums[name]}: {sums}")
        rival = CONTENDERS[name][2]
        pairs = zip(seconds[rival], times, strict=True) if rival else ()
        ratio = f"{statistics.median(theirs / ours for theirs, ours in pairs):.2f}" if rival else ""
        median = statistics.median(times)
        cells = [f"{1e3 * value:.2f}" for value in (median, min(times), max(times))]
        print(f"| {batch} | {name} | {' | '.join(cells)} | {batch / median:.0f} | {ratio} |")


def _export(folder, depth, width):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras

    import tf_scl

    keras.utils.set_random_seed(SEED)
    encoder = tf_scl.resnet(depth, (SIZE, SIZE, 3), width=width)
    encoder(_images(64).astype(np.float32), training=True)  # moves the normalization's averages
    for weights in ("float32", "bfloat16"):
        path = os.path.join(folder, SAVED_MODEL + weights)
        tf_scl.export_saved_model(encoder, path, weights=weights)
    tf_scl.export_onnx(encoder, os.path.join(folder, ONNX_FILE))


def _images(count):
    return np.random.default_rng(SEED).integers(0, 256, (count, SIZE, SIZE, 3)).astype(np.uint8)


def _encoded(images):
    import PIL.Image

    buffers = [io.BytesIO() for _ in images]
    for image, buffer in zip(images, buffers, strict=True):
        PIL.Image.fromarray(image).save(buffer, "PNG")
    return [buffer.getvalue() for buffer in buffers]


def _make_step(name, batch, folder):
    images = _images(batch)
    if CONTENDERS[name][0]:
        return _onnx_step(images, name, os.path.join(folder, ONNX_FILE))
    weights = "bfloat16" if "bfloat16" in name else "float32"
    return _our_step(images, CONTENDERS[name][1], os.path.join(folder, SAVED_MODEL + weights))


def _our_step(images, signature, path):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    model = tf.saved_model.load(path)
    embed = model.signatures[signature]
    inputs = {
        "serving_default": lambda: {"image_bytes": tf.constant(_encoded(images))},
        "encode_images": lambda: {"images": tf.constant(images, tf.float32)},
        "encode_uint8": lambda: {"images": tf.constant(images)},
    }[signature]()

    def step(model=model):  # a loaded model must stay referenced
        return float(np.abs(embed(**inputs)["embedding"].numpy()).mean())

    return step


def _onnx_step(images, name, path):
    import onnxruntime
    import PIL.Image

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    encoded, pixels = _encoded(images), images.astype(np.float32)

    def step():
        given = pixels
        if "bytes" in name:
            decoded = [np.asarray(PIL.Image.open(io.BytesIO(data))) for data in encoded]
            given = np.stack(decoded).astype(np.float32)
        (embedding,) = session.run(None, {"images": given})
        return float(np.abs(embedding).mean())

    return step


if __name__ == "__main__":
    main()
