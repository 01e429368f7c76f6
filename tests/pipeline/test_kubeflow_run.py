"""The compiled pipeline, run task by task through TFX's own container entry point."""

import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tfx.extensions.google_cloud_ai_platform import training_clients
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor as entry_point

from pipeline import kubeflow_cli, kubeflow_runner
from tests.conftest import write_bright_and_dark
from tests.pipeline.kubeflow_simulator import Simulator, filled_in, run_command

pytestmark = pytest.mark.slow

# Training and blessing as compiled would be long, and would fail: the run says otherwise.
_COMPILED = (
    "--model.image_size 8 --model.depth 10 --model.width 4 --model.projector_hidden 16 "
    "--model.embedding_dim 8 --train.batch_size 16 --train.epochs 500 --train.warmup_epochs 0 "
    "--evaluate.draws 2 --evaluate.min_effective_rank 1000 --evaluate.require_gain false"
).split()
_RUN = {"train_epochs": 2, "evaluate_min_effective_rank": 0.5}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / "photos"
    write_bright_and_dark(folder, 60)
    return folder


def _compile(folder, *flags):
    arguments = kubeflow_cli.parse(
        ["--data", "/not/there", "--root", str(folder / "root"), "--image", "image"]
        + ["--output", str(folder / "pipeline.json"), *_COMPILED, *flags]
    )
    kubeflow_runner.compile_pipeline(arguments)
    return json.loads((folder / "pipeline.json").read_text())["pipelineSpec"]


@pytest.fixture(scope="module")
def done(images, tmp_path_factory):
    """The whole chain with labels, once; compiled for other images, which are not there."""
    folder = tmp_path_factory.mktemp("kubeflow")
    labels = folder / "labels.csv"
    names = sorted(str(path.relative_to(images)) for path in images.rglob("*.png"))
    lines = [f"{name},{'hell' if 'bright' in name else 'dunkel'}\n" for name in names]
    labels.write_text("filename,label\n" + "".join(lines))
    compiled = _compile(folder, "--labels", str(labels))
    run = Simulator(compiled, folder / "run", {"data": str(images), **_RUN})
    run.run()
    run.serving = folder / "root" / "serving"
    return run


def _pushed(run):
    return run.outputs["Pusher"]["pushed_model"]["metadata"]


def test_from_images_to_a_pushed_model(done, images):
    order = done.order()
    assert order[0] == "ImageExampleGen" and order.index("Pusher") < order.index(
        "ClassifierTrainer"
    )
    report = pathlib.Path(done.outputs["ImageExampleGen"]["report"]["uri"])
    summary = json.loads((report / "summary.json").read_text())
    assert sum(summary["kept"].values()) == 60
    examples = done.outputs["ImageExampleGen"]["examples"]["metadata"]
    assert json.loads(examples["class_names"]) == ["bright", "dark"]

    model_run = pathlib.Path(done.outputs["Trainer"]["model_run"]["uri"])
    history = json.loads((model_run / "history.json").read_text())
    assert {len(values) for values in history.values()} == {2}  # not 500 epochs

    (version,) = done.serving.iterdir()
    assert _pushed(done)["pushed_destination"] == str(version)
    model = tf.saved_model.load(str(version))
    png = (images / "dark" / "0.png").read_bytes()
    embedding = model.signatures["serving_default"](tf.constant([png]))["embedding"]
    assert embedding.shape == (1, 32) and np.isfinite(embedding).all()
    assert "# An encoder of images" in (version / "README.md").read_text()


def test_labels_become_a_pushed_classifier(done, images):
    assert done.outputs["ClassifierEvaluator"]["blessing"]["metadata"]["blessed"] == 1
    (version,) = done.serving.with_name("serving-classifier").iterdir()
    pushed = done.outputs["ClassifierPusher"]["pushed_model"]["metadata"]
    assert pushed["pushed_destination"] == str(version)
    classify = tf.saved_model.load(str(version)).signatures["classify"]
    files = [images / "dark" / "0.png", images / "bright" / "1.png"]
    found = classify(image_bytes=tf.constant([path.read_bytes() for path in files]))
    assert found["label"].numpy().tolist() == [b"dunkel", b"hell"]
    assert "# A classifier of images" in (version / "README.md").read_text()


def test_the_blessing_names_the_model_as_vertex_does(done):
    blessing = done.outputs["RepresentationEvaluator"]["blessing"]["metadata"]
    assert blessing["blessed"] == 1
    assert blessing["current_model_id"] == done.outputs["Trainer"]["model"]["name"]


def test_a_served_model_is_pushed_no_more_but_one_that_is_gone_is(done):
    (first,) = done.serving.iterdir()
    done.run("Pusher")
    assert [*done.serving.iterdir()] == [first]
    assert _pushed(done)["pushed"] == 1 and _pushed(done)["pushed_version"] == first.name
    shutil.rmtree(done.serving)
    done.run("Pusher")
    (version,) = done.serving.iterdir()
    assert (version / "saved_model.pb").exists()


def test_a_predecessor_that_a_resolver_finds_reaches_the_evaluator(done):
    done.resolved["LastBlessed-model-resolver"] = {"model": done.outputs["Trainer"]["model"]}
    done.run("LastBlessed-model-resolver", "RepresentationEvaluator")
    given = done.executor_input("RepresentationEvaluator")["inputs"]["artifacts"]
    assert given["last_blessed"]["artifacts"][0]["uri"].endswith("/model")
    assert done.outputs["RepresentationEvaluator"]["blessing"]["metadata"]["blessed"] == 1


class _Vertex(training_clients.VertexJobClient):
    """TFX's client of Vertex AI, but a job's command runs here and now."""

    def create_client(self):
        pass

    def launch_job(self, project, training_job):
        (pool,) = training_job["job_spec"]["worker_pool_specs"]
        assert (project, self._region) == ("my-project", "europe-west4")
        assert pool["machine_spec"] == {"machine_type": "n1-standard-8"}
        assert pool["container_spec"]["image_uri"] == "image"
        run_command(pool["container_spec"]["command"], "/")

    def get_job(self):
        return None

    def get_job_state(self, response):
        return self.JOB_STATES_COMPLETED[0]


def test_the_job_that_vertex_is_sent_trains(done, tmp_path, monkeypatch):
    monkeypatch.setattr(training_clients, "VertexJobClient", _Vertex)
    flags = ["--vertex-training", "my-project:europe-west4", "--machine", "n1-standard-8"]
    run = Simulator(_compile(tmp_path, *flags), tmp_path / "run", _RUN)
    run.outputs = done.outputs
    given = run.executor_input("Trainer")
    words = filled_in(run.executor("Trainer")["container"]["args"], given)
    entry_point.main(entry_point._parse_flags(["python", *words]))
    outputs = given["outputs"]["artifacts"]
    model = pathlib.Path(outputs["model"]["artifacts"][0]["uri"])
    assert (model / "Format-Serving" / "saved_model.pb").exists()
    model_run = pathlib.Path(outputs["model_run"]["artifacts"][0]["uri"])
    history = json.loads((model_run / "history.json").read_text())
    assert {len(values) for values in history.values()} == {2}
