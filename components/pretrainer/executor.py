"""Executor of the Trainer."""

import json

from tfx.components.trainer import executor

from components.runtime_settings import overridden


class Executor(executor.GenericExecutor):
    """TFX's, with runtime parameters in the place of the settings that they stand for."""

    def Do(self, input_dict, output_dict, exec_properties):
        """Trains.

        Args:
            input_dict: "examples", "schema".
            output_dict: "model", "model_run".
            exec_properties: As of TFX's Trainer; in the JSON "custom_config"
                are the "settings", see `components.runtime_settings`.
        """
        custom = json.loads(exec_properties["custom_config"])
        custom["settings"] = overridden(custom["settings"], exec_properties)
        changed = {**exec_properties, "custom_config": json.dumps(custom)}
        super().Do(input_dict, output_dict, changed)
