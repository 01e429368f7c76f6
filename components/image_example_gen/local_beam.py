"""Beam flags for this machine: one process, or as many as pay."""

import os

from tf_scl.data.sources.source import Source
from tf_scl.typing import PathLike

_RUNNER = "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"
# What a process was seen to check (benchmarks/ingest.py), and what several take to start.
_IMAGES_PER_SECOND = 1500
_BYTES_PER_SECOND = 20e6
_SECONDS_TO_START = 25


def one_process(setup_file: PathLike) -> list[str]:
    """Flags for small work: all in this process."""
    return [
        _RUNNER,
        "--direct_running_mode=in_memory",
        "--direct_num_workers=1",
        f"--setup_file={setup_file}",
    ]


def for_source(source: Source, setup_file: PathLike) -> list[str]:
    """Flags for the ingestion of a source: a process on every core if that saves time.

    Args:
        source: `tf_scl.data.sources.source.Source`.
        setup_file: Path of the setup.py that workers get the code from.

    Returns:
        List of str.
    """
    units = source.units()
    cores = len(os.sched_getaffinity(0))
    seconds = sum(unit.items / _IMAGES_PER_SECOND + unit.size / _BYTES_PER_SECOND for unit in units)
    if seconds <= _SECONDS_TO_START + seconds / cores:
        return one_process(setup_file)
    return [
        _RUNNER,
        "--direct_running_mode=multi_processing",
        f"--direct_num_workers={cores}",
        f"--setup_file={setup_file}",
    ]
