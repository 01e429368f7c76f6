"""Pretraining from record files, as the pipeline does it."""

import dataclasses
import gc
import itertools
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_scl import distribute, time_budget
from tf_scl.augmentation.two_views import TwoViews
from tf_scl.callbacks.checkpoint_and_resume import CheckpointAndResume
from tf_scl.callbacks.epoch_summaries import EpochSummaries
from tf_scl.callbacks.log_learning_rate import LogLearningRate
from tf_scl.callbacks.stateful import StatefulCallback
from tf_scl.callbacks.stop_on_non_finite import StopOnNonFinite
from tf_scl.config import Config, TrainConfig
from tf_scl.data.input_pipeline import WorkerShard, count_records, training_batches
from tf_scl.encoders.backbones import build_encoder
from tf_scl.errors import InputError
from tf_scl.models.batch_statistics import with_statistics_of
from tf_scl.models.methods import build_method
from tf_scl.models.projection_head import projection_head
from tf_scl.models.two_view_model import TwoViewModel
from tf_scl.optimizers.by_name import build_optimizer
from tf_scl.precision import layers_in, policy_name
from tf_scl.strategies import make_strategy
from tf_scl.typing import Element, PathLike

# Settings that a run may go on with, other than those of its checkpoint.
MAY_CHANGE = (
    "train.base_learning_rate",
    "train.checkpoint_steps",
    "train.strategy",
    "train.xla",
)

_ENDLESS = 10**9  # epochs; the data are read as `fit` asks for them

_log = logging.getLogger(__name__)


def build_model(config: Config) -> TwoViewModel:
    """The model that a `Config` describes, not compiled.

    Args:
        config: `tf_scl.Config`; its sections augment and model count, and of
            train precision, seed, accumulate, negatives and views_in: where
            views are made by tf.data, the model takes pairs of them.

    Returns:
        `TwoViewModel` with all its weights.

    Raises:
        InputError: An encoder or weights that cannot be had, see
            `tf_scl.encoders.backbones`.
    """
    model = config.model
    with layers_in(config.train.precision):
        encoder = build_encoder(model)
        projector = projection_head(model.embedding_dim, model.projector_hidden)
        in_step = config.train.views_in == "step"
        return build_method(config, encoder, projector, build_views(config) if in_step else None)


def build_views(config: Config) -> TwoViews:
    """The `TwoViews` that a `Config` describes."""
    return TwoViews(config.model.image_size, seed=config.train.seed, **vars(config.augment))


