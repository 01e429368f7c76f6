import subprocess
import sys

import pytest

import tf_scl


def _run(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_import_loads_neither_tfx_nor_beam():
    script = """
import sys
import tf_scl
for name in tf_scl.__all__:
    getattr(tf_scl, name)
heavy = {"tfx", "apache_beam", "ml_metadata", "tensorflow_data_validation", "kfp"}
print(sorted(heavy & {name.split(".")[0] for name in sys.modules}))
"""
    assert _run(script) == "[]"


def test_a_bare_import_loads_not_even_tensorflow():
    script = "import sys, tf_scl; print('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert _run(script) == "False"


def test_every_public_name_is_there_and_documented():
    for name in tf_scl.__all__:
        value = getattr(tf_scl, name)
        assert name == "__version__" or value.__doc__, name
    assert set(tf_scl.__all__) <= set(dir(tf_scl))


def test_an_unknown_name_lists_the_known():
    with pytest.raises(AttributeError, match="'SpectralContrast'; it has.*SpectralContrastive"):
        tf_scl.SpectralContrast  # noqa: B018
