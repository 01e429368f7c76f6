import pathlib
import re
import subprocess
import sys
import zipfile

import keras
import pytest

import tf_scl
from components.code_digest import import_closure
from tf_scl import saving
from tf_scl.models.methods import METHODS


@pytest.mark.slow
def test_a_fresh_process_loads_a_compiled_model(tmp_path):
    path = tmp_path / "model.keras"
    model = tf_scl.SimSiam(
        tf_scl.resnet(10, (8, 8, 3), width=4), tf_scl.projection_head(6, (7,)), tf_scl.TwoViews(8)
    )
    model.compile(tf_scl.LARS(0.1))
    model.save(path)
    code = (
        f"import tf_scl; model = tf_scl.load_model({str(path)!r}); "
        "print(type(model).__name__, type(model.optimizer).__name__)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.split() == ["SimSiam", "LARS"], found.stderr[-2000:]


def test_every_module_that_registers_a_class_is_loaded():
    root = pathlib.Path(tf_scl.__file__).parent
    registering = {
        ".".join(("tf_scl", *path.relative_to(root).with_suffix("").parts))
        for path in root.rglob("*.py")
        if re.search(r"^@keras\.saving\.register", path.read_text(), re.MULTILINE)
    }
    loaded = {*saving._REGISTERING, *(method().__module__ for method in METHODS.values())}
    assert loaded <= registering <= set(import_closure(*loaded))


class _Unknown(keras.layers.Layer):
    pass


def _tiny():
    return tf_scl.SimSiam(
        tf_scl.resnet(10, (8, 8, 3), width=4), tf_scl.projection_head(6, (7,)), tf_scl.TwoViews(8)
    )


def _write(path, kind):
    """Something at `path` that holds no model, or none that can be loaded."""
    if kind == "model.h5":
        _tiny().save(path)
    elif kind in ("model.weights.h5", "weights.h5"):
        written = path.with_name("model.weights.h5")
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save_weights(written)
        written.rename(path)
    elif kind == "unknown.keras":
        keras.Sequential([keras.Input((3,)), _Unknown()]).save(path)
    elif kind == "lambda.keras":
        keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x)]).save(path)
    elif kind == "zip.keras":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("note", "text")
    elif kind == "saved_model":
        encoder = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
        tf_scl.export_saved_model(encoder, path)
    elif kind == "empty":
        path.mkdir()
    elif not kind.startswith("missing"):
        path.write_text("text")


@pytest.mark.parametrize(
    "kind, message",
    [
        ("model.h5", r'Unknown layer: .*; save the model as model.save\("model.keras"\)'),
        ("model.weights.h5", "holds weights alone; .*model.load_weights"),
        ("weights.h5", "No model config found.*weights alone are read by model.load_weights"),
        ("unknown.keras", "Could not locate class '_Unknown'; .*custom_objects"),
        ("lambda.keras", "Lambda.*; if you trust whoever wrote it, pass safe_mode=False"),
        ("zip.keras", "no item named 'config.json' in the archive; give a .keras file"),
        ("saved_model", "is a SavedModel.*tf.saved_model.load"),
        ("empty", "it is no .keras file; give a .keras file"),
        ("text.keras", "it is no zip archive"),
        ("text.h5", "cannot be loaded: .*"),
        ("text.txt", "it is no .keras file"),
        ("missing.keras", "does not exist; give the path of a .keras file"),
        ("missing.h5", "does not exist"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(tmp_path, kind, message):
    path = tmp_path / kind
    _write(path, kind)
    with pytest.raises(tf_scl.InputError, match=f"{re.escape(str(path))}.*{message}") as error:
        tf_scl.load_model(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("path", [None, 3])
def test_no_path_at_all(path):
    with pytest.raises(tf_scl.InputError, match=f"Received: {path}"):
        tf_scl.load_model(path)


def test_an_h5_file_of_keras_own_layers_is_loaded(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(tmp_path / "model.h5")
    assert tf_scl.load_model(tmp_path / "model.h5").output_shape == (None, 2)


def test_options_are_those_of_keras(tmp_path):
    keras.Sequential([keras.Input((3,)), _Unknown()]).save(tmp_path / "model.keras")
    loaded = tf_scl.load_model(tmp_path / "model.keras", custom_objects={"_Unknown": _Unknown})
    assert isinstance(loaded.layers[0], _Unknown)
