"""What a run that was killed left behind: put in order before the next one begins."""

import glob
import logging
import os
import shutil
from collections.abc import Iterator

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata as tfx_metadata

from components.atomic_pusher import served_versions

_UNFINISHED = (metadata_store_pb2.Execution.NEW, metadata_store_pb2.Execution.RUNNING)

_log = logging.getLogger(__name__)


def recover_interrupted_runs(
    connection_config: metadata_store_pb2.ConnectionConfig, root: str, *serving: str
) -> None:
    """Marks executions that were cut off as failed, and removes what they had written.

    TFX does so for a component that raises. One that is killed would be
    RUNNING for ever, with half an artifact on the disk. Call it only while no
    other run can be under way in these folders (`checks.exclusive_lock`).

    Args:
        connection_config: Of the pipeline's ML Metadata.
        root: Folder of the artifacts.
        serving: Folders that a model server watches.
    """
    for folder in serving:
        served_versions.remove_incoming(folder)
    with tfx_metadata.Metadata(connection_config) as handle:
        store = handle.store
        cut_off = [one for one in store.get_executions() if one.last_known_state in _UNFINISHED]
        for execution in cut_off:
            contexts = store.get_contexts_by_execution(execution.id)
            node = next(one.name for one in contexts if one.type == "node").split(".")[-1]
            for folder in _folders(os.path.join(root, node), execution.id):
                shutil.rmtree(folder)
            execution.last_known_state = metadata_store_pb2.Execution.FAILED
            _log.info("%s was cut off in an earlier run (execution %d)", node, execution.id)
        if cut_off:
            store.put_executions(cut_off)


def _folders(folder: str, number: int) -> Iterator[str]:
    """The folders of an execution: TFX names them by its number, below KEY/ and .system/KEY/."""
    folder = glob.escape(folder)
    for pattern in ("*", os.path.join(".system", "*")):
        yield from glob.glob(os.path.join(folder, pattern, str(number)))
