"""Trainer and evaluator on real records, one after the other, as in the pipeline."""

import json
import os
import pathlib
import shutil
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from tfx.types import channel_utils, standard_artifacts

from components.artifacts import IngestionReport
from components.pretrainer import executor as trainer_executor
from components.pretrainer import run_fn
from components.pretrainer.component import pretrainer
from components.pretrainer.request import TrainerRequest
from components.representation_evaluator import executor as evaluator_executor
from components.representation_evaluator.component import RepresentationEvaluator
from tests.conftest import TINY_MODEL, encode, photo
from tests.tf_scl.callbacks.test_epoch_summaries import scalars
from tf_scl import time_budget
from tf_scl.callbacks.stop_on_non_finite import StopOnNonFinite
from tf_scl.config import Config, EvaluateConfig
from tf_scl.data import features
from tf_scl.dataclass_json import from_plain, read_json, to_plain
from tf_scl.errors import InputError
from tf_scl.evaluation.results import Evaluation
from tf_scl.images.check_image import check_image
from tf_scl.images.decode import fit_to_square
from tf_scl.report.files import read_report
from tf_scl.serving.export import read_metadata
from tf_scl.serving.lineage import ImageLineage, Lineage, make_lineage, read_lineage

pytestmark = pytest.mark.usefixtures("shallow_resnet")

_CONFIG = Config.from_dict(
    {
        # Without colors, for they take most of the time of tracing views.
        "augment": {"jitter": 0.0, "grayscale": 0.0},
        "model": TINY_MODEL,
        "train": {"batch_size": 16, "epochs": 1, "warmup_epochs": 0},
    }
)


def _channel(artifact_type):
    return channel_utils.as_channel([artifact_type()])


def test_trainer_carries_settings_and_digest():
    settings = _CONFIG.to_dict("augment", "model", "train")
    trainer = pretrainer(
        _channel(standard_artifacts.Examples),
        _channel(standard_artifacts.Schema),
        settings,
        checkpoints="/somewhere",
        report=_channel(IngestionReport),
    )
    assert sorted(trainer.inputs) == ["examples", "report", "schema"]
    assert sorted(trainer.outputs) == ["model", "model_run"]
    parameters = trainer.spec.exec_properties
    assert parameters["run_fn"] == "components.pretrainer.run_fn.run_fn"
    custom = json.loads(parameters["custom_config"])
    assert custom["settings"] == json.loads(json.dumps(settings))
    assert len(custom["code_digest"]) == 64
    assert custom["checkpoints"] == "/somewhere"
    assert parameters.get("module_file") is None


def test_a_changed_file_of_the_encoder_changes_the_trainers_request(tmp_path):
    path = tmp_path / "encoder.keras"
    changes = {"model": {"encoder": str(path)}}

    def request(content):
        path.write_bytes(content)
        settings = _CONFIG.replace(changes).to_dict("augment", "model", "train")
        trainer = pretrainer(
            _channel(standard_artifacts.Examples), _channel(standard_artifacts.Schema), settings
        )
        return trainer.spec.exec_properties["custom_config"]

    assert request(b"one") == request(b"one") != request(b"two")
    assert json.loads(request(b"one"))["model_files"][str(path)]


def test_a_changed_file_of_the_encoder_begins_a_new_training(tmp_path):
    custom = _arguments(tmp_path, tmp_path).custom_config
    folders = [
        run_fn._checkpoint_dir(
            TrainerRequest.from_custom_config({**custom, "model_files": files}), ["data"]
        )
        for files in ({}, {}, {"a": "1"}, {"a": "2"})
    ]
    assert folders[0] == folders[1]
    assert len(set(folders)) == 3


def test_a_request_is_read_back_and_what_it_lacks_is_named():
    request = TrainerRequest.from_custom_config(_REQUEST)
    assert TrainerRequest.from_custom_config(json.loads(request.to_json())) == request
    lacking = {name: value for name, value in _REQUEST.items() if name != "code_digest"}
    with pytest.raises(InputError, match="custom_config of the Trainer.*code_digest"):
        TrainerRequest.from_custom_config(lacking)


def test_evaluator_channels():
    evaluator = RepresentationEvaluator(
        _channel(standard_artifacts.Examples),
        _channel(IngestionReport),
        _channel(standard_artifacts.Model),
        _channel(standard_artifacts.ModelRun),
        {"draws": 2},
    )
    assert evaluator.outputs["evaluation"].type is standard_artifacts.ModelEvaluation
    assert evaluator.outputs["blessing"].type is standard_artifacts.ModelBlessing
    assert json.loads(evaluator.spec.exec_properties["evaluate_config"]) == {"draws": 2}


