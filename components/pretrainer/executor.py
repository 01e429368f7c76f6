"""Executor of the Trainer."""

import dataclasses
import json
from typing import Any

from tfx import types
from tfx.components.trainer import executor
from tfx.types import artifact_utils

from components.code_digest import git_commit
from components.pretrainer.request import TrainerRequest
from components.runtime_settings import overridden
from tf_scl.data.input_pipeline import record_files
from tf_scl.dataclass_json import to_plain
from tf_scl.ingestion.summary import SPLITS
from tf_scl.serving.lineage import Lineage, image_lineage, make_lineage


class Executor(executor.GenericExecutor):
    """TFX's, with runtime parameters in the place of the settings that they stand for."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains.

        Args:
            input_dict: "examples", "schema"; and "report", where there is one.
            output_dict: "model", "model_run".
            exec_properties: As of TFX's Trainer; the JSON "custom_config" is a
                `TrainerRequest`, whose settings `components.runtime_settings` may override.
        """
        custom = exec_properties["custom_config"]
        request = TrainerRequest.from_custom_config(json.loads(custom))
        request = dataclasses.replace(
            request,
            settings=overridden(request.settings, exec_properties),
            lineage=to_plain(self._lineage(request, input_dict)),
        )
        changed = {**exec_properties, "custom_config": request.put_into(custom)}
        super().Do(input_dict, output_dict, changed)

    def _lineage(
        self, request: TrainerRequest, input_dict: dict[str, list[types.Artifact]]
    ) -> Lineage:
        examples = input_dict["examples"]
        files = {
            split: [
                path
                for folder in artifact_utils.get_split_uris(examples, split)
                for path in record_files(folder)
            ]
            for split in SPLITS
        }
        (report,) = input_dict.get("report") or [None]
        images = image_lineage(files, report and report.uri)
        digest, files_of_model = request.code_digest, request.model_files
        return make_lineage(images, digest, git_commit(), self._run(), files_of_model)

    def _run(self) -> dict[str, str]:
        """What the runner tells of the run; less on Kubeflow than on this machine."""
        context = self._context
        if context is None:
            return {}
        info = context.pipeline_info
        facts = {
            "pipeline": info and info.id,
            "run": context.pipeline_run_id,
            "execution": getattr(context, "_unique_id", None),
        }
        return {name: str(value) for name, value in facts.items() if value}
