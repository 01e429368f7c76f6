"""The compiled files, read by those who will read them, and held against the local graph."""

import json

import pytest
import yaml
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
from google.cloud.aiplatform.utils.pipeline_utils import PipelineRuntimeConfigBuilder
from kfp import components as kfp_components
from kfp.client import client as kfp_client
from tfx.dsl.components.common.resolver import Resolver
from tfx.utils import import_utils

from pipeline import kubeflow_cli, kubeflow_runner
from pipeline.pipeline import create_pipeline
from tf_scl.config import Config, preset
from tf_scl.errors import InputError

_FLAGS = ["--data", "tfrecord:gs://b/images-*", "--root", "gs://b/tf_scl", "--image", "r/tf_scl:1"]


def _compile(folder, name, *flags):
    path = folder / name
    arguments = kubeflow_cli.parse([*_FLAGS, "--output", str(path), *flags])
    kubeflow_runner.compile_pipeline(arguments)
    text = path.read_text()
    return yaml.safe_load(text) if name.endswith("yaml") else json.loads(text)["pipelineSpec"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with pipeline.yaml and pipeline.json, and both specs."""
    folder = tmp_path_factory.mktemp("compiled")
    return folder, _compile(folder, "pipeline.yaml"), _compile(folder, "pipeline.json")


@pytest.fixture(scope="module")
def labeled(tmp_path_factory):
    """The path of a file of labels, and the specs for Kubeflow Pipelines and Vertex AI with it."""
    folder = tmp_path_factory.mktemp("labeled")
    labels = folder / "labels.csv"
    labels.write_text("filename,label\na.png,x\nb.png,y\n")
    names = ("pipeline.yaml", "pipeline.json")
    return str(labels), *(_compile(folder, name, "--labels", str(labels)) for name in names)


def _container(spec, name):
    return spec["deploymentSpec"]["executors"][f"{name}_executor"]["container"]


def _constant(spec, task, name):
    parameter = spec["root"]["dag"]["tasks"][task]["inputs"]["parameters"][name]
    return parameter["runtimeValue"]["constant"]


def test_kfp_reads_the_yaml(files):
    folder, spec, _ = files
    package = kfp_client._extract_pipeline_yaml(str(folder / "pipeline.yaml"))
    assert package.pipeline_spec.pipeline_info.name == "tf-scl"
    assert sorted(package.pipeline_spec.root.dag.tasks) == sorted(spec["root"]["dag"]["tasks"])
    component = kfp_components.load_component_from_file(str(folder / "pipeline.yaml"))
    inputs = component.component_spec.inputs
    assert inputs["data"].default == "tfrecord:gs://b/images-*"
    assert (inputs["train_epochs"].type, inputs["train_epochs"].default) == ("Integer", 20)
    assert inputs["evaluate_min_effective_rank"].default == 2.0
    defined = package.pipeline_spec.root.input_definitions.parameters
    assert defined["train_epochs"].description == "passes over the images"
    with pytest.raises(ValueError, match="should end with"):
        kfp_client._extract_pipeline_yaml(str(folder / "pipeline.json"))


def test_vertex_reads_the_json(files):
    folder, _, _ = files
    job = json.loads((folder / "pipeline.json").read_text())
    builder = PipelineRuntimeConfigBuilder.from_job_spec_json(job)
    builder.update_runtime_parameters({"train_epochs": 3, "data": "tfds:cifar10"})
    config = builder.build()
    assert config["gcsOutputDirectory"] == "gs://b/tf_scl"
    assert config["parameterValues"] == {"train_epochs": 3, "data": "tfds:cifar10"}
    with pytest.raises(ValueError, match="epochs"):
        builder.update_runtime_parameters({"epochs": 3})
        builder.build()

    submitted = aiplatform.PipelineJob(
        display_name="tf-scl",
        template_path=str(folder / "pipeline.json"),
        parameter_values={"train_epochs": 3},
        project="p",
        location="europe-west4",
        credentials=AnonymousCredentials(),
    )
    tasks = submitted._gca_resource.pipeline_spec["root"]["dag"]["tasks"]
    assert "Trainer" in tasks and "LastBlessed-model-resolver" in tasks


def _local_graph(labels=None):
    folders = "/root", "/images", "/serving"
    graph = create_pipeline("tf_scl", *folders, preset("laptop"), labels=labels)
    edges = set()
    for component in graph.components:
        for key, channel in component.inputs.items():
            if isinstance(component, Resolver):  # TFX keeps no keys for what it looks through
                producers = channel.get_data_dependent_node_ids()
                edges |= {(producer, None, component.id, None) for producer in producers}
            else:
                edges.add((channel.producer_component_id, channel.output_key, component.id, key))
    return {component.id for component in graph.components}, edges


def _compiled_graph(spec):
    """Nodes and edges; the two tasks that a resolver becomes are one node again."""

    def node(task):
        return task.split("-")[0]

    edges = {
        (node(one["producerTask"]), one["outputArtifactKey"], node(name), key)
        for name, task in spec["root"]["dag"]["tasks"].items()
        for key, given in task.get("inputs", {}).get("artifacts", {}).items()
        for one in [given["taskOutputArtifact"]]
    }
    own = {edge for edge in edges if edge[0] == edge[2]}
    return {node(name) for name in spec["root"]["dag"]["tasks"]}, edges - own


def test_the_graph_is_that_of_the_local_runner(files):
    _, kfp, vertex = files
    nodes, edges = _local_graph()
    for name, spec in (("Kubeflow Pipelines", kfp), ("Vertex AI", vertex)):
        compiled_nodes, compiled_edges = _compiled_graph(spec)
        print(f"{name}: {len(compiled_nodes)} components, {len(compiled_edges)} edges")
        print(f"  local only: {sorted(nodes - compiled_nodes)} {sorted(edges - compiled_edges)}")
        assert compiled_nodes <= nodes and compiled_edges <= edges
    resolver = {edge for edge in edges if "LastBlessed" in edge}
    # Vertex AI's resolver asks its own store; Kubeflow Pipelines has none.
    asks = ("Trainer", None, "LastBlessed", None)
    assert _compiled_graph(vertex) == (nodes, edges - {asks})
    assert _compiled_graph(kfp) == (nodes - {"LastBlessed"}, edges - resolver)


def test_so_is_the_graph_with_labels(labeled):
    labels, kfp, vertex = labeled
    nodes, edges = _local_graph(labels)
    # The resolver of classifiers is none that Vertex AI knows.
    edges = {edge for edge in edges if "LastBlessedClassifier" not in edge}
    nodes -= {"LastBlessedClassifier"}
    asks = ("Trainer", None, "LastBlessed", None)
    assert _compiled_graph(vertex) == (nodes, edges - {asks})
    resolver = {edge for edge in edges if "LastBlessed" in edge}
    assert _compiled_graph(kfp) == (nodes - {"LastBlessed"}, edges - resolver)
    for spec in (kfp, vertex):
        tasks = spec["root"]["dag"]["tasks"]
        # Labels are looked at before the long work, and the encoder is served whatever comes after.
        assert "ImageLabelGen" in tasks["Trainer"]["dependentTasks"]
        assert "Pusher" in tasks["ClassifierTrainer"]["dependentTasks"]
        pushers = {name for name, task in tasks.items() if "cachingOptions" not in task}
        assert {"Pusher", "ClassifierPusher"} <= pushers
        assert _constant(spec, "ImageLabelGen", "source") == labels
        push = json.loads(_constant(spec, "ClassifierPusher", "push_destination"))
        assert push["filesystem"]["base_directory"] == "gs://b/tf_scl/serving-classifier"
        for pusher in ("Pusher", "ClassifierPusher"):
            assert json.loads(_constant(spec, pusher, "serve_config")) == {"license": "none"}


def test_settings_of_the_classifier_are_runtime_parameters(labeled):
    _, spec, _ = labeled
    tasks = spec["root"]["dag"]["tasks"]
    for name, value in preset("laptop").to_dict("classify")["classify"].items():
        if type(value) in (int, float, str):
            parameter = f"classify_{name}"
            assert tasks["ClassifierTrainer"]["inputs"]["parameters"][parameter] == {
                "componentInputParameter": parameter
            }
            defined = spec["root"]["inputDefinitions"]["parameters"][parameter]
            assert defined["defaultValue"] == value
    for evaluator in ("RepresentationEvaluator", "ClassifierEvaluator"):
        assert tasks[evaluator]["inputs"]["parameters"]["evaluate_seed"] == {
            "componentInputParameter": "evaluate_seed"
        }


def test_every_container_has_our_image_and_every_artifact_a_class(files, labeled):
    specs = [*files[1:], *labeled[1:]]
    for spec in specs:
        for name, executor in spec["deploymentSpec"]["executors"].items():
            if "resolver" not in executor:
                assert executor["container"]["image"] == "r/tf_scl:1", name
    components = [one for spec in (files[2], labeled[2]) for one in spec["components"].values()]
    for component in components:
        for artifact in component.get("outputDefinitions", {}).get("artifacts", {}).values():
            title = yaml.safe_load(artifact["artifactType"]["instanceSchema"])["title"]
            if not title.startswith("tfx."):
                assert import_utils.import_class_by_path(title).TYPE_NAME == title


def test_numbers_and_words_of_training_and_evaluation_are_runtime_parameters(files):
    _, spec, _ = files
    defined = spec["root"]["inputDefinitions"]["parameters"]
    settings = preset("laptop").to_dict("train", "evaluate")
    expected = {
        f"{section}_{name}": value
        for section, values in settings.items()
        for name, value in values.items()
        if type(value) in (int, float, str)
    }
    defaults = {name: parameter["defaultValue"] for name, parameter in defined.items()}
    assert defaults == {"data": "tfrecord:gs://b/images-*", **expected}
    tasks = spec["root"]["dag"]["tasks"]
    assert tasks["ImageExampleGen"]["inputs"]["parameters"]["input_base"] == {
        "componentInputParameter": "data"
    }
    for name in expected:
        task = "Trainer" if name.startswith("train") else "RepresentationEvaluator"
        given = tasks[task]["inputs"]["parameters"][name]
        assert given == {"componentInputParameter": name}


def test_the_hook_is_ours_and_the_pusher_is_not_cached(files):
    _, spec, _ = files
    hook = _container(spec, "ImageExampleGen")["lifecycle"]["preCacheCheck"]
    assert hook["command"][-1] == "components.image_example_gen.kubeflow_hook"
    cached = {
        name for name, task in spec["root"]["dag"]["tasks"].items() if "cachingOptions" in task
    }
    assert cached == set(spec["root"]["dag"]["tasks"]) - {"Pusher"}


def test_beam_flags_of_each_component(tmp_path):
    spec = _compile(
        tmp_path,
        "pipeline.yaml",
        "--beam=--runner=FlinkRunner",
        "--beam=ImageExampleGen=--flink_master=host:8081",
        "--beam=StatisticsGen=--setup_file=/elsewhere/setup.py",
    )
    ours = "--setup_file=/app/setup.py"
    given = {
        name: [word for word in _container(spec, name)["args"] if word.startswith("--")][3:]
        for name in ("ImageExampleGen", "StatisticsGen", "Trainer")
    }
    assert given == {
        "ImageExampleGen": ["--runner=FlinkRunner", "--flink_master=host:8081", ours],
        "StatisticsGen": ["--runner=FlinkRunner", "--setup_file=/elsewhere/setup.py"],
        "Trainer": [],
    }
    with pytest.raises(InputError, match="only ImageExampleGen, StatisticsGen run on Beam"):
        _compile(tmp_path, "pipeline.yaml", "--beam=Trainer=--runner=FlinkRunner")


def test_resources_of_the_trainer(tmp_path):
    flags = ["--cpu", "8", "--memory", "30", "--accelerator", "nvidia.com/gpu:2"]
    spec = _compile(tmp_path, "pipeline.yaml", *flags)
    assert _container(spec, "Trainer")["resources"] == {
        "cpuLimit": 8.0,
        "memoryLimit": 30.0,
        "accelerator": {"type": "nvidia.com/gpu", "count": "2"},
    }
    assert "resources" not in _container(spec, "ImageExampleGen")


def test_training_in_a_job_of_vertex(tmp_path):
    spec = _compile(
        tmp_path,
        "pipeline.json",
        *["--vertex-training", "my-project:europe-west4", "--machine", "n1-standard-8"],
        *["--accelerator", "NVIDIA_TESLA_T4:1"],
    )
    arguments = _container(spec, "Trainer")["args"]
    assert arguments[1] == "components.pretrainer.vertex_executor.Executor"
    custom = json.loads(_constant(spec, "Trainer", "custom_config"))
    assert custom["ai_platform_enable_vertex"] is True
    assert custom["ai_platform_vertex_region"] == "europe-west4"
    assert custom["ai_platform_training_args"] == {
        "project": "my-project",
        "job_spec": {
            "worker_pool_specs": [
                {
                    "machine_spec": {
                        "machine_type": "n1-standard-8",
                        "accelerator_type": "NVIDIA_TESLA_T4",
                        "accelerator_count": 1,
                    },
                    "replica_count": 1,
                    "container_spec": {"image_uri": "r/tf_scl:1"},
                }
            ]
        },
    }
    assert custom["settings"]["model"]["depth"] == 10


def test_the_settings_of_the_local_runner_are_compiled_in(files):
    _, spec, _ = files
    evaluate = json.loads(_constant(spec, "RepresentationEvaluator", "evaluate_config"))
    assert Config.from_dict({"evaluate": evaluate}).evaluate == preset("laptop").evaluate
    push = json.loads(_constant(spec, "Pusher", "push_destination"))
    assert push["filesystem"]["base_directory"] == "gs://b/tf_scl/serving"
