import os

import pytest
import tensorflow as tf

from tf_scl.callbacks.checkpoint_and_resume import CheckpointAndResume
from tf_scl.callbacks.epoch_summaries import EpochSummaries
from tf_scl.callbacks.log_learning_rate import LogLearningRate


def scalars(folder):
    """Dict from tag to dict from epoch to value, of the event files in a folder."""
    found = {}
    for name in sorted(os.listdir(folder)):
        for event in tf.compat.v1.train.summary_iterator(os.path.join(folder, name)):
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                number = float(tf.make_ndarray(value.tensor))
                found.setdefault(value.tag, {})[event.step] = number
    return found


def _data(pairs):
    return tf.data.Dataset.from_tensor_slices(pairs).batch(8)


def test_event_files_hold_the_metrics_of_each_epoch(pair_model, pairs, tmp_path):
    callbacks = [LogLearningRate(), EpochSummaries(tmp_path)]
    history = pair_model().fit(_data(pairs), epochs=3, verbose=0, callbacks=callbacks).history
    found = scalars(tmp_path / "train")
    assert sorted(found) == [f"epoch_{name}" for name in sorted(history)]
    assert "epoch_learning_rate" in found
    for name, values in history.items():
        assert found[f"epoch_{name}"] == pytest.approx(dict(enumerate(values)), rel=1e-6)


def test_epochs_are_on_the_disk_when_a_run_is_cut_off(pair_model, pairs, tmp_path):
    seen = []

    class Look(EpochSummaries):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            seen.append(sorted(scalars(self.folder)["epoch_loss"]))

    pair_model().fit(_data(pairs), epochs=2, verbose=0, callbacks=[Look(tmp_path)])
    assert seen == [[0], [0, 1]]


@pytest.mark.parametrize("second", ["logs", "other"])
def test_curves_go_on_in_a_resumed_run(pair_model, pairs, tmp_path, second):
    for epochs, logs in ((2, "logs"), (3, second)):
        callbacks = [EpochSummaries(tmp_path / logs), CheckpointAndResume(tmp_path / "saved")]
        fitted = pair_model().fit(_data(pairs), epochs=epochs, verbose=0, callbacks=callbacks)
    losses = fitted.history["loss"]
    found = scalars(tmp_path / second / "train")
    assert found["epoch_loss"] == pytest.approx(dict(enumerate(losses)), rel=1e-6)


def test_names_and_files_are_those_of_keras(pair_model, pairs, tmp_path):
    keras = pytest.importorskip("keras")
    pytest.importorskip("tensorboard")
    callbacks = [EpochSummaries(tmp_path / "ours"), keras.callbacks.TensorBoard(tmp_path / "keras")]
    pair_model().fit(_data(pairs), epochs=2, verbose=0, callbacks=callbacks)
    ours, theirs = (scalars(tmp_path / name / "train") for name in ("ours", "keras"))
    assert theirs.pop("epoch_learning_rate")
    theirs = {tag: values for tag, values in theirs.items() if tag.startswith("epoch")}
    assert ours.keys() == theirs.keys()
    for tag, values in ours.items():
        assert values == pytest.approx(theirs[tag])
