import json
import os

import pytest
from tfx.components.example_gen import input_processor
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import import_utils

from components.artifacts import IngestionReport
from components.code_digest import import_closure
from components.image_example_gen import kubeflow_hook, local_beam
from components.image_example_gen.component import ImageExampleGen
from components.image_example_gen.driver import SourceDriver
from components.image_example_gen.executor import Executor
from pipeline.local_run import SETUP_FILE
from tf_scl.config import IngestConfig
from tf_scl.data.sources.open_source import SCHEMES
from tf_scl.data.sources.source import Unit
from tf_scl.errors import InputError


def test_channels_and_parameters():
    component = ImageExampleGen("/images", {"eval_fraction": 0.3})
    assert component.outputs["examples"].type is standard_artifacts.Examples
    assert component.outputs["report"].type is IngestionReport
    parameters = component.spec.exec_properties
    assert parameters["input_base"] == "/images"
    assert json.loads(parameters["ingest_config"]) == {"eval_fraction": 0.3}
    assert len(parameters["code_digest"]) == 64


def test_executor_writes_splits_and_report(image_folder, tmp_path):
    examples, report = standard_artifacts.Examples(), IngestionReport()
    examples.uri, report.uri = str(tmp_path / "examples"), str(tmp_path / "report")
    flags = local_beam.one_process(SETUP_FILE)
    context = base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=flags)
    Executor(context).Do(
        {},
        {"examples": [examples], "report": [report]},
        {
            "input_base": str(image_folder),
            "ingest_config": json.dumps(vars(IngestConfig())),
        },
    )
    assert sorted(artifact_utils.decode_split_names(examples.split_names)) == ["eval", "train"]
    summary = json.loads((tmp_path / "report" / "summary.json").read_text())
    assert summary["files"] == 48 == sum(summary["kept"].values())
    names = examples.get_string_custom_property("class_names")
    assert json.loads(names) == ["cat", "dog"]
    for split in ("train", "eval"):
        assert list((tmp_path / "examples" / f"Split-{split}").iterdir())


def test_the_code_of_every_source_is_part_of_the_digest():
    closure = import_closure(Executor.__module__)
    for scheme in SCHEMES:
        assert f"tf_scl.data.sources.{scheme}_source" in closure


class _Source:
    def __init__(self, items, size):
        self._units = [Unit((), items, size)]

    def units(self):
        return self._units


@pytest.mark.parametrize(
    "items,size,cores,workers",
    [
        (1_800, 10**6, 2, 1),
        (60_000, 50 * 10**6, 1, 1),
        (10**6, 10**11, 2, 2),
        (10**6, 10**11, 16, 16),
    ],
)
def test_processes_are_started_where_they_pay(monkeypatch, items, size, cores, workers):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(cores))
    flags = local_beam.for_source(_Source(items, size), "setup.py")
    assert f"--direct_num_workers={workers}" in flags
    mode = "multi_processing" if workers > 1 else "in_memory"
    assert f"--direct_running_mode={mode}" in flags


def _fingerprint(folder):
    driver = SourceDriver.__new__(SourceDriver)
    processor = driver.get_input_processor([], None, str(folder))
    span, version = processor.resolve_span_and_version()
    assert (span, version) == (0, None)
    return processor.get_input_fingerprint(span, version)


def test_the_driver_sees_an_image_move_to_another_class(image_folder):
    before = _fingerprint(image_folder)
    assert _fingerprint(image_folder) == before
    (image_folder / "cat" / "00.png").rename(image_folder / "dog" / "00.png")
    assert _fingerprint(image_folder) != before


def test_the_driver_names_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        _fingerprint(tmp_path / "nowhere")


def _hook_fingerprint(folder, tmp_path, monkeypatch):
    """What Vertex AI is told before it looks into its cache."""
    # `main` exchanges this for its process; here it must come back.
    kept = input_processor.FileBasedInputProcessor
    monkeypatch.setattr(input_processor, "FileBasedInputProcessor", kept)
    component = ImageExampleGen(str(folder), {})
    output = tmp_path / "output.json"
    examples = {"type": {"schemaTitle": "tfx.Examples"}, "uri": "/examples", "name": "1"}
    given = {
        "inputs": {"parameterValues": component.spec.exec_properties},
        "outputs": {
            "artifacts": {"examples": {"artifacts": [examples]}},
            "outputFile": str(output),
        },
    }
    names = {name: {"parameterType": "STRING"} for name in component.spec.exec_properties}
    flags = [
        f"--json_serialized_invocation_args={json.dumps(given)}",
        f"--json_serialized_inputs_spec_args={json.dumps({'parameters': names})}",
    ]
    kubeflow_hook.main(kubeflow_hook.hook._parse_flags(["hook", *flags]))
    return json.loads(output.read_text())["parameterValues"]["input_fingerprint"]


def test_the_hook_of_vertex_sees_what_the_driver_sees(image_folder, tmp_path, monkeypatch):
    before = _hook_fingerprint(image_folder, tmp_path, monkeypatch)
    assert before == _fingerprint(image_folder)
    (image_folder / "cat" / "00.png").rename(image_folder / "dog" / "00.png")
    assert _hook_fingerprint(image_folder, tmp_path, monkeypatch) != before


def test_the_type_of_the_report_is_found_by_its_name():
    assert import_utils.import_class_by_path(IngestionReport.TYPE_NAME) is IngestionReport