def _write_examples(root):
    for split, numbers in (("train", range(32)), ("eval", range(32, 44))):
        directory = root / "examples" / f"Split-{split}"
        directory.mkdir(parents=True)
        with tf.io.TFRecordWriter(str(directory / "data_tfrecord-00000-of-00001")) as writer:
            for number in numbers:
                image = check_image(encode(photo(number)), 10**6)
                record = features.encode_example(image, b"", "", number % 2, b"even or odd")
                writer.write(record)


def _arguments(root, outputs, config=_CONFIG):
    """What TFX's Trainer hands to `run_fn`; a new folder for outputs in each execution."""
    return types.SimpleNamespace(
        custom_config={
            "settings": config.to_dict("augment", "model", "train"),
            "code_digest": "of the code",
            "checkpoints": str(root / "checkpoints"),
            "model_files": {},
        },
        train_files=[str(root / "examples" / "Split-train" / "*")],
        eval_files=[str(root / "examples" / "Split-eval" / "*")],
        serving_model_dir=str(outputs / "model" / "Format-Serving"),
        model_run_dir=str(outputs / "model_run"),
    )


_LINEAGE = to_plain(
    make_lineage(ImageLineage({"train": 32, "eval": 12}, "d" * 64, "photos", 45, {}), "c")
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Examples, model and model_run artifacts of a real, tiny training."""
    root = tmp_path_factory.mktemp("trained")
    _write_examples(root)
    (root / "report").mkdir()
    summary = {"source": "photos", "files": 45, "kept": {"train": 32, "eval": 12}}
    summary |= {"rejected": {"not an image": 1}, "classes": {}}
    (root / "report" / "summary.json").write_text(json.dumps(summary))
    arguments = _arguments(root, root)
    arguments.custom_config["lineage"] = _LINEAGE
    run_fn.run_fn(arguments)
    bad = {"file": "bad.png", "reason": "not an image", "detail": ""}
    (root / "report" / "rejected.jsonl").write_text(json.dumps(bad) + "\n")
    artifacts = {
        "examples": standard_artifacts.Examples(),
        "report": IngestionReport(),
        "model": standard_artifacts.Model(),
        "model_run": standard_artifacts.ModelRun(),
    }
    for name, artifact in artifacts.items():
        artifact.uri = str(root / name)
    artifacts["examples"].split_names = '["train", "eval"]'
    return root, artifacts


def test_run_fn_exports_the_trained_and_the_untrained_encoder(trained):
    root, _ = trained
    image = tf.constant([encode(photo(0))])
    embeddings = []
    for path in (root / "model" / "Format-Serving", root / "model_run" / "untrained"):
        model = tf.saved_model.load(str(path))
        embeddings.append(model.signatures["serving_default"](image)["embedding"].numpy())
        assert embeddings[-1].shape == (1, 32)
    assert np.abs(embeddings[0] - embeddings[1]).max() > 1e-3
    encoder = keras.models.load_model(root / "model_run" / "encoder.keras")
    pixels = tf.round(fit_to_square(photo(0), 8))[None]
    np.testing.assert_allclose(encoder(pixels, training=False), embeddings[0], atol=1e-5)
    history = json.loads((root / "model_run" / "history.json").read_text())
    assert len(history["loss"]) == 1
    settings = read_metadata(str(root / "model" / "Format-Serving"))["settings"]
    assert Config.from_dict(settings).train == _CONFIG.train


def test_run_fn_leaves_curves_and_the_last_checkpoint(trained):
    root, _ = trained
    curves = scalars(root / "model_run" / "logs" / "train")
    history = json.loads((root / "model_run" / "history.json").read_text())
    assert curves["epoch_loss"] == pytest.approx(dict(enumerate(history["loss"])))
    (folder,) = (root / "checkpoints").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint-00000002.npz",
        "finished.json",
    ]


def test_run_fn_notes_the_lineage_in_every_model(trained):
    root, _ = trained
    for path in (root / "model" / "Format-Serving", root / "model_run" / "untrained"):
        assert to_plain(read_lineage(path).lineage) == _LINEAGE


_REQUEST = {
    "settings": {"train": {"epochs": 1}},
    "code_digest": "c",
    "checkpoints": None,
    "model_files": {},
    "of Vertex AI": 1,
}


def test_the_executor_finds_out_where_the_model_comes_from(trained, monkeypatch):
    given, (_, artifacts) = {}, trained

    def do(self, input_dict, output_dict, exec_properties):
        given.update(json.loads(exec_properties["custom_config"]))

    monkeypatch.setattr(trainer_executor.Executor.__base__, "Do", do)
    parameters = {"custom_config": json.dumps(_REQUEST)}
    inputs = {name: [artifacts[name]] for name in ("examples", "report")}
    before = dict(parameters)
    context = trainer_executor.Executor.Context(unique_id="5", pipeline_run_id="a run")
    trainer_executor.Executor(context).Do(inputs, {}, parameters)
    assert given["of Vertex AI"] == 1
    noted = from_plain(Lineage, given["lineage"], "the request")
    assert noted.images.kept == {"train": 32, "eval": 12}
    assert (noted.images.source, noted.images.rejected) == ("photos", {"not an image": 1})
    assert noted.code.digest == "c"
    assert noted.run == {"run": "a run", "execution": "5"}
    trainer_executor.Executor().Do({"examples": inputs["examples"]}, {}, parameters)
    noted = from_plain(Lineage, given["lineage"], "the request")
    assert noted.images.source is None and noted.run == {}
    assert parameters == before  # what ML Metadata keeps, and the cache goes by


@pytest.fixture
def exported(monkeypatch):
    """Dict from folder to the weights that were to be exported there, which is not done."""
    weights = {}

    def note(model, path, *_, **__):
        os.makedirs(path)
        weights[pathlib.Path(path)] = model.get_weights()

    monkeypatch.setattr(run_fn, "export_saved_model", note)
    return weights


def _assert_same_weights(one, other):
    assert len(one) > 0
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_training_that_has_ended_is_not_done_again_but_other_settings_are(
    tmp_path, monkeypatch, exported
):
    """TFX may be killed before it takes note of the outputs, which are lost then."""
    _write_examples(tmp_path)
    steps, checked = [], StopOnNonFinite.on_train_batch_end
    monkeypatch.setattr(
        StopOnNonFinite,
        "on_train_batch_end",
        lambda self, batch, logs=None: (steps.append(batch), checked(self, batch, logs)),
    )
    run_fn.run_fn(_arguments(tmp_path, tmp_path / "first"))
    run_fn.run_fn(_arguments(tmp_path, tmp_path / "second"))
    assert len(steps) == 2
    served = [tmp_path / name / "model" / "Format-Serving" for name in ("first", "second")]
    _assert_same_weights(*(exported[path] for path in served))
    (before,) = (tmp_path / "checkpoints").iterdir()
    slower = _CONFIG.replace({"train": {"base_learning_rate": 0.01}})
    run_fn.run_fn(_arguments(tmp_path, tmp_path / "slower", slower))
    assert len(steps) == 4  # the rate is none of a checkpoint's identity, but this one had ended
    assert list((tmp_path / "checkpoints").iterdir()) == [before]
    other = _CONFIG.replace({"train": {"seed": 1}})
    run_fn.run_fn(_arguments(tmp_path, tmp_path / "other", other))
    (after,) = (tmp_path / "checkpoints").iterdir()
    assert after != before


@pytest.mark.slow
def test_a_trainer_that_was_killed_goes_on_in_its_next_execution(tmp_path, monkeypatch, exported):
    _write_examples(tmp_path)
    config = _CONFIG.replace({"train": {"epochs": 3, "checkpoint_steps": 1}})
    steps, checked = [], StopOnNonFinite.on_train_batch_end

    def count(self, batch, logs=None):
        checked(self, batch, logs)
        if logs:
            steps.append(logs["loss"])
        if len(steps) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(StopOnNonFinite, "on_train_batch_end", count)
    first, second, other = (tmp_path / name for name in ("first", "second", "other"))
    with pytest.raises(KeyboardInterrupt):
        run_fn.run_fn(_arguments(tmp_path, first, config))
    assert not (first / "model").exists()
    (saved,) = (tmp_path / "checkpoints").iterdir()

    # Other settings are another training; they neither use nor harm what was saved.
    slower = config.replace({"train": {"base_learning_rate": 0.01, "epochs": 1}})
    run_fn.run_fn(_arguments(tmp_path, other, slower))
    assert len(steps) == 6
    assert saved in (tmp_path / "checkpoints").iterdir()

    run_fn.run_fn(_arguments(tmp_path, second, config))
    assert len(steps) == 6 + 3  # of six steps, four were made and three saved
    history = json.loads((second / "model_run" / "history.json").read_text())
    assert len(history["loss"]) == 3
    assert history["loss"][0] == pytest.approx(steps[1])
    curves = scalars(second / "model_run" / "logs" / "train")
    assert curves["epoch_loss"] == pytest.approx(dict(enumerate(history["loss"])))
    assert list((tmp_path / "checkpoints").iterdir()) == [saved]  # the other one has ended
    untrained = [exported[folder / "model_run" / "untrained"] for folder in (first, second)]
    _assert_same_weights(*untrained)


def test_the_epochs_that_are_noted_are_those_that_minutes_came_to(tmp_path, monkeypatch):
    _write_examples(tmp_path)
    monkeypatch.setattr(time_budget, "step_seconds", lambda model, data, steps: 10.0)
    noted = {}

    def export(model, path, metadata, projector=False, reference=None):
        noted[path] = dict(metadata["settings"]["train"])

    monkeypatch.setattr(run_fn, "export_saved_model", export)
    config = _CONFIG.replace({"train": {"minutes": 1.0}})
    assert config.train.epochs == 1
    outputs = tmp_path / "outputs"
    run_fn.run_fn(_arguments(tmp_path, outputs, config))
    history = json.loads((outputs / "model_run" / "history.json").read_text())
    assert len(history["loss"]) == 3  # of 2 steps
    assert len(noted) == 3  # before the training, with its projector, to be served
    assert all((train["epochs"], train["minutes"]) == (3, 1.0) for train in noted.values())


def _evaluate(trained, tmp_path, config, last_blessed=()):
    _, artifacts = trained
    evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
    for name, artifact in (("evaluation", evaluation), ("blessing", blessing)):
        (tmp_path / name).mkdir()
        artifact.uri = str(tmp_path / name)
    evaluator_executor.Executor().Do(
        {
            **{name: [artifact] for name, artifact in artifacts.items()},
            "last_blessed": list(last_blessed),
        },
        {"evaluation": [evaluation], "blessing": [blessing]},
        {"evaluate_config": json.dumps(vars(config))},
    )
    return read_json(Evaluation, tmp_path / "evaluation" / "evaluation.json"), blessing


@pytest.fixture(scope="module")
def evaluated(trained, tmp_path_factory):
    """What the evaluator finds without a predecessor: (evaluation, blessing, folder)."""
    folder = tmp_path_factory.mktemp("evaluated")
    return *_evaluate(trained, folder, EvaluateConfig(draws=2)), folder


def test_evaluator_measures_the_three_representations(trained, evaluated):
    evaluation, blessing, _ = evaluated
    assert evaluation.comparison is None
    results = evaluation.representations
    assert sorted(results) == ["pretrained encoder", "raw pixels", "untrained encoder"]
    assert results["raw pixels"].dimension == 8 * 8 * 3
    assert results["pretrained encoder"].dimension == 32
    for result in results.values():
        assert 0 <= result.few_shot_probe.accuracy <= 1
        assert result.linear_probe.labels == 32
    assert (evaluation.train_images, evaluation.test_images) == (32, 12)
    assert blessing.get_int_custom_property("blessed") == evaluation.verdict.blessed
    assert blessing.get_string_custom_property("current_model") == trained[1]["model"].uri


def test_evaluator_leaves_a_report_of_the_run(evaluated):
    evaluation, _, folder = evaluated
    facts = read_report(folder / "evaluation" / "report.json")
    assert facts.evaluation == evaluation
    assert facts.data == "photos"
    assert facts.ingestion.first_rejected[0].file == "bad.png"
    assert len(facts.history["loss"]) == 1
    assert sorted(facts.spectrum) == ["encoder features", "projected embeddings"]
    assert facts.spectrum["projected embeddings"].dimension == 8
    assert facts.spectrum["encoder features"].images == 12
    assert len(facts.map.points) == 12
    assert len(facts.neighbors) == 10
    assert facts.settings["train"]["batch_size"] == 16
    assert facts.settings["evaluate"]["draws"] == 2
    page = (folder / "evaluation" / "report.html").read_text()
    assert "photos" in page and "bad.png" in page


def test_the_last_blessed_model_is_compared_with_and_a_gate_that_fails_gives_no_blessing(
    trained, tmp_path
):
    root, _ = trained
    shutil.copytree(root / "model", tmp_path / "predecessor")
    predecessor = standard_artifacts.Model()
    predecessor.uri = str(tmp_path / "predecessor")
    config = EvaluateConfig(draws=2, min_effective_rank=1e6)
    evaluation, blessing = _evaluate(trained, tmp_path, config, last_blessed=[predecessor])
    assert evaluation.comparison.linear_probe.value == 0.0
    assert evaluation.comparison.images == 12
    assert not evaluation.verdict.blessed
    assert blessing.get_int_custom_property("blessed") == 0
    assert (tmp_path / "blessing" / "NOT_BLESSED").exists()
    assert not (tmp_path / "blessing" / "BLESSED").exists()


@pytest.mark.parametrize("gone", [True, False])
def test_a_last_blessed_model_that_is_gone_or_the_same_is_left_out(
    trained, tmp_path, monkeypatch, gone
):
    def evaluate_models(models, *_):
        raise InterruptedError(sorted(models))

    monkeypatch.setattr(evaluator_executor, "evaluate_models", evaluate_models)
    _, artifacts = trained
    last = standard_artifacts.Model()
    last.uri = str(tmp_path / "nowhere") if gone else artifacts["model"].uri
    with pytest.raises(InterruptedError, match=r"\['pretrained encoder', 'untrained encoder'\]"):
        _evaluate(trained, tmp_path, EvaluateConfig(draws=2), last_blessed=[last])
