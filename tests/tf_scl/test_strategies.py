"""Strategies by name."""

import pytest
import tensorflow as tf

import tf_scl
from tf_scl import distribute
from tf_scl.strategies import make_strategy


def test_strategies_by_name():
    assert make_strategy("one_device").num_replicas_in_sync == 1
    assert make_strategy("mirrored").num_replicas_in_sync == 2
    assert isinstance(make_strategy("auto"), tf.distribute.OneDeviceStrategy)
    with pytest.raises(tf_scl.InputError, match="no strategy 'tpu9'; there are auto.*tpu"):
        make_strategy("tpu9")
    assert distribute.is_chief(make_strategy("mirrored"))


@pytest.mark.parametrize("config", [None, "", "{", "{}", '{"cluster": {"worker": ["a:1"]}}'])
def test_multi_worker_without_a_usable_tf_config(monkeypatch, config):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(tf_scl.InputError, match="needs the environment variable TF_CONFIG, such"):
        make_strategy("multi_worker")


def test_no_tpu_is_named(monkeypatch):
    monkeypatch.delenv("TPU_NAME", raising=False)
    with pytest.raises(tf_scl.InputError, match="no TPU was found.*TPU_NAME"):
        make_strategy("tpu")
