"""Driver of AtomicPusher: tells TFX's cache whether the model is still being served."""

import uuid
from typing import Any

from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_driver
from tfx.orchestration import data_types_utils
from tfx.orchestration.portable import base_driver as ir_base_driver
from tfx.proto import pusher_pb2
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import artifact_utils
from tfx.utils import proto_utils

from components.atomic_pusher import served_versions

PUSH_KEY = "push"


class ServingFolderDriver(base_driver.BaseDriver, ir_base_driver.BaseDriver):
    """Adds the parameter "push", an identifier of the push that is wanted.

    While the newest version in the serving folder is this model, with a card of this evaluation
    and of what is stated now, it is the push that brought these, so a cached result is used.
    Where the version is gone, another model was pushed since, or the card is of something else,
    it is a new one. TFX alone would not look into the folder, and report a push whose result is
    gone.
    """

    def __init__(self, metadata_handle: Any) -> None:
        base_driver.BaseDriver.__init__(self, metadata_handle)
        ir_base_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: Any) -> driver_output_pb2.DriverOutput:
        """Returns all parameters, "push" among them, as a `DriverOutput`."""
        parameters = dict(execution_info.exec_properties)
        parameters[PUSH_KEY] = self._push(execution_info.input_dict, parameters)
        output = driver_output_pb2.DriverOutput()
        for name, value in parameters.items():
            if value is not None:
                data_types_utils.set_metadata_value(output.exec_properties[name], value)
        return output

    @staticmethod
    def _push(inputs: dict[str, list[types.Artifact]], parameters: dict[str, Any]) -> str | None:
        blessing = artifact_utils.get_single_instance(inputs["model_blessing"])
        if not model_utils.is_model_blessed(blessing):
            return "none"
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(parameters["push_destination"], destination)
        newest = served_versions.newest_version(destination.filesystem.base_directory)
        if newest is not None:
            note = served_versions.read_note(newest)
            if note == served_versions.wanted_note(inputs, parameters, note.push):
                return note.push
        return uuid.uuid4().hex
