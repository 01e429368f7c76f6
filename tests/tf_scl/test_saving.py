import pathlib
import re
import subprocess
import sys

import tf_scl
from tf_scl import saving


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
    through_methods = {name for name in registering if name.startswith("tf_scl.models.")}
    assert registering - through_methods | {"tf_scl.models.methods"} == set(saving._REGISTERING)
