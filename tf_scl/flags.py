"""Command lines: a strict parser, and a flag for every setting of `tf_scl.Config`."""

import argparse
import contextlib
import dataclasses
import difflib
import functools
import logging
import re
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NoReturn

from tf_scl.augmentation.policies import POLICIES, policy
from tf_scl.config import PRESETS, Config, Settings, preset, type_name
from tf_scl.errors import InputError

# Options of a parser whose command takes a source of images.
SOURCES: dict[str, Any] = {
    "formatter_class": argparse.RawDescriptionHelpFormatter,
    "epilog": """\
SOURCE is one of
  FOLDER               images in class sub-folders, or just images; or one image file
  numpy:FILE.npz       with the array "images", uint8 [N, H, W], [N, H, W, 1] or [N, H, W, 3], and
                       if there are labels "labels" [N], numbers or text; other names are given as
                       numpy:FILE.npz?images=NAME&labels=NAME
  numpy:FILE.npy       images alone
  tfds:NAME            a data set of tensorflow-datasets
  tfrecord:PATTERN     TFRecord files of tf.train.Example, with an encoded image in the feature
                       image/encoded, a label in image/class/label or image/class/text; others are
                       given as tfrecord:PATTERN?image=KEY&label=KEY&class=KEY
  webdataset:PATTERN   tar shards, with a label in KEY.cls
""",
}


# Other flags of a setting.
SHORT = {"train.minutes": ("--minutes",)}


# A setting in a sentence: not inside a path, a quotation or a longer dotted name.
_SETTING = re.compile(r"(?<![\w./'\"-])\w+\.\w+(?![\w(]|\.\w)")


def with_flags(text: str) -> str:
    """A message of the library for users of a command line: settings by their flags.

    Args:
        text: Str, such as "use train.batch_size 8".

    Returns:
        Str, such as "use --train.batch_size 8".
    """
    known = _settings()
    return _SETTING.sub(lambda match: _flag(match[0]) if match[0] in known else match[0], text)


@functools.cache
def _settings() -> frozenset[str]:
    """All settings, such as "train.epochs"."""
    return frozenset(
        f"{section}.{setting}"
        for section, settings in Config().to_dict().items()
        for setting in settings
    )


def describe_error(error: InputError) -> str:
    """An error of the library for users of a command line, with the flag to set if it knows it."""
    text = with_flags(str(error))
    flag = error.setting and _flag(error.setting)
    return text if not flag or flag in text else f"{text} ({flag})"


class FlagFormatter(logging.Formatter):
    """Log records of the library for users of a command line: settings by their flags."""

    def format(self, record: logging.LogRecord) -> str:
        return with_flags(super().format(record))


def _flag(setting: str) -> str:
    return SHORT.get(setting, (f"--{setting}",))[0]


class Parser(argparse.ArgumentParser):
    """Takes flags by their whole names only, and says in one line what it cannot take.

    Its subparsers do so too. Mistakes are `InputError`s.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As of argparse, but no argument is left over.

        Raises:
            InputError: One that is not known, with the flag that is like it.
        """
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            flags = [argument for argument in unknown if argument.startswith("-")]
            raise InputError(self._unknown((flags or unknown)[0]))
        return namespace, unknown

    def error(self, message: str) -> NoReturn:
        """Raises InputError, where argparse prints its usage and exits."""
        if message.endswith("expected one argument"):
            message += " (one that begins with a dash is written --FLAG=VALUE)"
        raise InputError(f"{message}; {self._see_help()}")

    def _see_help(self) -> str:
        return f"{self.prog} --help lists all"

    def _unknown(self, argument: str) -> str:
        if not argument.startswith("-"):
            return f"unexpected argument {argument!r}; {self._see_help()}"
        flag = argument.partition("=")[0]
        similar = difflib.get_close_matches(flag, self._option_string_actions, 1)
        meant = f"did you mean {similar[0]}? " if similar else ""
        return f"no flag {flag}; {meant}{self._see_help()}"


