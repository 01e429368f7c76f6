import logging

import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tf_scl.callbacks.online_knn import OnlineKNN


def _fit(model, pairs, *callbacks, epochs=3):
    data = tf.data.Dataset.from_tensor_slices(pairs).batch(8)
    return model.fit(data, epochs=epochs, verbose=0, callbacks=list(callbacks)).history


def test_the_accuracy_is_that_of_the_features(pair_model, pairs, labeled):
    model = pair_model()
    history = _fit(model, pairs, OnlineKNN(*labeled, k=5))
    images, labels, test_images, test_labels = labeled
    features = [model.predict(x, verbose=0) for x in (images, test_images)]
    expected = tf_scl.knn_accuracy(features[0], labels, features[1], test_labels, k=5)
    assert len(history["knn_accuracy"]) == 3
    assert history["knn_accuracy"][-1] == pytest.approx(expected)
    assert expected > 0.8


def test_the_neighbors_are_as_many_as_a_class_has_and_that_is_said_once(
    pair_model, pairs, labeled, caplog
):
    images, labels, test_images, test_labels = labeled
    with caplog.at_level(logging.WARNING, "tf_scl"):
        callback = OnlineKNN(images, labels[:, None], test_images, test_labels[:, None])
        history = _fit(pair_model(), pairs, callback, epochs=2)
    smallest = np.bincount(labels - 5).min()
    assert callback.k == smallest < 200
    assert len([m for m in caplog.messages if m.startswith(f"kNN takes {smallest} ")]) == 1
    assert history["knn_accuracy"][-1] > 0.8


@pytest.mark.parametrize("options", [{"k": 0}, {"temperature": 0.0}])
def test_bad_arguments_are_named_before_training(labeled, options):
    with pytest.raises(tf_scl.InputError, match=str(next(iter(options)))):
        OnlineKNN(*labeled, **options)


def test_epochs_in_between_repeat_the_last_value(pair_model, pairs, labeled, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "tf_scl.callbacks.online_knn.knn_accuracy", lambda *args: calls.append(1) or len(calls)
    )
    callback = OnlineKNN(*labeled, every_epochs=2)
    assert _fit(pair_model(), pairs, callback, epochs=5)["knn_accuracy"] == [1, 2, 2, 3, 3]
    resumed = OnlineKNN(*labeled, every_epochs=2)
    resumed.set_state(callback.get_state())
    assert _fit(pair_model(), pairs, resumed, epochs=1)["knn_accuracy"] == [3]
    resumed.set_state({})
    assert resumed.get_state() == {}
