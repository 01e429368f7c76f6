"""The command `tf-scl`: tools beside the pipeline."""

import sys
from collections.abc import Sequence

from tf_scl.commands import (
    drift,
    duplicates,
    embed,
    index,
    lineage,
    report,
    search,
    suggest,
    views,
)
from tf_scl.commands.shared import Answer
from tf_scl.flags import Parser
from tf_scl.run_command import run_command

_COMMANDS = (views, report, lineage, embed, index, search, duplicates, suggest, drift)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns:
        Exit status: 0, or what the command found (`tf-scl drift`: 3); 2 where something that the
        user gave cannot be used; 130 where the user stopped it.
    """
    return run_command(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    given = vars(build_parser(argv).parse_args(argv))
    answer: Answer = given.pop("run")(given)
    print(answer.text, flush=True)
    return answer.status


def build_parser(argv: Sequence[str] | None = None) -> Parser:
    """The parser of `tf-scl`, an `argparse.ArgumentParser`.

    Args:
        argv: List of str, or None for the arguments of the program: --help shows the
            values of the preset that is named there.
    """
    parser = Parser(prog="tf-scl", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands, argv)
    return parser


if __name__ == "__main__":
    sys.exit(main())
