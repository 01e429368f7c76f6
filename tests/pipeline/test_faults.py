"""Every component killed at three moments, or with a full disk, and the same command again."""

import concurrent.futures
import contextlib
import hashlib
import json
import pathlib
import re
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from pipeline import cli
from tests.conftest import write_bright_and_dark
from tests.pipeline import kill_matrix
from tests.pipeline.kill_matrix import (
    CHECKPOINT,
    FULL,
    MOMENTS,
    RESOLVERS,
    SERVING,
    SOME_FILES,
    START,
    WRITTEN,
)
from tf_scl.data import features
from tf_scl.serving.lineage import ImageLineage, read_lineage

pytestmark = pytest.mark.slow

_ROOT = pathlib.Path(__file__).parent.parent.parent
_NODES = (
    *("ImageExampleGen", "ImageLabelGen", "StatisticsGen", "SchemaGen", "ExampleValidator"),
    *("Trainer", "LastBlessed", "RepresentationEvaluator", "Pusher", "ClassifierTrainer"),
    *("LastBlessedClassifier", "ClassifierEvaluator", "ClassifierPusher"),
)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """60 bright or dark images, and one bad file."""
    folder = tmp_path_factory.mktemp("images") / "photos"
    write_bright_and_dark(folder, 60)
    (folder / "dark" / "text.png").write_text("not an image")
    return folder


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A small disk, or None where none can be mounted."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="module")
def chains(images, disk, tmp_path_factory):
    """Dict from moment to (output folder, what happened in each run)."""
    root = tmp_path_factory.mktemp("kills")
    outs = {moment: root / f"out{number}" for number, moment in enumerate(MOMENTS)}
    if disk:
        outs[FULL] = disk / "out"

    def run(moment):
        results = root / f"{[*outs].index(moment)}.json"
        done = subprocess.run(
            [sys.executable, "-m", "tests.pipeline.kill_matrix", moment]
            + [str(path) for path in (outs[moment], images, results)],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            timeout=800,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return outs[moment], json.loads(results.read_text())

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return dict(zip(outs, pool.map(run, outs), strict=True))


@pytest.fixture(params=[*MOMENTS, FULL])
def chain(request, chains):
    if request.param not in chains:
        pytest.skip("no disk could be mounted")
    return chains[request.param]


def _pairs(runs):
    """Each run with the one after it."""
    return zip(runs, runs[1:], strict=False)


def test_the_matrix(chains, capsys):
    lines = [f"{'component':<24}{'fault':<29}{'files left':>10}  status; the next run"]
    for _, runs in chains.values():
        for run, following in _pairs(runs):
            cached = sum(state == "CACHED" for state in following["states"].values())
            again = "ran it to its end"
            if following["node"] == run["node"]:
                again = "was killed in it too"
            lines.append(
                f"{run['node']:<24}{run['moment']:<29}{len(run['left']):>10}  "
                f"{run['status']:>3}; {cached} from the cache, {again}"
            )
        seconds = sum(run["seconds"] for run in runs)
        status = f"{runs[-1]['status']:>3} ({len(runs)} runs, {seconds:.0f} s)"
        lines.append(f"{'(none)':<24}{'':<29}{'':>10}  {status}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))


def test_every_component_was_killed_at_every_moment(chains):
    killed = {(run["node"], run["moment"]) for _, runs in chains.values() for run in runs}
    expected = {(node, moment) for node in _NODES for moment in chains}
    expected -= {(node, SOME_FILES) for node in RESOLVERS}  # they write none
    assert killed == expected | {("Trainer", CHECKPOINT), (None, None)}


def test_each_run_died_where_it_was_to_die_and_the_last_one_lives(chain):
    _, runs = chain
    for run in runs[:-1]:
        assert run["status"] == (2 if run["moment"] == FULL else -9), run["log"]
        begun = {None, "RUNNING"} if run["node"] in RESOLVERS else {"RUNNING", "FAILED"}
        assert run["states"].get(run["node"]) in begun
        if run["moment"] == START:
            assert run["left"] == []
        elif run["moment"] != FULL and run["node"] not in RESOLVERS:
            assert run["left"]
    assert runs[-1]["status"] == 0, runs[-1]["log"]


def test_the_next_run_resumes(chain):
    """Nothing that was done is done again; what was killed is done, and counts as failed."""
    _, runs = chain
    for run, following in _pairs(runs):
        for node in _NODES[: _NODES.index(run["node"])]:
            asked_each_time = node in RESOLVERS
            assert following["states"][node] == ("COMPLETE" if asked_each_time else "CACHED")
        if following["node"] != run["node"]:
            assert following["states"][run["node"]] == "COMPLETE"
        if "RUNNING" in run["states"].values():
            assert run["node"] in [node for _, node in following["failed"]]
            assert f"{run['node']} was cut off in an earlier run" in following["log"]


def test_a_full_disk_is_said_in_one_line(chains):
    if FULL not in chains:
        pytest.skip("no disk could be mounted")
    out, runs = chains[FULL]
    for run in runs[:-1]:
        (error,) = re.findall("^error: .*", run["log"], re.MULTILINE)
        assert re.match(
            f"error: cannot use '{out}.*': No space left on device .0.0 MB are free there.; make "
            "room, then run the same again",
            error,
        )
        assert "Traceback" not in run["log"]


def test_training_goes_on_from_what_it_had(chains):
    for moment, text in ((SOME_FILES, "going on after step"), (WRITTEN, "has finished before")):
        _, runs = chains[moment]
        last = max(number for number, run in enumerate(runs) if run["node"] == "Trainer")
        assert text in runs[last + 1]["log"]


def test_artifacts_are_whole(chain, images):
    out, _ = chain
    (version,) = (out / "serving").iterdir()  # pushed once; nothing half-copied beside it
    for path in (version, *out.glob("pipeline/Trainer/model/*/Format-Serving")):
        model = tf.saved_model.load(str(path))
        image = tf.constant([(images / "dark" / "0.png").read_bytes()])
        embedding = model.signatures["serving_default"](image)["embedding"]
        assert embedding.shape == (1, 32) and np.isfinite(embedding).all()
    (version,) = (out / SERVING["ClassifierPusher"]).iterdir()
    classify = tf.saved_model.load(str(version)).signatures["classify"]
    image = tf.constant([(images / "dark" / "0.png").read_bytes()])
    score = classify(image_bytes=image)["score"]
    np.testing.assert_allclose(np.sum(score, axis=1), [1.0], atol=1e-5)
    summary = json.loads(_only(out, "ImageExampleGen/report", "summary.json").read_text())
    assert summary["files"] == 61 and summary["rejected"] == {"not an image": 1}
    names = []
    for split, kept in summary["kept"].items():
        records = tf.data.TFRecordDataset(
            [str(path) for path in out.glob(f"pipeline/ImageExampleGen/examples/*/Split-{split}/*")]
        )
        of_split = [_filename(record) for record in records]
        assert len(of_split) == kept
        names += of_split
    on_disk = [str(path.relative_to(images)) for path in images.glob("*/[0-9]*.png")]
    assert sorted(names) == sorted(on_disk)
    assert "</html>" in _only(out, "RepresentationEvaluator/evaluation", "report.html").read_text()
    assert not list(out.rglob("*.partial"))


def _only(out, component, name):
    """The file of the one execution of which anything is left."""
    (folder,) = (out / "pipeline" / component).iterdir()
    return folder / name


def _filename(record):
    example = tf.train.Example.FromString(record.numpy())
    return example.features.feature[features.FILENAME].bytes_list.value[0].decode()


def test_lineage_in_ml_metadata_is_right(chain, images):
    out, runs = chain
    database = out / "metadata.sqlite"
    for state in ("NEW", "RUNNING"):
        assert kill_matrix.executions(database, state) == []
    found = _ancestors(database)
    others = {*RESOLVERS, "ExampleValidator"}  # nothing of these is in a model
    assert sorted(found) == sorted({*_NODES[: _NODES.index("Pusher") + 1]} - others)
    of_classifier = {*_ancestors(database, "ClassifierPusher")}
    assert of_classifier == {*_NODES} - others - {"Pusher"}
    assert found["ImageExampleGen"][1]["input_base"] == str(images)
    custom = json.loads(found["Trainer"][1]["custom_config"])
    assert custom["settings"] == _settings(images)
    assert custom["code_digest"] == runs[0]["code_digest"]


def test_the_model_itself_says_the_same(chain, images):
    out, _ = chain
    told = read_lineage(out / "serving")
    trainer, parameters = _ancestors(out / "metadata.sqlite")["Trainer"]
    noted = told.lineage
    assert told.model == str(next((out / "serving").iterdir()))
    assert told.settings == _settings(images)
    assert noted.code.digest == json.loads(parameters["custom_config"])["code_digest"]
    assert noted.code.versions["tensorflow"] == tf.__version__
    with contextlib.closing(sqlite3.connect(out / "metadata.sqlite")) as connection:
        ((run,),) = connection.execute(
            "SELECT c.name FROM Context c JOIN Association a ON a.context_id = c.id "
            "JOIN Type t ON t.id = c.type_id WHERE a.execution_id = ? AND t.name = 'pipeline_run'",
            (trainer,),
        )
    assert noted.run == {"pipeline": "tf_scl", "run": run, "execution": str(trainer)}
    summary = json.loads(_only(out, "ImageExampleGen/report", "summary.json").read_text())
    hashes = [_sha256(path) for path in images.glob("*/[0-9]*.png")]
    assert noted.images == ImageLineage(
        kept=summary["kept"],
        digest=hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest(),
        source=str(images),
        files=61,
        rejected={"not an image": 1},
    )


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() + "\n"


def _settings(images):
    config = cli.parse(["--data", str(images), *kill_matrix.FLAGS]).config
    return json.loads(json.dumps(config.to_dict("ingest", "augment", "model", "train")))


def _ancestors(database, pusher="Pusher"):
    """Dict from component to (number, parameters) of its execution behind what was pushed."""
    output, given, complete = 4, 3, 3  # of ML Metadata's Event.Type and Execution.State
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (newest,) = connection.execute(
            "SELECT MAX(v.artifact_id) FROM Event v JOIN Association a "
            "ON a.execution_id = v.execution_id JOIN Context c ON c.id = a.context_id "
            "JOIN Type t ON t.id = c.type_id "
            "WHERE v.type = ? AND t.name = 'node' AND c.name = ?",
            (output, f"tf_scl.{pusher}"),
        )
        waiting, found = list(newest), {}
        while waiting:
            producers = connection.execute(
                "SELECT e.id FROM Execution e JOIN Event v ON v.execution_id = e.id "
                "WHERE v.artifact_id = ? AND v.type = ? AND e.last_known_state = ?",
                (waiting.pop(), output, complete),
            ).fetchall()
            ((execution,),) = producers  # one made it; others took it from the cache
            node, parameters = _node_and_parameters(connection, execution)
            assert found.setdefault(node, (execution, parameters))[0] == execution
            inputs = connection.execute(
                "SELECT artifact_id FROM Event WHERE execution_id = ? AND type = ?",
                (execution, given),
            )
            waiting += [artifact for (artifact,) in inputs]
    return found


def _node_and_parameters(connection, execution):
    ((name,),) = connection.execute(
        "SELECT c.name FROM Context c JOIN Association a ON a.context_id = c.id "
        "JOIN Type t ON t.id = c.type_id WHERE a.execution_id = ? AND t.name = 'node'",
        (execution,),
    )
    rows = connection.execute(
        "SELECT name, string_value FROM ExecutionProperty WHERE execution_id = ?", (execution,)
    )
    return name.split(".")[-1], dict(rows.fetchall())
