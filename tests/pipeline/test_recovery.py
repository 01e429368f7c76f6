import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from pipeline import recovery

_STATES = metadata_store_pb2.Execution


@pytest.fixture
def config(tmp_path):
    return sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))


@pytest.fixture
def store(config):
    return metadata_store.MetadataStore(config)


def _execution(store, node, state):
    kind = store.put_execution_type(metadata_store_pb2.ExecutionType(name=node))
    node_type = store.put_context_type(metadata_store_pb2.ContextType(name="node"))
    execution = metadata_store_pb2.Execution(type_id=kind, last_known_state=state)
    context = metadata_store_pb2.Context(type_id=node_type, name=f"tf_scl.{node}")
    number, _, _ = store.put_execution(execution, [], [context], True)
    return number


def test_what_was_cut_off_is_failed_and_gone_and_all_else_is_left(store, config, tmp_path):
    root = tmp_path / "pipe[line]"
    done = _execution(store, "Trainer", _STATES.COMPLETE)
    cut_off = _execution(store, "Trainer", _STATES.RUNNING)
    other = _execution(store, "StatisticsGen", _STATES.CACHED)
    for number in (done, cut_off, other):
        for name in ("Trainer/model", "Trainer/.system/executor_execution", "StatisticsGen/stats"):
            (root / name / str(number)).mkdir(parents=True)
            (root / name / str(number) / "file").touch()
    recovery.recover_interrupted_runs(config, str(root), str(tmp_path / "serving"))
    states = {one.id: one.last_known_state for one in store.get_executions()}
    assert states == {done: _STATES.COMPLETE, cut_off: _STATES.FAILED, other: _STATES.CACHED}
    left = {str(path.relative_to(root)) for path in root.rglob("[0-9]*")}
    assert left == {
        f"{name}/{number}"
        for number in (done, cut_off, other)
        for name in ("Trainer/model", "Trainer/.system/executor_execution", "StatisticsGen/stats")
        if not (number == cut_off and name.startswith("Trainer"))
    }


def test_a_first_run_finds_nothing(config, tmp_path):
    recovery.recover_interrupted_runs(config, str(tmp_path / "pipeline"), str(tmp_path / "serving"))
