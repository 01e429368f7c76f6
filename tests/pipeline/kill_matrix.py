"""Kills the pipeline at one moment of every component, and goes on after each kill.

    python -m tests.pipeline.kill_matrix MOMENT OUT IMAGES RESULTS

A run is a fork of this process, so that TFX is imported once: it dies by
SIGKILL at MOMENT of the first component, the next one at that of the second,
and so on; the last one is left alone. With the moment `FULL` no run is killed,
but the disk is filled to its last byte; OUT is on one of its own then. What
happened is read from the SQLite file of ML Metadata by SQL, not by TFX, and
written to RESULTS as JSON.
"""

import contextlib
import json
import os
import pathlib
import signal
import sqlite3
import sys
import time
import traceback

from tf_scl.logging_setup import silence_tensorflow

START = "at the executor's start"
SOME_FILES = "some files there"
CHECKPOINT = "after its first checkpoint"
WRITTEN = "written, not published"
FULL = "disk full from its start"
MOMENTS = (START, SOME_FILES, WRITTEN)
RESOLVERS = ("LastBlessed", "LastBlessedClassifier")  # they write no file
LABELS = ["--labels", "folders"]
SERVING = {"Pusher": "serving", "ClassifierPusher": "serving-classifier"}
FLAGS = (
    "--model.image_size 8 --model.depth 10 --model.width 4 --model.projector_hidden 16 "
    "--model.embedding_dim 8 --train.batch_size 16 --train.epochs 2 --train.checkpoint_steps 1 "
    "--evaluate.draws 2 --evaluate.require_gain false"
).split()
# `Execution.State` of ML Metadata.
STATES = {1: "NEW", 2: "RUNNING", 3: "COMPLETE", 4: "FAILED", 5: "CACHED"}


def main(moment, out, images, results):
    silence_tensorflow()
    _keep_code_digest()
    out, results = pathlib.Path(out), pathlib.Path(results)
    kills = _kills(moment, _nodes(out, images))
    told = []
    for number, kill in enumerate([*kills, (None, None)]):
        log = results.with_suffix(f".{number}.log")
        before = time.monotonic()
        argv = ["--data", images, "--out", str(out), *LABELS, *FLAGS]
        status, watched = _run(kill, out, argv, log)
        told.append(
            {
                "node": kill[0],
                "moment": kill[1],
                "status": status,
                "seconds": time.monotonic() - before,
                "left": [str(path) for folder in watched for path in _files(folder)],
                "states": states_of_last_run(out / "metadata.sqlite"),
                "code_digest": _code_digest(),
                "failed": executions(out / "metadata.sqlite", "FAILED"),
                "log": log.read_text(errors="replace"),
            }
        )
        _filler(out).unlink(missing_ok=True)
        results.write_text(json.dumps(told))


def executions(database, state):
    """Sorted (number, component) of the executions in a state."""
    return sorted([number, node] for number, node, one in _executions(database) if one == state)


