"""Executor of AtomicPusher."""

import os
from typing import Any

from tfx import types
from tfx.components.pusher import executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils, proto_utils

from components.atomic_pusher import served_versions
from components.atomic_pusher.driver import PUSH_KEY


class Executor(executor.Executor):
    """TFX's Pusher, but a version folder is filled beside its place and then renamed.

    TFX copies file by file into the folder that TF Serving watches; one that
    is killed there leaves half a version behind.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes a blessed model.

        Args:
            input_dict: As of TFX's Pusher: "model", "model_blessing".
            output_dict: "pushed_model".
            exec_properties: "push_destination", and "push" from our driver.
                A push that was made already is not made once more: it was
                killed before TFX knew of it. Without "push" (no driver runs on
                Kubeflow) that is so of any model that is the newest version.
        """
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties["push_destination"], destination)
        base = destination.filesystem.base_directory
        served = self._served(base, input_dict, exec_properties.get(PUSH_KEY))
        if served is not None:
            pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
            io_utils.copy_dir(self.GetModelPath(input_dict), pushed.uri)
            self._MarkPushed(pushed, served, os.path.basename(served))
            return
        partial = served_versions.incoming(base)
        destination.filesystem.base_directory = partial
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
            if fileio.exists(partial):
                fileio.rmtree(partial)

    def _served(
        self, base: str, input_dict: dict[str, list[types.Artifact]], push: str | None
    ) -> str | None:
        """Path of the version that this push made already, or None."""
        newest = served_versions.newest_version(base)
        if newest is None or not self.CheckBlessing(input_dict):
            return None
        model, made = served_versions.read_note(newest)
        same = model == artifact_utils.get_single_uri(input_dict["model"])
        return newest if same and push in (None, made) else None

    @staticmethod
    def _version(base: str, wanted: str) -> str:
        """A number above every version there: of two pushes in a second the later one counts."""
        newest = served_versions.newest_version(base)
        return str(max(int(wanted), int(os.path.basename(newest)) + 1 if newest else 0))
