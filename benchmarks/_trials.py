"""Trials: one encoder trained and judged each, several at a time, none done twice.

A trial is a dict of plain values. Its result is kept as a line of a file, by the
trial, so that a search that was stopped goes on where it was.
"""

import concurrent.futures
import contextlib
import copy
import hashlib
import json
import multiprocessing
import os
import pathlib
import time

import numpy as np
import PIL.Image

from benchmarks._photos import photos, shrunk

MEASURES = ("all labels", "10 per class", "kNN")
PER_CLASS, DRAWS = 10, 10
ENCODER, PROJECTOR = "encoder.keras", "projector.keras"

BASE = {
    "data": "cifar10",
    "source": 32,  # side of the images that views are cropped from
    "part": "validation",
    "steps": 300,
    "seed": 0,
    "augment": {},
    "model": {
        "method": "spectral",
        "image_size": 32,
        "depth": 10,
        "width": 16,
        "projector_hidden": [512],
        "embedding_dim": 256,
        "mu": "auto",
    },
    "train": {"batch_size": 128, "base_learning_rate": 0.3, "precision": "mixed_bfloat16"},
}
_PLACE = {name: section for section in ("model", "train") for name in BASE[section]}
_PLACE |= dict.fromkeys(("temperature", "predictor_hidden", "stem", "channels"), "model")
_PLACE |= dict.fromkeys(("weight_decay", "momentum", "optimizer"), "train")


def trial(**changes):
    """`BASE` with some values changed; settings of model and train by their own names."""
    made = copy.deepcopy(BASE)
    for name, value in changes.items():
        if name in _PLACE:
            made[_PLACE[name]][name] = value
        elif name in (*BASE, "pixels", "variant"):
            made[name] = value
        else:
            raise ValueError(f"a trial has no {name}")
    return made


def run_trials(trials, results, workers):
    """The results of trials, in their order; those in the file are not run again.

    Args:
        trials: List of dicts, as `trial` makes them.
        results: Path of a file of JSON lines, which grows.
        workers: Int, processes of one thread each.

    Returns:
        List of dicts: "accuracy" and "correct" by measure, "seconds", "history".
    """
    results = pathlib.Path(results)
    todo = [one for one in trials if _key(one) not in _read(results)]
    print(f"{len(trials)} trials, {len(todo)} of them to run", flush=True)
    if todo:
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(workers, context, _one_thread) as pool:
            running = {pool.submit(measure, one): one for one in todo}
            for number, done in enumerate(concurrent.futures.as_completed(running)):
                try:
                    one, result = running[done], done.result()
                except Exception:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
                with results.open("a") as lines:
                    lines.write(json.dumps({"trial": one, **result}) + "\n")
                print(f"{number + 1}/{len(todo)} {describe(one)}: {scores(result)}", flush=True)
    known = _read(results)
    return [known[_key(one)] for one in trials]


def describe(one):
    """What of a trial is not as in `BASE`, in a line."""
    flat = {**one, **one["model"], **one["train"]}
    base = {**BASE, **BASE["model"], **BASE["train"]}
    return ", ".join(
        f"{name} {value}"
        for name, value in flat.items()
        if name not in ("model", "train") and value != base.get(name)
    )


def scores(result):
    """Its accuracies in a line."""
    return " / ".join(f"{result['accuracy'][measure]:.1f}" for measure in MEASURES)


def measure(one):
    """Trains the encoder of a trial and judges it."""
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(one["seed"])
    config = _config(one)
    train, labels, test, truth = photos(one["data"], one["source"], one["part"])
    seconds, history = 0.0, {}
    if one.get("pixels"):
        features = [_sized(x, config).reshape(len(x), -1) / 255 for x in (train, test)]
    else:
        features, seconds, history = _features(one, config, train, test)
    correct = judge(*features, labels, truth, one["seed"])
    return {
        "accuracy": {name: 100 * float(np.mean(right)) for name, right in correct.items()},
        "correct": {
            name: np.round(np.asarray(right, float), 3).tolist() for name, right in correct.items()
        },
        "seconds": seconds,
        "history": history,
    }


def seconds_of_a_step(one):
    """Of a trial's training, on one thread of this process."""
    import keras
    import tensorflow as tf

    from tf_scl.optimizers.by_name import build_optimizer
    from tf_scl.time_budget import step_seconds

    if tf.config.threading.get_intra_op_parallelism_threads() != 1:
        _one_thread()
    keras.backend.clear_session()
    config = _config(one)
    model = _model(one, config)
    model.compile(build_optimizer(config.train, 0.1), jit_compile=False)
    side, channels = one["source"], config.model.channels
    shape = (config.train.batch_size, side, side, channels)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    data = tf.data.Dataset.from_tensors((images,)).repeat()
    return step_seconds(model, data, steps_per_epoch=10)


