"""The command line of the local runner."""

import dataclasses
import hashlib
import os
import re
from collections.abc import Sequence

from tf_scl.config import FITTED_TO_THE_IMAGES, Config
from tf_scl.data.sources.open_source import absolute
from tf_scl.encoders.model_files import with_absolute_paths
from tf_scl.flags import SOURCES, Parser, add_flags, config_from, peek
from tf_scl.labels.labels_file import FOLDERS


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
        fit_batch: Whether the batch is that of a preset that fits it to the images.
        labels: Path of a file of labels, or `FOLDERS`; None where no classifier is asked for.
    """

    config: Config
    data: str | None
    out: str
    beam: tuple[str, ...] = ()
    fit_batch: bool = False
    labels: str | None = None


def parse(argv: Sequence[str] | None = None) -> Arguments:
    """Reads the command line.

    Returns:
        `Arguments`.

    Raises:
        InputError: An unknown flag, or a value out of range.
        SystemExit: --help.
    """
    given = vars(build_parser(argv).parse_args(argv))
    data, out, beam = given.pop("data"), given.pop("out"), given.pop("beam")
    labels = given.pop("labels")
    if labels not in (None, FOLDERS):
        labels = absolute(labels)
    preset = given["preset"] or _default_preset(data)
    fit_batch = preset in FITTED_TO_THE_IMAGES and "train.batch_size" not in given
    config = config_from(given, preset)
    config = dataclasses.replace(config, model=with_absolute_paths(config.model))
    out = out or _default_out(data)
    return Arguments(config, data, os.path.abspath(out), tuple(beam), fit_batch, labels)


def _default_out(data: str | None) -> str:
    """runs/digits, or runs/NAME-HASH: two sources of one name must not share their output."""
    if data is None:
        return os.path.join("runs", "digits")
    path = absolute(data)
    name = re.sub(r"[^\w.-]+", "_", os.path.basename(path.partition("?")[0]))
    return os.path.join("runs", f"{name}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:6]}")


def _default_preset(data: str | None) -> str:
    return "digits" if data is None else "laptop"


def build_parser(argv: Sequence[str] | None = None) -> Parser:
    """The parser of the local runner, an `argparse.ArgumentParser`.

    Args:
        argv: List of str, or None for the arguments of the program: --help shows the
            values of the preset that is named there.
    """
    parser = Parser(
        prog="python -m pipeline.local_runner",
        description="From images to a served encoder, on this machine.",
        **SOURCES,
    )
    parser.add_argument(
        "--data",
        metavar="SOURCE",
        type=os.path.expanduser,
        help="the images, see below (default: scikit-learn's digits)",
    )
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        type=os.path.expanduser,
        help="for all output (default: runs/digits, or runs/NAME-HASH of the images)",
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        type=os.path.expanduser,
        help="train, judge and serve a classifier too: a CSV file filename,label of the images "
        "that have a label, or the word folders where each class has a folder",
    )
    parser.add_argument(
        "--beam",
        metavar="FLAG",
        action="append",
        default=[],
        help="a Beam flag for the ingestion, such as --beam=--runner=FlinkRunner; as often as "
        "need be (default: this machine, a process on each core where that pays)",
    )
    default = _default_preset(peek(argv, "--data"))
    add_flags(parser, argv, default, default_text="digits, or laptop with --data")
    return parser
