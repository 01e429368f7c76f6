"""One command-line flag for every setting of `tf_scl.Config`."""

import argparse
import dataclasses
import typing

from tf_scl.augmentation.policies import POLICIES, policy
from tf_scl.config import PRESETS, Config, preset, type_name
from tf_scl.errors import InputError


def add_flags(parser, default_preset, sections=None):
    """Adds --preset, --policy and --SECTION.SETTING flags to an `argparse` parser.

    Args:
        parser: `argparse.ArgumentParser`.
        default_preset: Str for --help, what holds without --preset.
        sections: Names of the sections that have flags, or None for all.
    """
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help=f"one of {', '.join(PRESETS)} (default: {default_preset})",
    )
    parser.add_argument(
        "--policy",
        metavar="NAME",
        help=f"views as in a paper: {', '.join(POLICIES)} (default: as the preset has them)",
    )
    for section in dataclasses.fields(Config):
        if sections and section.name not in sections:
            continue
        group = parser.add_argument_group(section.name, section.default.__doc__)
        for field in dataclasses.fields(section.default):
            text, _ = field.metadata["allowed"]
            group.add_argument(
                f"--{section.name}.{field.name}",
                metavar="V",
                help=f"{field.metadata['help']}; {text}".replace("%", "%%"),
                default=argparse.SUPPRESS,
            )


def config_from(given, default_preset):
    """The `Config` that flags ask for: a preset, then a policy, then single settings.

    Args:
        given: Dict of what the parser of `add_flags` found; its flags are
            taken out.
        default_preset: Name of the preset where none is given.

    Returns:
        `tf_scl.Config`.

    Raises:
        InputError: An unknown name, or a value out of range.
    """
    config, name = preset(given.pop("preset") or default_preset), given.pop("policy")
    changes = {}
    for flag in [flag for flag in given if "." in flag]:
        section, setting = flag.split(".")
        changes.setdefault(section, {})[setting] = _value(flag, given.pop(flag))
    changed = config.replace(changes)
    if name is None:
        return changed
    views = policy(name, changed.model.image_size)
    return changed.replace({"augment": {**views, **changes.get("augment", {})}})


def _value(flag, text):
    section, setting = flag.split(".")
    kind = typing.get_type_hints(type(getattr(Config(), section)))[setting]
    try:
        return _converted(text, kind)
    except ValueError:
        raise InputError(f"--{flag} takes a {type_name(kind)}. Received: {text!r}") from None


def _converted(text, kind):
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        return tuple(_converted(item, arguments[0]) for item in text.split(",") if item)
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    return kind(text)
