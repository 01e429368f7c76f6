import functools
import json
import os
import socket
import subprocess
import sys
import types

import numpy as np
import pytest

from tests import one_step
from tests.conftest import exhaustive_but, first_fast
from tf_scl import distribute
from tf_scl.strategies import make_strategy


def test_hosts_of_a_tpu_are_several_machines(one_replica, two_replicas):
    assert not distribute.is_multi_host(one_replica)
    assert not distribute.is_multi_host(two_replicas)
    for hosts in (1, 2):
        tpu = types.SimpleNamespace(extended=types.SimpleNamespace(num_hosts=hosts))
        assert distribute.is_multi_host(tpu) == (hosts == 2)


@pytest.mark.parametrize("case", first_fast(one_step.CASES))
def test_two_replicas_take_the_step_of_one(two_replicas, case):
    """2 x 8 images, different ones on each, against 1 x 16: weights, in float64."""
    _check_same(case, one_step.weights_after_one_step(two_replicas, case))


@functools.cache
def _on_one_replica(case):
    return one_step.weights_after_one_step(make_strategy("one_device"), case)


def _check_same(case, other):
    one = _on_one_replica(case)
    start = one_step.build(case).trainable_variables
    moved = [np.abs(a - b.numpy()).max() for a, b in zip(one, start, strict=False)]
    assert max(moved) > 1e-3
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-10)


# Both ways of exchange, a mu that is found, and another loss; the others are on two replicas above.
_CASES = {
    "a sample": ["spectral auto d=6", "spectral auto d=64", "spectral mu=auto", "simclr"],
    "all": list(one_step.CASES),
}


def _start(strategy, cpus, path, cases, tf_config=None):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    environment.pop("TF_CONFIG", None)
    if tf_config:
        environment["TF_CONFIG"] = json.dumps(tf_config)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.one_step", strategy, str(cpus), str(path), *_CASES[cases]],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _results(processes, paths):
    for process in processes:
        output, _ = process.communicate(timeout=600)
        assert process.returncode == 0, output[-3000:]
    return [np.load(path) for path in paths]


def _compare(found, replicas, cases):
    assert found["replicas"] == replicas
    for case in _CASES[cases]:
        names = sorted(name for name in found if name.startswith(f"{case}/"))
        _check_same(case, [found[name] for name in names])


@pytest.mark.parametrize("cases", exhaustive_but(["a sample"], _CASES))
def test_four_replicas_take_the_step_of_one(tmp_path, cases):
    path = tmp_path / "four.npz"
    [found] = _results([_start("mirrored", 4, path, cases)], [path])
    _compare(found, 4, cases)


@pytest.mark.parametrize("cases", exhaustive_but(["a sample"], _CASES))
def test_two_processes_take_the_step_of_one(tmp_path, cases):
    """`multi_worker`, two real processes that talk over the loopback interface."""
    sockets = [socket.socket() for _ in range(2)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    workers = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    paths = [tmp_path / f"worker{index}.npz" for index in range(2)]
    processes = [
        _start(
            "multi_worker",
            1,
            path,
            cases,
            {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}},
        )
        for index, path in enumerate(paths)
    ]
    for found in _results(processes, paths):
        _compare(found, 2, cases)
