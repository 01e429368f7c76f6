"""The graph of the local runner, with what is Kubeflow's own put in."""

from collections.abc import Iterable
from typing import Any

from kfp.pipeline_spec import pipeline_spec_pb2
from tfx import v1 as tfx
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.orchestration.data_types import RuntimeParameter

from components.image_example_gen import local_beam
from components.last_blessed import latest_blessed
from components.pretrainer.component import train_on_vertex
from components.runtime_settings import open_settings
from pipeline.kubeflow_cli import VERTEX, Arguments
from pipeline.pipeline import create_pipeline
from tf_scl.config import Config
from tf_scl.errors import InputError

PIPELINE_NAME = "tf-scl"
# Where docker/Dockerfile puts the checkout.
SETUP_FILE = "/app/setup.py"
OPEN_SECTIONS = {
    "Trainer": "train",
    "RepresentationEvaluator": "evaluate",
    "ClassifierTrainer": "classify",
    "ClassifierEvaluator": "evaluate",  # the same parameters as RepresentationEvaluator's
}


def make_graph(
    arguments: Arguments,
) -> tuple[tfx.dsl.Pipeline, list[RuntimeParameter]]:
    """Makes the graph for `kubeflow_cli.Arguments`.

    Returns:
        `tfx.dsl.Pipeline` and the list of its `RuntimeParameter`.

    Raises:
        InputError: A Beam flag for a component that runs no Beam.
    """
    data = RuntimeParameter("data", str, arguments.data, "the source of images")
    graph = create_pipeline(
        PIPELINE_NAME,
        arguments.root,
        data,
        arguments.serving,
        arguments.config,
        # Kubeflow Pipelines has no resolvers: "resolver not implemented yet".
        resolve=latest_blessed if arguments.target == VERTEX else None,
        labels=arguments.labels,
        resolve_classifier=None,  # TFX's own strategy, which Vertex AI knows, is for models alone
    )
    components = {component.id: component for component in graph.components}
    parameters = [data, *_open_settings(components, arguments.config)]
    _give_beam_flags(components, arguments.beam)
    _place_trainer(components["Trainer"], arguments)
    return graph, parameters


def _open_settings(components: dict[str, Any], config: Config) -> list[RuntimeParameter]:
    """Makes runtime parameters of the settings of training and evaluation."""
    parameters: dict[str, RuntimeParameter] = {}
    for component, section in OPEN_SECTIONS.items():
        if component not in components:  # without labels there is no classifier
            continue
        for name, (value, text) in open_settings(config, [section]).items():
            parameter = RuntimeParameter(name, type(value), value, text)
            components[component].spec.exec_properties[name] = parameters.setdefault(
                name, parameter
            )
    return list(parameters.values())


def _give_beam_flags(components: dict[str, Any], flags: Iterable[tuple[str | None, str]]) -> None:
    """Every Beam component gets its flags, and our code for Beam's workers."""
    beam = [name for name, one in components.items() if isinstance(one, BaseBeamComponent)]
    for name, flag in flags:
        if name not in (None, *beam):
            raise InputError(f"--beam={name}={flag}: only {', '.join(sorted(beam))} run on Beam")
    for component in beam:
        own = [flag for name, flag in flags if name in (None, component)]
        if own and not any(flag.startswith("--setup_file") for flag in own):
            own.append(f"--setup_file={SETUP_FILE}")
        components[component].with_beam_pipeline_args(own or local_beam.one_process(SETUP_FILE))


def _place_trainer(trainer: Any, arguments: Arguments) -> None:
    """Machine and accelerator of the training."""
    kind, count = arguments.accelerator or (None, 0)
    if arguments.vertex_training:
        machine: dict[str, Any] = {"machine_type": arguments.machine}
        if kind:
            machine |= {"accelerator_type": kind, "accelerator_count": count}
        pool = {
            "machine_spec": machine,
            "replica_count": 1,
            "container_spec": {"image_uri": arguments.image},
        }
        train_on_vertex(trainer, *arguments.vertex_training, [pool])
    elif arguments.cpu or arguments.memory or kind:
        container = pipeline_spec_pb2.PipelineDeploymentConfig.PipelineContainerSpec
        resources = container.ResourceSpec(cpu_limit=arguments.cpu, memory_limit=arguments.memory)
        if kind:
            resources.accelerator.type, resources.accelerator.count = kind, count
        trainer.with_platform_config(resources)
