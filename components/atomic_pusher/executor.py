"""Executors of AtomicPusher."""

import json
import os
from typing import Any

from tfx import types
from tfx.components.pusher import executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils, proto_utils

from components.artifacts import EVALUATION_FILE
from components.atomic_pusher import served_versions
from components.atomic_pusher.driver import PUSH_KEY
from components.inputs import InputDict
from tf_scl.classification.evaluation import ClassifierEvaluation
from tf_scl.config import ServeConfig
from tf_scl.dataclass_json import read_json
from tf_scl.evaluation.results import Evaluation
from tf_scl.files import write_file
from tf_scl.report.model_card import CARD_FILE, classifier_card, encoder_card
from tf_scl.serving.export import read_metadata


class Executor(executor.Executor):
    """TFX's Pusher, but a version folder is filled beside its place and then renamed.

    TFX copies file by file into the folder that TF Serving watches; one that
    is killed there leaves half a version behind.

    In each version is the model's card. Where a version is served already and what was measured
    or stated of it has changed since, its card is written anew and nothing else.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes a blessed model.

        Args:
            input_dict: "model", "model_blessing", "evaluation".
            output_dict: "pushed_model".
            exec_properties: "push_destination"; "serve_config", JSON of `ServeConfig`; and
                "push" from our driver.
                A model that is the newest version is not pushed once more: that push
                was killed before TFX knew of it, or the card alone is to change.
        """
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties["push_destination"], destination)
        base = destination.filesystem.base_directory
        served = self._served(base, input_dict)
        if served is not None:
            pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
            io_utils.copy_dir(self.GetModelPath(input_dict), pushed.uri)
            self._describe(input_dict, exec_properties, pushed.uri, served)
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
                self._describe(input_dict, exec_properties, pushed.uri, filled)
                version = self._version(base, pushed.get_string_custom_property("pushed_version"))
                final = os.path.join(base, version)
                fileio.rename(filled, final)
                pushed.set_string_custom_property("pushed_destination", final)
                pushed.set_string_custom_property("pushed_version", version)
        finally:
            if fileio.exists(partial):
                fileio.rmtree(partial)

    def _describe(
        self, input_dict: InputDict, exec_properties: dict[str, Any], copy: str, version: str
    ) -> None:
        """Writes the card into both folders, and after it the note into the version."""
        measured = artifact_utils.get_single_uri(input_dict["evaluation"])
        serve = ServeConfig(**json.loads(exec_properties["serve_config"]))
        noted = read_metadata(self.GetModelPath(input_dict))
        card = self._card(noted, os.path.join(measured, EVALUATION_FILE), serve)
        for folder in (copy, version):
            write_file(os.path.join(folder, CARD_FILE), card)
        push = exec_properties.get(PUSH_KEY)
        note = served_versions.wanted_note(input_dict, exec_properties, push)
        served_versions.write_note(version, note)

    @staticmethod
    def _card(noted: dict[str, Any], evaluation: str, serve: ServeConfig) -> str:
        return encoder_card(noted, read_json(Evaluation, evaluation), serve.license)

    def _served(self, base: str, input_dict: InputDict) -> str | None:
        """Path of the newest version if it is of this model already, or None."""
        newest = served_versions.newest_version(base)
        if newest is None or not self.CheckBlessing(input_dict):
            return None
        model = artifact_utils.get_single_uri(input_dict["model"])
        return newest if served_versions.read_note(newest).model == model else None

    @staticmethod
    def _version(base: str, wanted: str) -> str:
        """A number above every version there: of two pushes in a second the later one counts."""
        newest = served_versions.newest_version(base)
        return str(max(int(wanted), int(os.path.basename(newest)) + 1 if newest else 0))


class ClassifierExecutor(Executor):
    """The same, of a classifier."""

    @staticmethod
    def _card(noted: dict[str, Any], evaluation: str, serve: ServeConfig) -> str:
        return classifier_card(noted, read_json(ClassifierEvaluation, evaluation), serve.license)
