"""The command line of the local runner."""

import argparse
import dataclasses
import hashlib
import os
import re

from tf_scl.config import Config
from tf_scl.data.sources.open_source import absolute
from tf_scl.flags import add_flags, config_from


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What the user asked for.

    Attributes:
        config: `tf_scl.Config`.
        data: The source of images, as `tf_scl.data.sources.open_source` reads
            it, or None for the bundled digits.
        out: Path of the folder for everything that a run writes.
        beam: Tuple of Beam flags for the ingestion; empty for what suits this
            machine.
    """

    config: Config
    data: str | None
    out: str
    beam: tuple = ()


def parse(argv=None):
    """Reads the command line.

    Returns:
        `Arguments`.

    Raises:
        InputError: A value out of range.
        SystemExit: An unknown flag, or --help.
    """
    given = vars(_parser().parse_args(argv))
    data, out, beam = given.pop("data"), given.pop("out"), given.pop("beam")
    config = config_from(given, "digits" if data is None else "laptop")
    data = data if data is None else os.path.expanduser(data)
    out = os.path.expanduser(out) if out else _default_out(data)
    return Arguments(config, data, os.path.abspath(out), tuple(beam))


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
        "--beam",
        metavar="FLAG",
        action="append",
        default=[],
        help="a Beam flag for the ingestion, such as --beam=--runner=FlinkRunner; as often as "
        "need be (default: this machine, a process on each core where that pays)",
    )
    add_flags(parser, "digits, or laptop with --data")
    return parser
