"""Settings that a compiled pipeline leaves open, as runtime parameters of Kubeflow.

A component carries its settings as one JSON text, and TFX's compiler can leave
only a whole parameter of a component open. So a setting that is open is a
parameter of its own, SECTION_SETTING (`train_epochs`), and what it holds takes
the place of the compiled value. The local runner leaves nothing open.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

from tf_scl.config import Config, Settings


def open_settings(
    config: Config, sections: Iterable[str]
) -> dict[str, tuple[int | float | str, str]]:
    """The settings that can be left open: numbers and words, for TFX knows no others.

    Args:
        config: `tf_scl.Config`.
        sections: Names of sections of it.

    Returns:
        Dict from the parameter's name to (value, help).
    """
    return {
        f"{section}_{field.name}": (
            getattr(getattr(config, section), field.name),
            field.metadata["help"],
        )
        for section in sections
        for field in dataclasses.fields(getattr(config, section))
        if type(getattr(getattr(config, section), field.name)) in (int, float, str)
    }


def overridden(settings: Settings, exec_properties: dict[str, Any]) -> Settings:
    """Settings with what the runtime parameters say in its place.

    Where they say other epochs and not other minutes, the epochs count, as in
    `Config.replace`.

    Args:
        settings: `{section: {setting: value}}`.
        exec_properties: Dict of a component's parameters.

    Returns:
        A new dict like `settings`.
    """
    changed = {
        section: {
            name: exec_properties.get(f"{section}_{name}", value) for name, value in values.items()
        }
        for section, values in settings.items()
    }
    before, now = settings.get("train", {}), changed.get("train", {})
    same = {name for name in now if now[name] == before[name]}
    if "epochs" in now and "epochs" not in same and "minutes" in same:
        now["minutes"] = 0.0
    return changed
