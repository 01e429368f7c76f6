"""Executor of ImageExampleGen."""

import json
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils

from components.artifacts import CLASS_NAMES
from tf_scl.config import Config
from tf_scl.data.sources.open_source import open_source
from tf_scl.ingestion import ingest
from tf_scl.ingestion.summary import SPLITS


class Executor(base_beam_executor.BaseBeamExecutor):
    """Runs `tf_scl.ingestion.ingest.ingest` on the configured Beam runner."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the examples and the report.

        Args:
            input_dict: Empty.
            output_dict: "examples", "report".
            exec_properties: "input_base", the source, as `open_source` reads
                it; "ingest_config", JSON of `IngestConfig`.
        """
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        config = Config.from_dict({"ingest": json.loads(exec_properties["ingest_config"])})
        summary = ingest.ingest(
            self._make_beam_pipeline,
            open_source(exec_properties["input_base"]),
            config.ingest,
            {split: os.path.join(examples.uri, f"Split-{split}") for split in SPLITS},
            artifact_utils.get_single_uri(output_dict["report"]),
        )
        examples.set_string_custom_property(CLASS_NAMES, json.dumps(list(summary.classes)))
        examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
