"""The base class asks for both halves."""

import pytest

import tf_scl


def test_a_callback_says_what_its_state_is():
    callback = tf_scl.StatefulCallback()
    with pytest.raises(NotImplementedError):
        callback.get_state()
    with pytest.raises(NotImplementedError):
        callback.set_state({})
    for kind in (tf_scl.OnlineKNN, tf_scl.OnlineLinearProbe):
        assert issubclass(kind, tf_scl.StatefulCallback)
