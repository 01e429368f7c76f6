"""Runs the pipeline on this machine: `python -m pipeline.local_runner --help`."""

import sys
from collections.abc import Sequence

from tf_scl.run_command import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the whole job and prints its summary.

    Returns:
        Exit status: 0; 2 where something that the user gave cannot be used;
        130 where the user stopped it.
    """
    return run_command(
        lambda: _run(argv),
        "run the same command again to go on from the last component, and in training from the "
        "last checkpoint",
    )


def _run(argv: Sequence[str] | None) -> None:
    from pipeline import local_run

    local_run.run_command_line(argv)


if __name__ == "__main__":
    sys.exit(main())
