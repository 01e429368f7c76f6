import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

import tf_scl
from tests.conftest import first_fast
from tf_scl.callbacks.checkpoint_and_resume import CheckpointAndResume
from tf_scl.callbacks.online_knn import OnlineKNN
from tf_scl.callbacks.online_linear_probe import OnlineLinearProbe


def _fit(model, pairs, *callbacks, epochs=3):
    data = tf.data.Dataset.from_tensor_slices(pairs).batch(8)
    return model.fit(data, epochs=epochs, verbose=0, callbacks=list(callbacks)).history


def _state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@pytest.mark.parametrize("replicas", first_fast([1, 2]))
def test_not_a_bit_of_the_model_depends_on_the_labels(
    pair_model, pairs, labeled, one_replica, two_replicas, replicas
):
    images, labels, test_images, test_labels = labeled
    shuffled = np.random.default_rng(0).permutation(labels)
    choices = {
        "without": [],
        "labels": [OnlineLinearProbe(*labeled), OnlineKNN(*labeled)],
        "shuffled labels": [
            OnlineLinearProbe(images, shuffled, test_images, test_labels),
            OnlineKNN(images, shuffled, test_images, test_labels),
        ],
    }
    states, accuracies = [], []
    for callbacks in choices.values():
        with (one_replica if replicas == 1 else two_replicas).scope():
            model = pair_model()
        history = _fit(model, pairs, *callbacks, epochs=6)
        states.append(_state(model))
        accuracies.append(history.get("probe_accuracy", [0])[-1])
    for state in states[1:]:
        for one, other in zip(states[0], state, strict=True):
            np.testing.assert_array_equal(one, other)
    # The labels did reach the probe.
    assert accuracies[1] > 0.9
    assert accuracies[1] > accuracies[2] + 0.1


def test_accuracy_rises_on_digits():
    digits = load_digits()
    images, labels = digits.images[..., None].astype(np.float32), digits.target
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, 1)), keras.layers.Rescaling(1 / 16), keras.layers.Flatten()]
    encoder = keras.Sequential([*layers, keras.layers.Dense(64, activation="relu")])
    model = tf_scl.SpectralContrastive(encoder, keras.layers.Dense(16))
    model.compile(keras.optimizers.SGD(0.01))
    data = tf.data.Dataset.from_tensor_slices((images[:512], images[:512])).batch(64)
    parts = images[:1400], labels[:1400], images[1400:], labels[1400:]
    probe = OnlineLinearProbe(*parts)
    accuracy = model.fit(data, epochs=20, verbose=0, callbacks=[probe]).history["probe_accuracy"]
    assert accuracy[-1] > max(0.85, accuracy[0] + 0.05)
    features = [model.predict(x, verbose=0) for x in (images[:1400], images[1400:])]
    solved = tf_scl.linear_probe(features[0], labels[:1400], features[1], labels[1400:])
    assert accuracy[-1] == pytest.approx(solved.accuracy, abs=0.03)


def test_one_step_is_adam_on_the_cross_entropy(labeled):
    probe = OnlineLinearProbe(*labeled, learning_rate=0.1)
    rng = np.random.default_rng(0)
    head = keras.layers.Dense(2, kernel_initializer="zeros")
    head.build((None, 6))
    optimizer = keras.optimizers.Adam(0.1, epsilon=1e-8)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    mean, variance = 0.0, 0.0
    for step in range(4):
        features = rng.normal(2.0, 3.0, (16, 6)).astype(np.float32)
        targets = rng.integers(0, 2, 16)
        probe._step(features, targets)
        kept = 0.9 if step else 0.0
        mean = kept * mean + (1 - kept) * features.mean(0)
        variance = kept * variance + (1 - kept) * features.var(0)
        with tf.GradientTape() as tape:
            value = loss(targets, head((features - mean) / np.sqrt(variance)))
        optimizer.apply_gradients(
            zip(tape.gradient(value, head.variables), head.variables, strict=True)
        )
    weights = probe.get_state()["weights"]
    np.testing.assert_allclose(weights[:-1], head.kernel, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(weights[-1], head.bias, rtol=1e-3, atol=1e-4)


def test_it_steps_as_often_as_it_is_told(pair_model, pairs, labeled):
    probe = OnlineLinearProbe(*labeled, every=4)
    _fit(pair_model(), pairs, probe)
    assert probe.get_state()["batches"] == 15
    assert probe.get_state()["steps"] == 3


def test_a_probe_without_a_step_yet_still_answers(pair_model, pairs, labeled):
    history = _fit(pair_model(), pairs, OnlineLinearProbe(*labeled, every=100), epochs=1)
    assert 0 <= history["probe_accuracy"][0] <= 1


def test_a_column_of_labels_counts_as_labels(pair_model, pairs, labeled):
    images, labels, test_images, test_labels = labeled
    flat = _fit(pair_model(), pairs, OnlineLinearProbe(*labeled))
    column = OnlineLinearProbe(images, labels[:, None], test_images, test_labels[:, None])
    assert _fit(pair_model(), pairs, column)["probe_accuracy"] == flat["probe_accuracy"]


@pytest.mark.slow
def test_it_resumes_with_the_model(pair_model, pairs, labeled, tmp_path):
    class Crash(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 8:
                raise KeyboardInterrupt

    def fit(folder, *callbacks):
        probe = OnlineLinearProbe(*labeled, batch_size=16)
        saver = CheckpointAndResume(folder, 3, stateful_callbacks=[probe])
        history = _fit(pair_model(), pairs, *callbacks, probe, saver)
        return history["probe_accuracy"], probe.get_state()

    accuracy, state = fit(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "crashed", Crash())
    resumed_accuracy, resumed_state = fit(tmp_path / "crashed")
    assert resumed_accuracy == pytest.approx(accuracy)
    assert sorted(resumed_state) == sorted(state)
    for name, array in state.items():
        np.testing.assert_allclose(resumed_state[name], array, rtol=1e-4, atol=1e-6)