def peek(argv: Sequence[str] | None, flag: str) -> str | None:
    """The value of a flag before the command line is parsed, a str, or None without one.

    What --help says depends on it.

    Args:
        argv: List of str, or None for the arguments of the program.
        flag: Str, such as "--preset".
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(flag, dest="value", nargs="?")
    return parser.parse_known_args(argv)[0].value


def add_flags(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    default_preset: str,
    sections: Collection[str] | None = None,
    default_text: str | None = None,
) -> None:
    """Adds --preset, --policy and --SECTION.SETTING flags to an `argparse` parser.

    Args:
        parser: `argparse.ArgumentParser`.
        argv: As `peek` takes it. In --help each setting has the value of the
            preset that is named there.
        default_preset: Name of the preset without --preset.
        sections: Names of the sections that have flags, or None for all.
        default_text: Str for --help, which preset holds without --preset, if
            that is not the same for all command lines.
    """
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help=f"one of {', '.join(PRESETS)} (default: {default_text or default_preset})",
    )
    parser.add_argument(
        "--policy",
        metavar="NAME",
        help=f"views as in a paper: {', '.join(POLICIES)} (default: as the preset has them)",
    )
    named = peek(argv, "--preset")
    shown = preset(named if named in PRESETS else default_preset)
    for section in dataclasses.fields(Config):
        if sections and section.name not in sections:
            continue
        settings = getattr(shown, section.name)
        group = parser.add_argument_group(section.name, section.default.__doc__)
        for field in dataclasses.fields(settings):
            text, _ = field.metadata["allowed"]
            value = _as_text(getattr(settings, field.name))
            flag = f"{section.name}.{field.name}"
            group.add_argument(
                f"--{flag}",
                *SHORT.get(flag, ()),
                dest=flag,
                metavar="V",
                help=f"{field.metadata['help']}; {text} (default: {value})".replace("%", "%%"),
                default=argparse.SUPPRESS,
            )


def config_from(given: dict[str, Any], default_preset: str) -> Config:
    """The `Config` that flags ask for: a preset, then a policy, then single settings.

    Args:
        given: Dict of what the parser of `add_flags` found; its flags are
            taken out.
        default_preset: Name of the preset where none is given.

    Returns:
        `tf_scl.Config`.

    Raises:
        InputError: An unknown name, a value out of range, or minutes as well as
            epochs.
    """
    config, name = preset(given.pop("preset") or default_preset), given.pop("policy")
    changes: Settings = {}
    for flag in [flag for flag in given if "." in flag]:
        section, setting = flag.split(".")
        changes.setdefault(section, {})[setting] = _value(flag, given.pop(flag))
    changed = config.replace(changes)
    _require_one_length(changes.get("train", {}))
    if name is None:
        return changed
    views = policy(name, changed.model.image_size)
    return changed.replace({"augment": {**views, **changes.get("augment", {})}})


def _require_one_length(train: Mapping[str, Any]) -> None:
    if train.get("minutes") and "epochs" in train:
        raise InputError(
            f"--minutes {train['minutes']:g} and --train.epochs {train['epochs']} both say how "
            "long to train; give one of them"
        )


def _value(flag: str, text: str) -> Any:
    section, setting = flag.split(".")
    kind = typing.get_type_hints(type(getattr(Config(), section)))[setting]
    try:
        return _converted(text, kind)
    except ValueError:
        raise InputError(f"--{flag} takes a {type_name(kind)}. Received: {text!r}") from None


def _converted(text: str, kind: Any) -> Any:
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        return tuple(_converted(item, arguments[0]) for item in text.split(",") if item)
    if typing.get_origin(kind) is types.UnionType:
        for one in arguments:
            with contextlib.suppress(ValueError):
                return _converted(text, one)
        raise ValueError(text)
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    return kind(text)


def _as_text(value: Any) -> str:
    """A setting as its flag takes it."""
    if isinstance(value, tuple):
        return ",".join(map(_as_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
