import json

import pytest
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts

from components.artifacts import IngestionReport
from components.image_example_gen.component import ImageExampleGen
from components.image_example_gen.driver import ImageFolderDriver
from components.image_example_gen.executor import Executor
from pipeline.local_runner import BEAM_ARGS
from tf_scl.config import IngestConfig
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
    context = base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=list(BEAM_ARGS))
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
    for split in ("train", "eval"):
        assert list((tmp_path / "examples" / f"Split-{split}").iterdir())


def _fingerprint(folder):
    driver = ImageFolderDriver.__new__(ImageFolderDriver)
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
