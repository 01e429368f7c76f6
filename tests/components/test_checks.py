import errno
import os
import shutil
import sqlite3

import pytest
import tensorflow as tf
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from components import checks
from tf_scl.config import preset
from tf_scl.errors import InputError


@pytest.fixture(scope="module")
def a_record(tmp_path_factory):
    """A SQLite file as ML Metadata makes it, with some executions."""
    path = tmp_path_factory.mktemp("record") / checks.RECORD_FILE
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = 3  # READWRITE_OPENCREATE
    store = metadata_store.MetadataStore(config)
    kind = store.put_execution_type(metadata_store_pb2.ExecutionType(name="Trainer"))
    store.put_executions([metadata_store_pb2.Execution(type_id=kind) for _ in range(500)])
    return path


@pytest.fixture
def out(a_record, tmp_path):
    """An output folder with a record and an artifact."""
    shutil.copy(a_record, tmp_path / checks.RECORD_FILE)
    (tmp_path / "pipeline" / "Trainer" / "model" / "5").mkdir(parents=True)
    return tmp_path


def test_a_good_record_is_fine_and_is_not_changed(out, a_record):
    checks.check_metadata_db(str(out))
    assert (out / checks.RECORD_FILE).read_bytes() == a_record.read_bytes()


def test_the_first_run_has_no_record(tmp_path):
    checks.check_metadata_db(str(tmp_path))
    (tmp_path / checks.RECORD_FILE).write_bytes(b"")  # killed before SQLite wrote a page
    checks.check_metadata_db(str(tmp_path))


def _random(path):
    path.write_bytes(os.urandom(20_000))


def _cut_short(path):
    os.truncate(path, path.stat().st_size // 2 + 100)


def _page_overwritten(path):
    data = bytearray(path.read_bytes())
    data[8192:12288] = os.urandom(4096)
    path.write_bytes(data)


def _of_something_else(path):
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()


def _a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "harm,problem",
    [
        (_random, "is damaged, or cannot be opened (file is not a database)"),
        (_cut_short, "is damaged"),
        (_page_overwritten, "is damaged"),
        (_of_something_else, "is a SQLite file of something else (tables: songs), not of ML Met"),
        (_a_folder, "is damaged, or cannot be opened (unable to open database file)"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.unlink(), "is gone"),
    ],
)
def test_a_damaged_record_is_named_with_its_remedy(out, harm, problem):
    path = out / checks.RECORD_FILE
    harm(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(InputError) as raised:
        checks.check_metadata_db(str(out))
    text = str(raised.value)
    assert f"the record of earlier runs, {str(path)!r}, {problem}" in text
    assert f"move it and {str(out / 'pipeline')!r} away and run the same again" in text
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_record_that_is_in_use_is_not_called_damaged(out, monkeypatch):
    path = out / checks.RECORD_FILE
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **more: connect(*args, timeout=0, **more))
    other = connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(InputError, match="is in use by another program .*wait until"):
        checks.check_metadata_db(str(out))
    other.close()
    checks.check_metadata_db(str(out))


def test_a_run_that_was_killed_while_it_wrote_leaves_a_good_record(out):
    """SQLite rolls back what its journal says was not finished."""
    path = out / checks.RECORD_FILE
    if os.fork() == 0:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("UPDATE Execution SET last_known_state = 9")
        os._exit(0)
    os.wait()
    assert path.with_name("metadata.sqlite-journal").exists()
    checks.check_metadata_db(str(out))
    with sqlite3.connect(path) as connection:
        ((changed,),) = connection.execute(
            "SELECT COUNT(*) FROM Execution WHERE last_known_state = 9"
        )
    assert changed == 0


def test_the_batch_fits_the_images_and_the_other_settings_stay(image_folder, tmp_path):
    config = preset("laptop").replace({"train": {"epochs": 3}})
    fitted = checks.check_run(str(image_folder), str(tmp_path / "out"), config, fit_batch=True)
    assert fitted == config.replace({"train": {"batch_size": 4}})
    assert checks.check_run(None, str(tmp_path / "out"), config, fit_batch=True) == config
    with pytest.raises(InputError, match="train.batch_size is 128 but of the 48 images"):
        checks.check_run(str(image_folder), str(tmp_path / "out"), config)


def _raised(error, cause=None):
    error.__cause__ = cause
    return error


_FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/o/pipeline/StatisticsGen/x.pb")


@pytest.mark.parametrize(
    "error,text",
    [
        (_FULL, "'/o/pipeline/StatisticsGen/x.pb': No space left on device"),
        (_raised(RuntimeError("Beam"), _FULL), "'/o/pipeline/StatisticsGen/x.pb': No space"),
        (_raised(ValueError("database or disk is full query: INSERT"), _FULL), "'/o/pipeline/St"),
        (
            tf.errors.UnknownError(None, None, "{out}/pipeline/a; No space left on device"),
            "'{out}/pipeline/a': No space left on device",
        ),
        (RuntimeError("query: database or disk is full"), "'{out}': No space left on device"),
        (RuntimeError("attempt to write a readonly database"), "'{out}': Read-only file system"),
        (OSError(errno.EROFS, "x", "/o/a"), "'/o/a': Read-only file system"),
        (OSError(errno.EFBIG, "x", "/o/a"), "'/o/a': File too large"),
        (OSError(errno.ENOENT, "no such file", "/o/a"), None),
        (RuntimeError("a bug"), None),
    ],
)
def test_what_a_disk_that_is_full_or_read_only_says(tmp_path, error, text):
    if isinstance(error, tf.errors.OpError):
        message = error.message.replace("{out}", str(tmp_path))
        error = type(error)(None, None, message)
    found = checks.disk_error(error, str(tmp_path))
    if text is None:
        assert found is None
    else:
        assert f"cannot use {text.replace('{out}', str(tmp_path))}" in str(found)
        assert "run the same again" in str(found)
    if text and "No space" in text:
        assert "MB are free there" in str(found)


def test_two_runs_cannot_hold_one_folder(tmp_path):
    with checks.exclusive_lock(str(tmp_path)):
        with pytest.raises(InputError, match="another run is using the output folder"):
            with checks.exclusive_lock(str(tmp_path)):
                pass
    with checks.exclusive_lock(str(tmp_path)):
        pass
