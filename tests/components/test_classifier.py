"""Labels, classifier, its verdict: three components one after the other, on real records."""

import importlib
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from tfx import v1 as tfx
from tfx.types import channel_utils, standard_artifacts

import tf_scl
from components.artifacts import (
    ClassifierBlessing,
    ClassifierModel,
    ImageLabels,
    IngestionReport,
)
from components.atomic_pusher.component import ClassifierPusher
from components.classifier_evaluator import executor as evaluator_executor
from components.classifier_evaluator.component import ClassifierEvaluator
from components.classifier_trainer import executor as trainer_executor
from components.classifier_trainer.component import ClassifierTrainer
from components.image_labels import executor as labels_executor
from components.image_labels.component import ImageLabelGen
from tests.conftest import encode
from tests.tf_scl.classification.test_classifier import _encoder, _images
from tf_scl.classification.evaluation import GUESSES, MOST_FREQUENT, ClassifierEvaluation
from tf_scl.config import ClassifyConfig, Config, EvaluateConfig
from tf_scl.data import features
from tf_scl.dataclass_json import read_json, to_plain
from tf_scl.errors import InputError
from tf_scl.images.check_image import check_image
from tf_scl.labels.labels_file import FOLDERS, labels_digest

_SETTINGS = Config.from_dict({"model": {"image_size": 8, "depth": 10, "width": 4}})


def _channel(artifact_type):
    return channel_utils.as_channel([artifact_type()])


