"""The command line: one flag for every setting of `tf_scl.Config`."""

import argparse
import dataclasses
import hashlib
import os
import re
import typing

from tf_scl.config import PRESETS, Config, preset, type_name
from tf_scl.data.sources.open_source import absolute
from tf_scl.errors import InputError


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What the user asked for.

    Attributes:
        config: `tf_scl.Config`.
        data: The source of images, as `tf_scl.data.sources.open_source` reads
            it, or None for the bundled digits.
        out: Path of the folder for everything that a run writes.
    """

    config: Config
    data: str | None
    out: str


def parse(argv=None):
    """Reads the command line.

    Returns:
        `Arguments`.

    Raises:
        InputError: A value out of range.
        SystemExit: An unknown flag, or --help.
    """
    given = vars(_parser().parse_args(argv))
    name = given.pop("preset") or ("laptop" if given["data"] is not None else "digits")
    data, out = given.pop("data"), given.pop("out")
    data = data if data is None else os.path.expanduser(data)
    changes = {}
    for flag, text in given.items():
        if text is not None:
            section, setting = flag.split(".")
            changes.setdefault(section, {})[setting] = _value(flag, text)
    out = os.path.expanduser(out) if out else _default_out(data)
    return Arguments(preset(name).replace(changes), data, os.path.abspath(out))


def _default_out(data):
    """runs/digits, or runs/NAME-HASH: two sources of one name must not share their output."""
    if data is None:
        return os.path.join("runs", "digits")
    path = absolute(data)
    name = re.sub(r"[^\w.-]+", "_", os.path.basename(path.partition("?")[0]))
    return os.path.join("runs", f"{name}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:6]}")


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.local_runner",
        description="From images to a served encoder, on this machine.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--data",
        metavar="SOURCE",
        help="a folder of images, tfds:NAME, tfrecord:PATTERN, webdataset:PATTERN or "
        "numpy:FILE (default: scikit-learn's digits)",
    )
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        help="for all output (default: runs/digits, or runs/NAME-HASH of the images)",
    )
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help=f"one of {', '.join(PRESETS)} (default: digits, or laptop with --data)",
    )
    for section in dataclasses.fields(Config):
        group = parser.add_argument_group(section.name, section.default.__doc__)
        for field in dataclasses.fields(section.default):
            text, _ = field.metadata["allowed"]
            group.add_argument(
                f"--{section.name}.{field.name}",
                metavar="V",
                help=f"{field.metadata['help']}; {text}".replace("%", "%%"),
                default=argparse.SUPPRESS,
            )
    return parser


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
