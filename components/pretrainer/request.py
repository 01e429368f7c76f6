"""What a Trainer asks of its `run_fn`: the custom_config that TFX carries as JSON."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from tf_scl.config import Settings
from tf_scl.dataclass_json import from_plain, to_plain


@dataclasses.dataclass(frozen=True)
class TrainerRequest:
    """A training.

    Attributes:
        settings: The sections augment, model and train of a `tf_scl.Config`; others are noted
            in the model.
        code_digest: Stands for the code.
        checkpoints: Folder for the checkpoints of all trainings, or None for none.
        model_files: SHA-256 by path, of the files that the model is made from.
        lineage: What is noted in the model of where it comes from, a
            `tf_scl.serving.lineage.Lineage` as JSON has it. The executor finds it out: the code
            behind it has no part in the training, and none in `code_digest`.
    """

    settings: Settings
    code_digest: str
    checkpoints: str | None
    model_files: dict[str, str]
    lineage: dict[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_custom_config(cls, custom_config: Mapping[str, Any]) -> "TrainerRequest":
        """Reads a request; what Vertex AI's executors add to it is passed over.

        Raises:
            InputError: A key that is missing, or a value of another type.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        own = {name: value for name, value in custom_config.items() if name in names}
        return from_plain(cls, own, "custom_config of the Trainer")

    def to_json(self) -> str:
        """The custom_config: the same text for the same request, as TFX's cache compares it."""
        return json.dumps(to_plain(self), sort_keys=True)

    def put_into(self, custom_config: str) -> str:
        """The custom_config with this request in the place of the one in it."""
        return json.dumps({**json.loads(custom_config), **to_plain(self)})
