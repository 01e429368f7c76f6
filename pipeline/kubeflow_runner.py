"""Compiles the pipeline for Kubeflow: `python -m pipeline.kubeflow_runner --help`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tf_scl.logging_setup import load_tensorflow
from tf_scl.run_command import run_command

if TYPE_CHECKING:
    from tfx.orchestration.data_types import RuntimeParameter

    from pipeline import kubeflow_cli

_SUBMIT = {
    ".yaml": "kfp.Client().create_run_from_pipeline_package({output!r}, arguments={{}})",
    ".json": "google.cloud.aiplatform.PipelineJob("
    'display_name="tf-scl", template_path={output!r}, parameter_values={{}}).submit()',
}


def main(argv: Sequence[str] | None = None) -> int:
    """Compiles and says what came of it.

    Returns:
        Exit status: 0; 2 where something that the user gave cannot be used;
        130 where the user stopped it.
    """
    return run_command(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> None:
    from pipeline import kubeflow_cli

    # Of the compiler's many words none concerns the user.
    logging.captureWarnings(True)
    logging.basicConfig(level=logging.ERROR)
    arguments = kubeflow_cli.parse(argv)
    parameters = compile_pipeline(arguments)
    print(f"compiled: {arguments.output}, image {arguments.image}")
    print("runtime parameters:")
    for parameter in parameters:
        print(f"  {parameter.name:28} {parameter.default!r}")
    print(f"submit: {_SUBMIT[arguments.target].format(output=arguments.output)}", flush=True)


def compile_pipeline(arguments: kubeflow_cli.Arguments) -> list[RuntimeParameter]:
    """Writes the compiled file for `kubeflow_cli.Arguments`.

    Returns:
        List of the `RuntimeParameter` in it.

    Raises:
        InputError: A Beam flag for a component that runs no Beam, or a file
            that cannot be written.
    """
    # Heavy imports wait until the arguments are known to be good.
    load_tensorflow()
    # TFX hides a kfp that cannot be imported; this line does not.
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as kubeflow

    from pipeline import kubeflow_graph, kubeflow_spec

    graph, parameters = kubeflow_graph.make_graph(arguments)
    runner = kubeflow.KubeflowV2DagRunner(
        kubeflow.KubeflowV2DagRunnerConfig(
            default_image=arguments.image, use_pipeline_spec_2_1=True
        )
    )
    job = runner.run(graph, write_out=False)
    kubeflow_spec.complete(job, arguments.root, parameters)
    kubeflow_spec.write(job, arguments.output, arguments.target)
    return parameters


if __name__ == "__main__":
    sys.exit(main())
