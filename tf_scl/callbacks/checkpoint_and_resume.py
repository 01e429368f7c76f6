"""Checkpoints during `fit`, and going on from the newest one."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_scl import checkpoints, distribute, validation
from tf_scl.callbacks.skipped_batches import SkippedBatches, is_skipping
from tf_scl.callbacks.stateful import StatefulCallback
from tf_scl.errors import InputError
from tf_scl.typing import Array, Logs, PathLike


class CheckpointAndResume(keras.callbacks.Callback):
    """Saves the whole state of a training and goes on from it after a stop.

    Run the same script again after a crash: `fit` begins at the step of the
    newest checkpoint, with the weights, the optimizer, the seeds of random
    layers, the running means of the metrics and the history of that moment.
    Where the data come in an order that each epoch repeats, or that depends on
    the epoch alone, the run is the one that was never stopped. What was saved
    is never touched: to begin anew, give another folder or delete this one.

    In the epoch that was interrupted, `fit` passes over the batches that were
    trained on already. Other callbacks see them, with empty logs; `is_skipping`
    (`tf_scl.callbacks.skipped_batches`) tells them. For the
    interrupted epoch `fit` needs data with as many batches as before.

    The callback comes after those whose logs or state it saves. It keeps the
    two newest checkpoints and never saves weights that are not finite.

    Example:

    ```python
    model.fit(data, epochs=100, callbacks=[tf_scl.CheckpointAndResume("checkpoints")])
    ```

    Args:
        folder: Path of a folder for this run alone, local or remote (gs://).
            Several workers must share it; one of them writes.
        every_steps: Int, steps between two checkpoints. The end of training is
            saved as well.
        settings: JSON-able dict; a checkpoint that was made with others is
            refused.
        may_change: Names of settings, such as "train.strategy", that need not
            agree.
        stateful_callbacks: `StatefulCallback`s to save along with the model.
        data_resumes: Whether the data given to `fit` begin where the run goes
            on (`find`), and not at the start of the epoch.

    Raises:
        InputError: From `fit`: a checkpoint of another model, optimizer or
            other settings; a folder that cannot be used; weights that became
            NaN or infinite; a model that is not built.
    """

    def __init__(
        self,
        folder: PathLike,
        every_steps: int = 500,
        settings: dict[str, Any] | None = None,
        may_change: Sequence[str] = (),
        stateful_callbacks: Sequence[StatefulCallback] = (),
        data_resumes: bool = False,
    ) -> None:
        super().__init__()
        self.folder = str(folder)
        self.every_steps = validation.whole_number("every_steps", every_steps)
        self.settings = settings or {}
        self.may_change = may_change
        self.stateful_callbacks = stateful_callbacks
        self.data_resumes = data_resumes
        self.history: dict[str, list[float]] = {}
        self._found: checkpoints.Checkpoint | None = None
        self._skipped: SkippedBatches | None = None

    def find(self, strategy: tf.distribute.Strategy | None = None) -> dict[str, Any] | None:
        """The progress of the newest checkpoint, or None where there is none.

        Args:
            strategy: `tf.distribute.Strategy` of the training, or None.

        Returns:
            Dict: "step" (of the run), "epoch" and "batch" (both from 0) to go
            on with, "epochs" (that `fit` was to make in all), and "history"
            (dict of lists: metrics of finished epochs).
        """
        chief = distribute.is_chief(strategy or tf.distribute.get_strategy())
        self._found = checkpoints.load_newest(self.folder, tidy=chief)
        if self._found is None:
            return None
        checkpoints.require_settings(self._found, self.settings, self.may_change)
        return self._found.progress

    def restore(self) -> None:
        """Puts what `find` found into the model and the stateful callbacks."""
        model, strategy, found = self.model, self.model.distribute_strategy, self._found
        self._require_same_on_all_workers(strategy)
        self._step = self._epoch = self._batch = 0
        self._logs: Logs = {}
        self.history = {}
        if found is not None:
            if not model.optimizer.built:
                with strategy.scope():
                    model.optimizer.build(model.trainable_variables)
            for part, variables in self._variables().items():
                checkpoints.assign_variables(found, part, variables, strategy)
            for number, owner in enumerate(self.stateful_callbacks):
                part = f"callbacks/{number}"
                state = checkpoints.part_arrays(found, part)
                owner.set_state({name[len(part) + 1 :]: array for name, array in state.items()})
            progress = found.progress
            self._step, self._epoch = progress["step"], progress["epoch"]
            self._batch, self._logs = progress["batch"], progress["logs"]
            self.history = progress["history"]
        self._saved = self._step

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._stop_skipping()
        if not self.model.built:
            raise InputError(
                "CheckpointAndResume needs a model that is built before `fit`; call it on a "
                "batch of the data first"
            )
        if self._found is None:
            self.find(self.model.distribute_strategy)
        self._require_same_epochs()
        self.restore()
        # What Keras's own BackupAndRestore sets.
        self.model._initial_epoch = self._epoch or None
        self._resumed = self._found is not None
        if self._resumed and getattr(self.model, "history", None):
            self.model.history.history.update({k: list(v) for k, v in self.history.items()})

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.model._initial_epoch = None
        if not self._resumed or epoch != self._epoch:
            self._epoch, self._batch = epoch, 0
        elif self._batch and self._found is not None:
            # Only now: `fit` has just reset the metrics.
            metrics, saved = self.model.metrics_variables, self._found
            if len(metrics) == len(checkpoints.part_arrays(saved, "metrics")):
                strategy = self.model.distribute_strategy
                checkpoints.assign_variables(saved, "metrics", metrics, strategy)
            self._skipped = SkippedBatches(self.model, self._batch, self.data_resumes)
        if self._resumed and getattr(self.model, "history", None):
            self.model.history.epoch = list(range(epoch))
        self._resumed, self._found = False, None

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if is_skipping(self.model):
            return
        self._step += batch + 1 - self._batch
        self._batch, self._logs = batch + 1, logs or {}
        # The last batch of an epoch is saved with the epoch's metrics.
        if self._is_due() and self._batch != self.params.get("steps"):
            self._save(self._epoch, self._batch)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if is_skipping(self.model) and logs is not None:  # the whole epoch was passed over
            logs.update(self._logs)
        self._stop_skipping()
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        self._epoch, self._batch = epoch + 1, 0
        if self._is_due():
            self._save(epoch + 1, 0)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.model._initial_epoch = None
        if self._step > self._saved:
            self._save(self._epoch, self._batch)

    def _is_due(self) -> bool:
        return self._step // self.every_steps > self._saved // self.every_steps

    def _save(self, epoch: int, batch: int) -> None:
        arrays = {}
        for part, variables in self._variables().items():
            arrays.update(checkpoints.read_variables(part, variables))
        self._require_finite(arrays)
        if batch:
            arrays.update(checkpoints.read_variables("metrics", self.model.metrics_variables))
        for number, owner in enumerate(self.stateful_callbacks):
            state = owner.get_state()
            arrays.update({f"callbacks/{number}/{name}": array for name, array in state.items()})
        progress = {
            "step": self._step,
            "epoch": epoch,
            "batch": batch,
            "epochs": self.params.get("epochs"),
            "steps_per_epoch": self.params.get("steps"),
            "logs": self._logs if batch else {},
            "history": self.history,
            "settings": self.settings,
            "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
        }
        if distribute.is_chief(self.model.distribute_strategy):
            checkpoints.save(self.folder, self._step, arrays, progress)
        self._saved = self._step

    def _variables(self) -> dict[str, list[keras.Variable]]:
        # Keras counts the seeds of random layers among the variables, but not metrics.
        optimizer = self.model.optimizer
        # A constant learning rate is a setting: a run may go on with another.
        rate = getattr(getattr(optimizer, "inner_optimizer", optimizer), "_learning_rate", None)
        state = [variable for variable in optimizer.variables if variable is not rate]
        return {"model": self.model.variables, "optimizer": state}

    def _require_finite(self, arrays: Mapping[str, Array]) -> None:
        for array in arrays.values():
            floats = array.dtype.kind == "f" or array.dtype.name == "bfloat16"
            if floats and not np.isfinite(array.astype(np.float32)).all():
                raise InputError(
                    f"the weights are not finite after step {self._step} of the run, and are not "
                    f"saved; {checkpoints.describe_newest(self.folder)}; train with a smaller "
                    "learning rate (train.base_learning_rate)"
                )

    def _require_same_on_all_workers(self, strategy: tf.distribute.Strategy) -> None:
        if not distribute.is_multi_worker(strategy):
            return
        step = self._found.progress["step"] if self._found else 0
        steps = strategy.run(lambda: tf.constant(step, tf.int64))
        mean = int(strategy.reduce("SUM", steps, axis=None)) / strategy.num_replicas_in_sync
        if mean != step:
            raise InputError(
                f"workers found different checkpoints in {self.folder} (this one step {step}); "
                "give all of them one shared checkpoint folder"
            )

    def _require_same_epochs(self) -> None:
        if self._found is None:
            return
        before, now = self._found.progress["steps_per_epoch"], self.params.get("steps")
        if before and now and before != now:
            raise InputError(
                f"an epoch has {now} batches, but had {before} when the checkpoint "
                f"{self._found.path} was made; give the same data and batch size, or another "
                "checkpoint folder, or delete this one"
            )

    def _stop_skipping(self) -> None:
        if self._skipped is not None:
            self._skipped.stop()
            self._skipped = None
