"""Executor of the Trainer."""

import dataclasses
import json
from typing import Any

from tfx import types
from tfx.components.trainer import executor

from components.pretrainer.request import TrainerRequest
from components.runtime_settings import overridden


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
            report=self._report(input_dict),
            run=self._run(),
        )
        changed = {**exec_properties, "custom_config": request.put_into(custom)}
        super().Do(input_dict, output_dict, changed)

    @staticmethod
    def _report(input_dict: dict[str, list[types.Artifact]]) -> str | None:
        (report,) = input_dict.get("report") or [None]
        return report and report.uri

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