def _config(one):
    from tf_scl.config import Config

    return Config.from_dict(
        {
            "augment": one["augment"],
            "model": one["model"],
            "train": {**one["train"], "seed": one["seed"]},
        }
    )


def kept_encoder(one, folder):
    """Path of the encoder of a trial in a folder, trained the first time that it is asked for.

    Of 0 steps it is given statistics and no more. Beside it is its `PROJECTOR`.
    """
    import keras

    kept = pathlib.Path(folder) / hashlib.sha256(_key(one).encode()).hexdigest()[:16]
    if not (kept / ENCODER).exists():
        print(f"training {describe(one)} into {kept}", flush=True)
        keras.backend.clear_session()
        keras.utils.set_random_seed(one["seed"])
        train, *_ = photos(one["data"], one["source"], one["part"])
        with _trained(one, _config(one), train) as (model, _, _):
            kept.mkdir(parents=True, exist_ok=True)
            model.projector.save(kept / PROJECTOR)
            model.encoder.save(kept / ENCODER)
    return kept / ENCODER


def _features(one, config, train, test):
    """(Features of both sets, seconds of training, means of metrics over 25 steps each)."""
    with _trained(one, config, train) as (model, seconds, history):
        features = [embed(model.encoder, _sized(x, config)) for x in (train, test)]
    return features, seconds, history


@contextlib.contextmanager
def _trained(one, config, train):
    """(Model, seconds of training, means of metrics over 25 steps each), to be used within."""
    from tf_scl.models.batch_statistics import with_statistics_of
    from tf_scl.optimizers.by_name import build_optimizer

    model, steps = _model(one, config), one["steps"]
    data = whole_batches(train, config.train.batch_size, one["seed"])
    if not steps:
        with with_statistics_of(model, data):
            yield model, 0.0, {}
        return
    model.compile(build_optimizer(config.train, schedule(config.train, steps)), jit_compile=False)
    start = time.time()
    history = model.fit(
        data, epochs=steps // 25, steps_per_epoch=25, verbose=0, shuffle=False
    ).history
    yield model, time.time() - start, history


def _model(one, config):
    from tf_scl.training import build_model

    if "variant" in one:
        from benchmarks._variants import Variant, build_variant

        return build_variant(config, Variant(**one["variant"]))
    return build_model(config)


def schedule(train, steps):
    """Linear warm-up over a tenth of the steps, then cosine."""
    import keras

    peak, warmup = train.base_learning_rate * train.batch_size / 256, steps // 10
    return keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=peak, warmup_steps=warmup
    )


def whole_batches(images, size, seed):
    """Whole batches without end, in an order that depends on the seed alone."""
    import tensorflow as tf

    def generate():
        rng = np.random.default_rng(seed)
        while True:
            order = rng.permutation(len(images))
            for start in range(0, len(order) - size + 1, size):
                yield (images[order[start : start + size]],)

    spec = tf.TensorSpec([size, *images.shape[1:]], tf.uint8)
    return tf.data.Dataset.from_generator(generate, output_signature=(spec,)).prefetch(2)


def _sized(images, config):
    return prepared(images, config.model.image_size)


def prepared(images, side):
    """Images [N, H, H, C] as [N, side, side, C], as an encoder of that size is judged on."""
    if images.shape[1] == side:
        return images
    return np.stack([np.asarray(shrunk(PIL.Image.fromarray(image), side)) for image in images])


def embed(encoder, images):
    """float32 [N, D] of images [N, S, S, C]."""
    parts = np.array_split(images, -(-len(images) // 256))
    return np.concatenate([np.asarray(encoder(x.astype("float32"), training=False)) for x in parts])


def judge(train, test, labels, truth, seed):
    """Measure -> share of the times [M] that a test image was right."""
    from tf_scl.evaluation.knn import knn_predict
    from tf_scl.evaluation.linear_probe import draw_labeled, linear_probe

    few = []
    for draw in range(DRAWS):
        chosen = draw_labeled(labels, PER_CLASS, np.random.default_rng([seed, draw]))
        few.append(linear_probe(train[chosen], labels[chosen], test, truth).predictions == truth)
    return {
        "all labels": linear_probe(train, labels, test, truth).predictions == truth,
        "10 per class": np.mean(few, axis=0),
        "kNN": knn_predict(train, labels, test) == truth,
    }


def _one_thread():
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _key(one):
    return json.dumps(one, sort_keys=True)


def _read(results):
    lines = results.read_text().splitlines() if results.exists() else []
    return {_key(line["trial"]): line for line in map(json.loads, lines)}