def _artifact(kind, path, **properties):
    artifact = kind()
    path.mkdir(parents=True, exist_ok=True)
    artifact.uri = str(path)
    for name, value in properties.items():
        artifact.set_int_custom_property(name, value)
    return artifact


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Artifacts of what comes before: examples, their report, an encoder that was blessed."""
    root = tmp_path_factory.mktemp("classifier")
    images, labels = _images(per_class=24)
    examples = _artifact(standard_artifacts.Examples, root / "examples")
    examples.split_names = '["train", "eval"]'
    for split, rows in (("train", range(48)), ("eval", range(48, 72))):
        folder = root / "examples" / f"Split-{split}"
        folder.mkdir()
        with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001")) as writer:
            for row in rows:
                image = check_image(encode(images[row]), 10**6)
                name = f"{row}.png".encode()
                label = (row % 3, labels[row].encode())
                writer.write(features.encode_example(image, name, "0", *label))
    report = _artifact(IngestionReport, root / "report")
    summary = {"source": "photos", "files": 73, "kept": {"train": 48, "eval": 24}}
    summary |= {"rejected": {"not an image": 1}, "classes": {}}
    (root / "report" / "summary.json").write_text(json.dumps(summary))
    bad = {"file": "bad.png", "reason": "not an image", "detail": ""}
    (root / "report" / "rejected.jsonl").write_text(json.dumps(bad) + "\n")
    encoder = _encoder()
    model = _artifact(standard_artifacts.Model, root / "model")
    metadata = {"settings": _SETTINGS.to_dict("model"), "lineage": {"a": "note"}}
    tf_scl.export_saved_model(encoder, root / "model" / "Format-Serving", metadata)
    run = _artifact(standard_artifacts.ModelRun, root / "model_run")
    encoder.save(root / "model_run" / "encoder.keras")
    blessing = _artifact(standard_artifacts.ModelBlessing, root / "blessing", blessed=1)
    return {
        **{"examples": examples, "report": report, "model": model, "model_run": run},
        "blessing": blessing,
    }


def _labels(made, folder, source, least=1):
    labels = _artifact(ImageLabels, folder)
    inputs = {name: [made[name]] for name in ("examples", "report")}
    labels_executor.Executor().Do(
        inputs, {"labels": [labels]}, {"source": str(source), "least_per_class": least}
    )
    return labels


def _train(made, labels, folder, **changes):
    classifier = _artifact(ClassifierModel, folder)
    inputs = {
        **{name: [made[name]] for name in ("examples", "model", "model_run", "blessing")},
        "labels": [labels],
    }
    config = json.dumps(to_plain(ClassifyConfig(**changes)))
    trainer_executor.Executor().Do(
        inputs, {"classifier": [classifier]}, {"classify_config": config}
    )
    return classifier


def _judge(made, labels, classifier, folder, last=()):
    evaluation = _artifact(standard_artifacts.ModelEvaluation, folder / "evaluation")
    blessing = _artifact(ClassifierBlessing, folder / "blessing")
    evaluator_executor.Executor().Do(
        {
            **{"examples": [made["examples"]], "labels": [labels]},
            **{"classifier": [classifier], "last_blessed": list(last)},
        },
        {"evaluation": [evaluation], "blessing": [blessing]},
        {"evaluate_config": json.dumps(to_plain(EvaluateConfig()))},
    )
    return evaluation, blessing


@pytest.fixture(scope="module")
def labels(made, tmp_path_factory):
    """Labels of every other image, in a file."""
    folder = tmp_path_factory.mktemp("labels")
    _, names = _images(per_class=24)
    rows = [f"{row}.png,{names[row]}" for row in range(0, 72, 2)]
    path = folder / "labels.csv"
    path.write_text("\n".join(["filename,label", *rows, "bad.png,red"]))
    return _labels(made, folder / "artifact", path)


@pytest.fixture(scope="module")
def classifier(made, labels, tmp_path_factory):
    return _train(made, labels, tmp_path_factory.mktemp("classifier"))


def test_kubeflow_finds_every_artifact_type_by_its_name():
    for kind in (ImageLabels, ClassifierModel, ClassifierBlessing, IngestionReport):
        module, name = kind.TYPE_NAME.rsplit(".", 1)
        assert getattr(importlib.import_module(module), name) is kind


def test_labels_of_a_file_and_of_folders(made, labels, tmp_path):
    found = json.loads(pathlib.Path(labels.uri, "labels.json").read_text())
    assert len(found["labels"]) == 36 and found["rejected"] == {"not an image": 1}
    assert found["classes"] == ["bright", "dark", "red"]
    folders = _labels(made, tmp_path / "folders", FOLDERS)
    found = json.loads(pathlib.Path(folders.uri, "labels.json").read_text())
    assert len(found["labels"]) == 72


def test_the_classifier_is_trained_on_the_training_part_and_exported(made, classifier):
    assert classifier.get_int_custom_property("trained") == 1
    model = tf_scl.load_model(pathlib.Path(classifier.uri, "classifier.keras"))
    images, _ = _images(per_class=24)
    path = str(pathlib.Path(classifier.uri, "Format-Serving"))
    served = tf.saved_model.load(path).signatures["encode_uint8"](images=tf.constant(images))
    np.testing.assert_allclose(served["score"], model.predict(images, verbose=0), atol=1e-5)
    facts = json.loads(pathlib.Path(path, "assets.extra", "tf_scl.json").read_text())
    assert facts["lineage"] == {"a": "note"} and facts["classifier"]["labeled_images"] == 24
    assert facts["temperature"] == pytest.approx(model.temperature)
    assert facts["settings"]["classify"]["tuned"] == "head"


def test_the_verdict_is_on_images_that_were_kept_aside(made, labels, classifier, tmp_path):
    evaluation, blessing = _judge(made, labels, classifier, tmp_path)
    found = read_json(ClassifierEvaluation, pathlib.Path(evaluation.uri, "evaluation.json"))
    assert (found.train_images, found.test_images) == (24, 12)
    assert [one.train_images for one in found.classes] == [8, 8, 8]
    assert found.score.accuracy > 0.8
    assert blessing.get_int_custom_property("blessed") == int(found.verdict.blessed) == 1
    assert blessing.get_string_custom_property("current_model") == classifier.uri
    again, _ = _judge(made, labels, classifier, tmp_path / "same", [classifier])
    found = read_json(ClassifierEvaluation, pathlib.Path(again.uri, "evaluation.json"))
    compared = [check.baseline.name for check in found.checks]
    assert compared == [GUESSES, MOST_FREQUENT]  # not with itself


def test_a_last_classifier_of_other_classes_is_compared_with(made, labels, classifier, tmp_path):
    _, names = _images(per_class=24)
    rows = [f"{row}.png,{names[row].replace('red', 'rot')}" for row in range(72)]
    (tmp_path / "labels.csv").write_text("\n".join(["filename,label", *rows]))
    other = _train(
        made, _labels(made, tmp_path / "other", tmp_path / "labels.csv"), tmp_path / "last"
    )
    evaluation, _ = _judge(made, labels, classifier, tmp_path, [other])
    found = read_json(ClassifierEvaluation, pathlib.Path(evaluation.uri, "evaluation.json"))
    baseline = found.checks[2].baseline
    assert baseline.name == "last blessed classifier"
    assert baseline.value < 0.7  # it knows no "red"


def test_of_an_encoder_that_was_refused_nothing_is_made(made, labels, tmp_path):
    refused = _artifact(standard_artifacts.ModelBlessing, tmp_path / "refused", blessed=0)
    classifier = _train({**made, "blessing": refused}, labels, tmp_path / "none")
    assert classifier.get_int_custom_property("trained") == 0
    assert not list((tmp_path / "none").iterdir())
    evaluation, blessing = _judge(made, labels, classifier, tmp_path)
    assert not list(pathlib.Path(evaluation.uri).iterdir())
    assert blessing.get_int_custom_property("blessed") == 0


def test_a_class_that_is_only_in_the_evaluation_part(made, tmp_path):
    rows = ["filename,label", "0.png,bright", "1.png,dark", "60.png,green"]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    message = "'green' has 1 labeled image.*of which 1 are kept for evaluation: 1 are needed"
    with pytest.raises(InputError, match=message):
        _labels(made, tmp_path / "labels", tmp_path / "labels.csv")
    (tmp_path / "labels.csv").write_text("\n".join(rows[:3]))
    _labels(made, tmp_path / "enough", tmp_path / "labels.csv")
    with pytest.raises(InputError, match="'bright' has 1 .*of which 0 are .*2 are needed"):
        _labels(made, tmp_path / "labels", tmp_path / "labels.csv", least=2)


def test_components_carry_settings_and_what_the_cache_goes_by(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("filename,label\na,x\nb,y\n")
    gen = ImageLabelGen(
        str(path), 1, _channel(standard_artifacts.Examples), _channel(IngestionReport)
    )
    assert gen.spec.exec_properties["source"] == str(path)
    assert gen.spec.exec_properties["digest"] == labels_digest(str(path))
    trainer = ClassifierTrainer(
        _channel(standard_artifacts.Examples),
        gen.outputs["labels"],
        _channel(standard_artifacts.Model),
        _channel(standard_artifacts.ModelRun),
        _channel(standard_artifacts.ModelBlessing),
        {"tuned": "all"},
    )
    assert json.loads(trainer.spec.exec_properties["classify_config"]) == {"tuned": "all"}
    evaluator = ClassifierEvaluator(
        _channel(standard_artifacts.Examples),
        gen.outputs["labels"],
        trainer.outputs["classifier"],
        {"seed": 3},
    )
    pusher = ClassifierPusher(
        trainer.outputs["classifier"],
        evaluator.outputs["blessing"],
        evaluator.outputs["evaluation"],
        tfx.proto.PushDestination(),
        {"license": "mit"},
    )
    assert pusher.inputs["model"].type is ClassifierModel
    assert json.loads(pusher.spec.exec_properties["serve_config"]) == {"license": "mit"}
    digests = {c.spec.exec_properties["code_digest"] for c in (gen, trainer, evaluator)}
    assert len(digests) == 3