def learning_rate(
    train: TrainConfig, steps_per_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Linear warm-up from 0 for at most half the run, then cosine to 0, per step.

    The peak is base_learning_rate * batch_size / 256 (Goyal et al. 2017,
    arXiv 1706.02677, section 2.1).
    """
    peak = train.base_learning_rate * train.batch_size / 256
    total = train.epochs * steps_per_epoch
    warmup = min(train.warmup_epochs * steps_per_epoch, total // 2)
    decay = total - warmup
    if warmup == 0:
        return keras.optimizers.schedules.CosineDecay(peak, decay)
    return keras.optimizers.schedules.CosineDecay(
        0.0, decay, warmup_target=peak, warmup_steps=warmup
    )


def pretrain(
    files: Sequence[str],
    config: Config,
    before_training: Callable[[TwoViewModel], object] | None = None,
    verbose: str | int = "auto",
    checkpoint_dir: PathLike | None = None,
    log_dir: PathLike | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    settled: Callable[[Config], object] | None = None,
) -> tuple[TwoViewModel, dict[str, list[float]]]:
    """Trains an encoder on record files, under the configured strategy.

    With `config.train.minutes` some steps of a model that is thrown away are
    timed, and as many epochs are made as fit; what `callbacks` do at the end of
    an epoch comes on top. The training is that of so many `config.train.epochs`.

    With `checkpoint_dir` the whole state is saved every
    `config.train.checkpoint_steps` steps, and the same call goes on from the
    newest checkpoint there: at its step, with the batches and views that would
    have come next, so that the run follows the curve of one never stopped. Its
    epochs are then those of the checkpoint, and nothing is timed.

    Args:
        files: List of TFRecord paths (`tf_scl.data.features`); labels in them
            are not read.
        config: `tf_scl.Config`.
        before_training: Called with the model before its first step, or None;
            with untrained weights also in a run that goes on. Its normalizations
            have the statistics of training images meanwhile
            (`tf_scl.models.batch_statistics`), and its layers compute in float32: it may
            look at the model, not change it.
        verbose: Of `keras.Model.fit`.
        checkpoint_dir: Folder of this run's checkpoints, local or remote, or
            None for no checkpoints.
        log_dir: Folder for TensorBoard, or None.
        callbacks: `keras.callbacks.Callback`s, such as `OnlineLinearProbe`.
            `StatefulCallback`s among them are saved and restored too.
        settled: Called, before `before_training`, with the `Config` that is
            trained by: `config`, with the epochs that its minutes come to. Or None.

    Returns:
        (`TwoViewModel`, not compiled where it was trained in another precision
        than float32, in which its layers compute from then on; dict of lists:
        the metrics of each epoch, from the first one, and "learning_rate" at
        its end).

    Raises:
        InputError: An encoder or weights that cannot be had; fewer images than a
            batch takes; a batch that replicas and micro-batches cannot share
            evenly; minutes too few for an epoch, or on several machines; a
            checkpoint of other settings or data; or the loss became NaN or
            infinite.
    """
    strategy = make_strategy(config.train.strategy)
    _require_one_clock(config.train, strategy)
    _require_even_batch(config.train, strategy.num_replicas_in_sync)
    images = count_records(files)
    config.train.require_batch(images)
    checkpointing = None
    if checkpoint_dir:
        checkpointing = _checkpoint_callback(checkpoint_dir, files, images, config, callbacks)
    found = checkpointing.find(strategy) if checkpointing else None
    config, data = _settle_epochs(files, config, strategy, images, found)
    if settled:
        settled(config)
    train, steps = config.train, images // config.train.batch_size
    model = _compiled_model(config, strategy, steps)
    every_callback = [StopOnNonFinite(checkpoint_dir), *callbacks, LogLearningRate()]
    summaries = EpochSummaries(log_dir) if log_dir else None
    if summaries:
        every_callback.append(summaries)
    if checkpointing:
        every_callback.append(checkpointing)
    first_step = found["step"] if found else 0
    finished = first_step == train.epochs * steps
    if data is None and not finished:
        data = _training_data(files, config, strategy, first_step, images)
    if before_training:
        start = data
        if start is None or first_step:
            start = _training_data(files, config, strategy, 0, images)
        with with_statistics_of(model, itertools.islice(start, train.epochs * steps)):
            before_training(_in_float32(model, config))
    if checkpointing and finished:
        _log.info("training has finished before; its last checkpoint is used")
        return _restore_finished(model, config, checkpointing, summaries)
    _log.info(
        "training for %d epochs of %d steps on %d replica(s)%s",
        train.epochs,
        steps,
        strategy.num_replicas_in_sync,
        f", going on after step {first_step}" if first_step else "",
    )
    history = model.fit(
        data,
        epochs=train.epochs,
        steps_per_epoch=steps,
        verbose=verbose,
        shuffle=False,  # the data are
        callbacks=every_callback,
    )
    return _in_float32(model, config), history.history


def _in_float32(model: TwoViewModel, config: Config) -> TwoViewModel:
    """The trained model with layers that compute in float32, whatever they were trained in.

    What is evaluated and served then depends on the weights alone, and a machine without
    bfloat16 answers as fast as it can.
    """
    if policy_name(config.train.precision) == "float32":
        return model
    weights = model.get_weights()
    model = build_model(config.replace({"train": {"precision": "float32"}}))
    model.set_weights(weights)
    return model


def _settle_epochs(
    files: Sequence[str],
    config: Config,
    strategy: tf.distribute.Strategy,
    images: int,
    found: dict[str, Any] | None,
) -> tuple[Config, Iterable[Element] | None]:
    """Finds the epochs that `train.minutes` come to.

    Args:
        files, config, strategy: Of the training.
        images: Int, in the files.
        found: What the training goes on with, of `CheckpointAndResume.find`, or None.

    Returns:
        `Config`, and the data of the training from its start on, endless, or
        None where they were not needed.
    """
    train, steps = config.train, images // config.train.batch_size
    if not train.minutes:
        return config, None
    if found:
        return _with_epochs(config, found["epochs"]), None
    data = _training_data(files, _with_epochs(config, _ENDLESS), strategy, 0, images)
    model = _compiled_model(config, strategy, steps)
    seconds = time_budget.step_seconds(model, data, steps)
    del model
    gc.collect()  # its weights must not lie beside those of the next one
    epochs = time_budget.epochs_within(train.minutes, seconds, steps)
    _log.info("%s", time_budget.describe(train.minutes, seconds, epochs, steps))
    return _with_epochs(config, epochs), data


def _with_epochs(config: Config, epochs: int) -> Config:
    return dataclasses.replace(config, train=dataclasses.replace(config.train, epochs=epochs))


def _compiled_model(
    config: Config, strategy: tf.distribute.Strategy, steps_per_epoch: int
) -> TwoViewModel:
    """The model of a `Config` and its optimizer, the same for the same seed."""
    train = config.train
    keras.utils.set_random_seed(train.seed)
    with strategy.scope():
        model = build_model(config)
        optimizer = build_optimizer(train, learning_rate(train, steps_per_epoch))
        model.compile(optimizer, jit_compile=train.xla)
    return model


def _training_data(
    files: Sequence[str],
    config: Config,
    strategy: tf.distribute.Strategy,
    first_step: int,
    images: int,
) -> Iterable[Element]:
    """Batches of images or of pairs of views, shared out to the replicas of a strategy."""

    def batches(context: tf.distribute.InputContext | None = None) -> tf.data.Dataset:
        share = WorkerShard()
        if context is not None:
            share = WorkerShard(
                context.input_pipeline_id,
                context.num_input_pipelines,
                context.num_replicas_in_sync,
            )
        size, channels = config.model.image_size, config.model.channels
        data = training_batches(files, config.train, size, channels, first_step, images, share)
        return data if config.train.views_in == "step" else _with_views(data, share)

    def _with_views(data: tf.data.Dataset, share: WorkerShard) -> tf.data.Dataset:
        views = build_views(config)

        def pair(number: tf.Tensor, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            step, replica = share.place(tf.cast(number, tf.int32))
            # What `TwoViews` in the model would draw at this step, on this replica.
            seed = tf.stack([config.train.seed, first_step + step])
            return views.pair(images, seed, replica * tf.shape(images)[0])

        return data.enumerate().map(pair, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    if strategy.num_replicas_in_sync == 1:
        return batches()
    return strategy.distribute_datasets_from_function(batches)


def _checkpoint_callback(
    folder: PathLike,
    files: Sequence[str],
    images: int,
    config: Config,
    callbacks: Iterable[keras.callbacks.Callback],
) -> CheckpointAndResume:
    """The `CheckpointAndResume` of a run on some files with so many images in all."""
    size = sum(tf.io.gfile.stat(path).length for path in files)
    settings = config.to_dict("augment", "model", "train")
    settings["data"] = {"images": images, "files": len(files), "bytes": size}
    if config.train.minutes:
        settings["train"]["epochs"] = "of train.minutes"  # they differ from timing to timing
    return CheckpointAndResume(
        folder,
        config.train.checkpoint_steps,
        settings=settings,
        may_change=MAY_CHANGE,
        stateful_callbacks=[one for one in callbacks if isinstance(one, StatefulCallback)],
        data_resumes=True,
    )


def _restore_finished(
    model: TwoViewModel,
    config: Config,
    checkpointing: CheckpointAndResume,
    summaries: EpochSummaries | None,
) -> tuple[TwoViewModel, dict[str, list[float]]]:
    """(Model, history) of a run of which nothing is left to do."""
    checkpointing.set_model(model)
    checkpointing.restore()
    if summaries:
        summaries.set_model(model)
        summaries.open(checkpointing.history)
        summaries.on_train_end()
    return _in_float32(model, config), checkpointing.history


def _require_one_clock(train: TrainConfig, strategy: tf.distribute.Strategy) -> None:
    if train.minutes and distribute.is_multi_host(strategy):
        raise InputError(
            f"train.minutes is {train.minutes:g}, but several machines train together and would "
            "not agree on the epochs that are in it; set train.epochs"
        )


def _require_even_batch(train: TrainConfig, replicas: int) -> None:
    unit = train.accumulate * replicas
    if train.batch_size % unit:
        below = train.batch_size // unit * unit
        good = [str(size) for size in (below, below + unit) if size >= 2]
        raise InputError(
            f"train.batch_size {train.batch_size} cannot be shared evenly by train.accumulate "
            f"{train.accumulate} x {replicas} replica(s) = {unit}; "
            f"use train.batch_size {' or '.join(good)}"
        )
