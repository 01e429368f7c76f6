"""Executor of AtomicPusher."""

import os
import uuid

from tfx.components.pusher import executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.utils import proto_utils

from components.atomic_pusher import served_versions
from components.atomic_pusher.driver import PUSH_KEY


class Executor(executor.Executor):
    """TFX's Pusher, but a version folder is filled aside and then renamed.

    TFX copies file by file into the folder that TF Serving watches; one that
    is killed there leaves half a version behind.
    """

    def Do(self, input_dict, output_dict, exec_properties):
        """Pushes a blessed model.

        Args:
            input_dict: As of TFX's Pusher: "model", "model_blessing".
            output_dict: "pushed_model".
            exec_properties: "push_destination", and "push" from our driver.
                Without it (no driver runs on Kubeflow) a model that is the
                newest version already is not pushed once more.
        """
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties["push_destination"], destination)
        base = destination.filesystem.base_directory
        if PUSH_KEY not in exec_properties and self._is_served(base, input_dict):
            version = served_versions.newest_version(base)
            pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
            self._MarkPushed(pushed, version, os.path.basename(version))
            return
        # TF Serving looks at folders whose name is a number, and at no other.
        aside = os.path.join(base, f".incoming-{uuid.uuid4().hex}")
        destination.filesystem.base_directory = aside
        redirected = {"push_destination": proto_utils.proto_to_json(destination)}
        try:
            super().Do(input_dict, output_dict, {**exec_properties, **redirected})
            pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
            if pushed.get_int_custom_property("pushed"):
                filled = pushed.get_string_custom_property("pushed_destination")
                model_uri = artifact_utils.get_single_uri(input_dict["model"])
                served_versions.write_note(filled, model_uri, exec_properties.get(PUSH_KEY))
                version = self._version(base, pushed.get_string_custom_property("pushed_version"))
                final = os.path.join(base, version)
                fileio.rename(filled, final)
                pushed.set_string_custom_property("pushed_destination", final)
                pushed.set_string_custom_property("pushed_version", version)
        finally:
            if fileio.exists(aside):
                fileio.rmtree(aside)

    def _is_served(self, base, input_dict):
        newest = served_versions.newest_version(base)
        if newest is None or not self.CheckBlessing(input_dict):
            return False
        model, _ = served_versions.read_note(newest)
        return model == artifact_utils.get_single_uri(input_dict["model"])

    @staticmethod
    def _version(base, wanted):
        """A number above every version there: of two pushes in a second the later one counts."""
        newest = served_versions.newest_version(base)
        return str(max(int(wanted), int(os.path.basename(newest)) + 1 if newest else 0))
