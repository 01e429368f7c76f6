"""CIFAR-10 in an hour on a processor: from the command to a linear probe on 10,000 test images.

    .venv/bin/python -m benchmarks.cifar10 --minutes 60

needs cifar10-images.tar.xz in ../shared/data. Spectral, SimCLR and SimSiam train the same
encoder on the same views for the same time, each with the settings in `METHODS`. The time is
the whole of a method's: models, training, the points of its curve and the probes at the end.
A curve's probe learns from 5,000 labels and is judged on 2,000 others, all of the *training*
images; the test images are looked at once, at the end.

In --out a folder for each method holds its checkpoints, curve, SavedModels, `result.json` and
a report. Stopped, the same command goes on where it was.

    .venv/bin/python -m benchmarks.cifar10 --search 10
    .venv/bin/python -m benchmarks.cifar10 --search 30 --contenders "width 16" "width 32"

trains what `ENCODER` was chosen from, so many minutes each on one thread, on 15,000 of the
training images, and judges on 5,000 others of them. --rates 10 does so with `ENCODER` by each
method, at each of `RATES`.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import time

import numpy as np

from benchmarks._machine import machine
from benchmarks._photos import CIFAR, files_of
from benchmarks._trials import run_trials, scores, seconds_of_a_step, trial

ENCODER = {
    "image_size": 32,
    "depth": 10,
    "width": 32,
    "projector_hidden": (512,),
    "embedding_dim": 256,
}
# Rate and the one setting of its own, as benchmarks.methods found them; --rates 10 agrees.
METHODS = {
    "spectral": ({"mu": "auto"}, 1.0),
    "simclr": ({"temperature": 0.1}, 0.3),
    "simsiam": ({"predictor_hidden": 256}, 1.0),
}
# name -> (seconds of a step on one thread, what is not as in `ENCODER` and `TRAIN`)
CONTENDERS = {
    "width 16": (0.24, {"width": 16}),
    "width 32": (0.70, {}),
    "width 32, 64 px, stride 4": (0.29, {"image_size": 64, "stem": "imagenet"}),
    "width 64, 64 px, stride 4": (0.855, {"width": 64, "image_size": 64, "stem": "imagenet"}),
}
RATES = (0.1, 0.3, 1.0)
TRAIN = {"batch_size": 128, "warmup_epochs": 1, "precision": "auto"}
TRAINING = 0.9  # of the minutes; the rest is for reading, the curve and the probes
POINTS = 12
CURVE_TRAIN, CURVE_TEST = 5000, 2000
RESULT, CURVE = "result.json", "curve.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="of each method, in all")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--out", default="runs/cifar10", help="folder, kept from run to run")
    parser.add_argument("--plot", default="curves.png", help="a picture of the curves, in --out")
    parser.add_argument("--images", type=int, help="of each class at most, to try it out")
    parser.add_argument(
        "--search", type=float, metavar="MINUTES", help="choose an encoder, and no more"
    )
    parser.add_argument(
        "--rates", type=float, metavar="MINUTES", help="compare the methods' rates, and no more"
    )
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument("--measure", action="store_true", help="time the search's steps")
    parser.add_argument("--results", default="cifar10.jsonl", help="file of the search's trials")
    options = parser.parse_args()
    if options.measure:
        for name, one in _contenders(options.contenders, 10).items():
            print(f"{name}: {seconds_of_a_step(one):.3f} s a step", flush=True)
        return
    trials = {}
    if options.search:
        trials |= _contenders(options.contenders, options.search)
    if options.rates:
        trials |= _rates(options.methods, options.rates)
    if trials:
        search(trials, options.results)
        return
    out = pathlib.Path(options.out)
    start = time.time()
    records = {part: _records(out, part, options.images) for part in ("train", "test")}
    print(f"records: {(time.time() - start) / 60:.1f} minutes", flush=True)
    results = {}
    for method in options.methods:
        folder = out / method
        if not (folder / RESULT).exists():
            run(method, options.minutes, records, folder)
        results[method] = json.loads((folder / RESULT).read_text())
    table(results)
    plot(results, out / options.plot)
    print(machine("tensorflow", "keras"))


def search(trials, results):
    """Prints what encoders reach in the same time."""
    found = run_trials(list(trials.values()), results, workers=2)
    print("\n| contender | steps | all labels / 10 per class / kNN |\n|---|---|---|")
    for (name, one), result in zip(trials.items(), found, strict=True):
        print(f"| {name} | {one['steps']} | {scores(result)} |")
    print(machine("tensorflow", "keras"))


def _contenders(names, minutes):
    """Name -> trial of so many minutes."""
    rate = METHODS["spectral"][1]
    return {name: _contender(name, minutes, rate) for name in names}


def _rates(methods, minutes):
    """Method and rate -> trial of so many minutes, by the seconds of a step of spectral."""
    return {
        f"{method}, rate {rate:g}": _contender(
            "width 32", minutes, rate, method=method, **METHODS[method][0]
        )
        for method in methods
        for rate in RATES
    }


def _contender(name, minutes, rate, **more):
    seconds, changes = CONTENDERS[name]
    return trial(
        data="cifar10-large",
        steps=25 * round(60 * minutes / seconds / 25),
        base_learning_rate=rate,
        **{**ENCODER, "batch_size": TRAIN["batch_size"], **changes, **more},
    )


def run(method, minutes, records, folder):
    """Trains by a method, judges what it made and writes both down."""
    from tf_scl.config import Config
    from tf_scl.dataclass_json import to_plain
    from tf_scl.evaluation.representation import evaluate_representation
    from tf_scl.evaluation.saved_model_features import extract_features
    from tf_scl.serving.export import export_saved_model
    from tf_scl.training import pretrain

    start = time.time()
    own, rate = METHODS[method]
    config = Config.from_dict(
        {
            "model": {**ENCODER, "method": method, **own},
            "train": {**TRAIN, "base_learning_rate": rate, "minutes": TRAINING * minutes},
            "evaluate": {"fractions": ()},
        }
    )
    settled, curve = [], _curve(folder, *_labeled(records["train"]))

    def export(model, name, projector=False):
        metadata = {"settings": settled[0].to_dict()}
        shutil.rmtree(folder / name, ignore_errors=True)
        export_saved_model(model, str(folder / name), metadata, projector)

    model, history = pretrain(
        [records["train"]],
        config,
        lambda model: export(model.encoder, "untrained"),
        verbose=2,
        checkpoint_dir=str(folder / "checkpoints"),
        callbacks=[curve],
        settled=settled.append,
    )
    export(model.encoder, "encoder")
    export(model, "projected", projector=True)
    models = {"encoder": str(folder / "encoder")}
    (train, _, labels), (test, _, truth) = (
        extract_features(models, [records[part]]) for part in ("train", "test")
    )
    found = train["encoder"], labels, test["encoder"], truth
    measured = evaluate_representation(*found, config.evaluate)
    result = {
        "method": method,
        "settings": settled[0].to_dict("model", "train"),
        "images": [len(labels), len(truth)],
        "measured": to_plain(measured),
        "curve": curve.points(),
        "minutes": (time.time() - start) / 60,
    }
    print(f"{method}: {_line(result['measured'])}; {result['minutes']:.1f} minutes", flush=True)
    _report(folder, records, settled[0], history)
    (folder / RESULT).write_text(json.dumps(result, indent=1))


def _report(folder, records, config, history):
    """The report of the run, as the pipeline's; raw pixels are measured once for all methods."""
    from tf_scl.evaluation.evaluate import evaluate_models
    from tf_scl.evaluation.gate import PRETRAINED, UNTRAINED
    from tf_scl.report.files import write_report
    from tf_scl.report.records import read_class_names
    from tf_scl.report.run_facts import run_facts

    models = {PRETRAINED: str(folder / "encoder"), UNTRAINED: str(folder / "untrained")}
    train, test = ([records[part]] for part in ("train", "test"))
    names, cache = read_class_names(train), (str(folder.parent / "baselines"), "benchmarks.cifar10")
    result = evaluate_models(models, str(folder / "projected"), train, test, config, names, cache)
    facts = run_facts(result, models, train, test, config, names, history, data=CIFAR)
    why = {**facts.missing, "ingestion": "the archive's images are taken as they are"}
    facts = dataclasses.replace(facts, missing=why)
    print(f"wrote {write_report(facts, folder)}", flush=True)


