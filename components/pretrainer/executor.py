"""Executor of the Trainer."""

import json
from typing import Any

from tfx import types
from tfx.components.trainer import executor

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
            exec_properties: As of TFX's Trainer; in the JSON "custom_config"
                are the "settings", see `components.runtime_settings`.
        """
        custom = json.loads(exec_properties["custom_config"])
        custom["settings"] = overridden(custom["settings"], exec_properties)
        custom["report"] = self._report(input_dict)
        custom["run"] = self._run()
        changed = {**exec_properties, "custom_config": json.dumps(custom)}
        super().Do(input_dict, output_dict, changed)

    @staticmethod
    def _report(input_dict: dict[str, list[types.Artifact]]) -> str | None:
        (report,) = input_dict.get("report") or [None]
        return report and report.uri

    def _run(self) -> dict[str, Any]:
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
        return {name: value for name, value in facts.items() if value}
