import subprocess
import sys

import pytest

_COMPILED = (
    "import tensorflow as tf\n"
    "double = tf.function(lambda x: x + x, jit_compile=True, autograph=False)\n"
    "assert float(double(tf.constant(1.0))) == 2.0\n"
)


def _stderr(program):
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


_IMPORT = "from tf_scl.logging_setup import *\n"


@pytest.mark.slow
def test_a_quiet_import():
    quiet = _IMPORT + "silence_tensorflow()\nload_tensorflow()\n"
    assert _stderr(quiet + "import tensorflow as tf\ntf.zeros([])\n") == ""


def test_a_quiet_start_of_a_program_that_compiles_and_what_goes_to_stderr_then_is_seen():
    quiet = _IMPORT + "silence_tensorflow()\nwarm_up_xla()\n"
    assert _stderr(quiet + _COMPILED + "import os\nos.write(2, b'seen')\n") == "seen"
