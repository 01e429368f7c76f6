"""Executor of AtomicPusher."""

import os
import uuid

from tfx.components.pusher import executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.utils import proto_utils


class Executor(executor.Executor):
    """TFX's Pusher, but a version folder is filled aside and then renamed.

    TFX copies file by file into the folder that TF Serving watches; one that
    is killed there leaves half a version behind.
    """

    def Do(self, input_dict, output_dict, exec_properties):
        """Pushes a blessed model; keys are those of TFX's Pusher."""
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties["push_destination"], destination)
        base = destination.filesystem.base_directory
        # TF Serving looks at folders whose name is a number, and at no other.
        aside = os.path.join(base, f".incoming-{uuid.uuid4().hex}")
        destination.filesystem.base_directory = aside
        try:
            super().Do(
                input_dict,
                output_dict,
                {**exec_properties, "push_destination": proto_utils.proto_to_json(destination)},
            )
            pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
            if pushed.get_int_custom_property("pushed"):
                version = self._next_version(
                    base, pushed.get_string_custom_property("pushed_version")
                )
                final = os.path.join(base, version)
                fileio.rename(pushed.get_string_custom_property("pushed_destination"), final)
                pushed.set_string_custom_property("pushed_destination", final)
                pushed.set_string_custom_property("pushed_version", version)
        finally:
            if fileio.exists(aside):
                fileio.rmtree(aside)

    @staticmethod
    def _next_version(base, version):
        """The version, or the next free number after it (two pushes within a second)."""
        while fileio.exists(os.path.join(base, version)):
            version = str(int(version) + 1)
        return version