def _records(out, part, of_each):
    """Path of the record file of a part of the archive."""
    import tensorflow as tf

    from tf_scl.data.features import encode_example
    from tf_scl.images.check_image import check_image
    from tf_scl.images.content_hash import content_sha256

    path = out / f"{part}-{of_each or 'all'}.tfrecord"
    if path.exists():
        return str(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    by_class = {}
    for name, data in files_of(CIFAR, f"{part}/").items():
        by_class.setdefault(name.split("/")[-2], []).append((name, data))
    classes, rows = sorted(by_class), []
    for label, kind in enumerate(classes):
        rows += [(name, data, label) for name, data in by_class[kind][:of_each]]
    aside = path.with_suffix(".part")
    with tf.io.TFRecordWriter(str(aside)) as writer:
        for place in np.random.default_rng(0).permutation(len(rows)):
            name, data, label = rows[place]
            image, text = check_image(data, 10**6), classes[label].encode()
            writer.write(encode_example(image, name.encode(), content_sha256(data), label, text))
    return str(aside.rename(path))


def _labeled(path):
    """The first images of a record file and their labels, for the curve."""
    from tf_scl.data.input_pipeline import labeled_batches

    images, labels, _ = next(iter(labeled_batches([path], CURVE_TRAIN + CURVE_TEST, 32, 3)))
    return images.numpy(), labels.numpy()


def _curve(folder, images, labels):
    from tf_scl.callbacks.labeled_images import LabeledImages
    from tf_scl.callbacks.stateful import StatefulCallback
    from tf_scl.evaluation.linear_probe import linear_probe

    held = len(images) * CURVE_TEST // (CURVE_TRAIN + CURVE_TEST)

    class Curve(StatefulCallback):
        """Accuracy over minutes of training, those of its own work left out."""

        def __init__(self):
            super().__init__()
            self._data = LabeledImages(
                "the curve", images[held:], labels[held:], images[:held], labels[:held]
            )
            self._seconds, self._since, self._points = 0.0, None, np.zeros((0, 3))

        def on_epoch_begin(self, epoch, logs=None):
            self._since = time.time()

        def on_epoch_end(self, epoch, logs=None):
            self._seconds, self._since = self._so_far(), None
            epochs = self.params["epochs"]
            if (epoch + 1) * POINTS // epochs == epoch * POINTS // epochs:
                return
            data = self._data
            features = [
                data.features(self.model, part) for part in (data.train_images, data.test_images)
            ]
            probe = linear_probe(features[0], data.train_labels, features[1], data.test_labels)
            point = [epoch + 1, self._seconds / 60, probe.accuracy]
            self._points = np.vstack([self._points, point])
            (folder / CURVE).write_text(json.dumps(self.points()))

        def points(self):
            names = ("epoch", "minutes", "accuracy")
            return [dict(zip(names, point, strict=True)) for point in self._points.tolist()]

        def get_state(self):
            return {"seconds": np.float64(self._so_far()), "points": self._points}

        def set_state(self, state):
            self._seconds, self._points = float(state["seconds"]), np.array(state["points"])

        def _so_far(self):
            return self._seconds + (time.time() - self._since if self._since else 0.0)

    return Curve()


def _line(measured):
    few, whole = _percent(measured["few_shot_probe"]), _percent(measured["linear_probe"])
    return f"{whole} with all labels, {few} with 10 per class, kNN {_percent(measured['knn'])}"


def _percent(score):
    low, high = score["interval"]
    return f"{100 * score['accuracy']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def table(results):
    """Prints what was reached, in Markdown."""
    print("\n| method | all labels | 10 per class | kNN | epochs | minutes |")
    print("|---" * 6 + "|")
    for method, result in results.items():
        measured, epochs = result["measured"], result["settings"]["train"]["epochs"]
        scores = ("linear_probe", "few_shot_probe", "knn")
        cells = [_percent(measured[score]) for score in scores]
        print(f"| {method} | {' | '.join(cells)} | {epochs} | {result['minutes']:.1f} |")


def plot(results, path):
    """The curves as a picture, and their points as JSON beside it."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(7, 4))
    for method, result in results.items():
        points = result["curve"]
        minutes = [point["minutes"] for point in points]
        axis.plot(minutes, [100 * point["accuracy"] for point in points], "o-", label=method)
    axis.set(xlabel="minutes of training", ylabel="linear probe on 5,000 labels, %")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    curves = {method: result["curve"] for method, result in results.items()}
    path.with_suffix(".json").write_text(json.dumps(curves, indent=1))
    print(f"wrote {os.fspath(path)} and .json beside it")


if __name__ == "__main__":
    main()