def states_of_last_run(database):
    """Dict from component to the state of its execution in the newest run."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        ((run,),) = connection.execute(
            "SELECT MAX(c.id) FROM Context c JOIN Type t ON c.type_id = t.id "
            "WHERE t.name = 'pipeline_run'"
        )
    return {node: state for _, node, state in _executions(database, run)}


def _executions(database, run=None):
    query = (
        "SELECT e.id, c.name, e.last_known_state FROM Execution e "
        "JOIN Association a ON a.execution_id = e.id JOIN Context c ON c.id = a.context_id "
        "JOIN Type t ON t.id = c.type_id WHERE t.name = 'node'"
    )
    if run is not None:
        query += f" AND e.id IN (SELECT execution_id FROM Association WHERE context_id = {run})"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(query).fetchall()
    return [(number, name.split(".")[-1], STATES[state]) for number, name, state in rows]


def _nodes(out, images):
    """Names of all components, from the graph itself."""
    # All that a run imports: no fork is to load a module again.
    from pipeline import local_run, local_runner, recovery, summary  # noqa: F401
    from pipeline.pipeline import create_pipeline
    from tf_scl.config import preset

    folders = str(out), images, str(out)
    graph = create_pipeline("tf_scl", *folders, preset("laptop"), labels=LABELS[1])
    return [component.id for component in graph.components]


def _code_digest():
    """What stands for the code of the training in all runs."""
    from components.code_digest import code_digest
    from components.pretrainer import run_fn

    return code_digest(run_fn.__name__)


def _keep_code_digest():
    """The forks run the code that is loaded now, whatever becomes of its files meanwhile."""
    from components import code_digest

    digest, known = code_digest.code_digest, {}

    def kept(*modules, leave_out=()):
        key = modules, tuple(leave_out)
        if key not in known:
            known[key] = digest(*modules, leave_out=leave_out)
        return known[key]

    code_digest.code_digest = kept


def _kills(moment, nodes):
    for node in nodes:
        if not (node in RESOLVERS and moment == SOME_FILES):
            yield node, moment
        if node == "Trainer" and moment == SOME_FILES:
            yield node, CHECKPOINT


def _run(kill, out, argv, log):
    """Runs the pipeline in a fork.

    Returns:
        Its exit status, minus the signal that killed it, and the folders that
        it wrote to when it was killed.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    process = os.fork()
    if process == 0:
        status = 70
        try:
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            _arm(*kill, out, lambda folders: os.write(writer, json.dumps(folders).encode()))
            from pipeline import local_runner

            status = local_runner.main(argv)
            sys.stdout.flush()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    watched = []
    while True:
        with contextlib.suppress(BlockingIOError):
            watched = json.loads(os.read(reader, 65536) or "null") or watched
        if kill[1] == SOME_FILES and any(any(_files(one)) for one in watched):
            os.kill(process, signal.SIGKILL)
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            os.close(reader)
            return os.waitstatus_to_exitcode(status), watched
        time.sleep(0.0005)


def _files(folder):
    return (path for path in pathlib.Path(folder).rglob("*") if path.is_file())


def _arm(node, moment, out, tell):
    """Makes the launcher of a component die, wait to be killed, or fill the disk, at a moment."""
    from tfx.orchestration.portable import execution_publish_utils, launcher, resolver_node_handler

    if node in RESOLVERS:
        handler = resolver_node_handler.ResolverNodeHandler
        run = handler.run

        def resolve(self, handle, pipeline_node, *rest):
            if pipeline_node.node_info.id == node:
                if moment == START:
                    _die()
                if moment == FULL:
                    _fill(out)
                if moment == WRITTEN:  # it has found its answer and is RUNNING
                    execution_publish_utils.publish_internal_execution = _die
            return run(self, handle, pipeline_node, *rest)

        handler.run = resolve
        return
    run_executor = launcher.Launcher._run_executor

    def armed(self, info):
        if self._pipeline_node.node_info.id == node:
            operator = self._executor_operator
            operator.run_executor = _deadly(operator.run_executor, node, moment, out, tell)
        return run_executor(self, info)

    launcher.Launcher._run_executor = armed


def _deadly(run, node, moment, out, tell):
    from tfx.utils import io_utils

    from tf_scl import checkpoints

    def run_executor(info):
        folders = [one.uri for artifacts in info.output_dict.values() for one in artifacts]
        if node in SERVING:
            folders.append(str(out / SERVING[node]))
        tell([str(out / "pipeline" / "checkpoints")] if moment == CHECKPOINT else folders)
        if moment == START:
            _die()
        if moment == CHECKPOINT:
            checkpoints.save = _after(checkpoints.save, _die)
        if moment == SOME_FILES and node in SERVING:  # at the latest before saved_model.pb
            io_utils.copy_file = _die
        if moment == FULL:
            _fill(out)
            return run(info)
        output = run(info)
        if moment == WRITTEN:
            _die()
        signal.pause()  # the parent has seen, or will see, what it waits for
        return output

    return run_executor


def _after(first, then):
    def both(*args):
        first(*args)
        return then(*args)

    return both


def _filler(out):
    return out.parent / "filler"


def _fill(out):
    """Leaves not one free byte on the disk of `out`."""
    with contextlib.suppress(OSError), open(_filler(out), "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def _die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
