"""Pretraining from record files, as the pipeline does it."""

import logging
import math

import keras

from tf_scl import distribute
from tf_scl.augmentation.two_views import TwoViews
from tf_scl.data.input_pipeline import training_batches
from tf_scl.encoders.resnet import resnet
from tf_scl.errors import InputError
from tf_scl.models.projection_head import projection_head
from tf_scl.models.spectral_contrastive import SpectralContrastive
from tf_scl.optimizers.l2_sgd import L2SGD

_log = logging.getLogger(__name__)


def build_model(config):
    """The model that a `Config` describes, not compiled.

    Args:
        config: `tf_scl.Config`; its sections augment, model and train.seed count.

    Returns:
        `SpectralContrastive` with all its weights.
    """
    model, augment = config.model, config.augment
    encoder = resnet(
        model.depth,
        (model.image_size, model.image_size, model.channels),
        model.stem,
        model.width,
        model.zero_init_residual,
    )
    projector = projection_head(model.embedding_dim, model.projector_hidden)
    views = TwoViews(model.image_size, seed=config.train.seed, **vars(augment))
    return SpectralContrastive(encoder, projector, views, mu=model.mu)


def learning_rate(train, steps_per_epoch):
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


def pretrain(files, config, before_training=None, verbose="auto"):
    """Trains an encoder on record files, under the configured strategy.

    Args:
        files: List of TFRecord paths (`tf_scl.data.features`); labels in them
            are not read.
        config: `tf_scl.Config`.
        before_training: Called with the model before its first step, or None.
        verbose: Of `keras.Model.fit`.

    Returns:
        (`SpectralContrastive`, dict of lists: the metrics of each epoch).

    Raises:
        InputError: Fewer images than a batch takes; or the loss became NaN or
            infinite.
    """
    train = config.train
    keras.utils.set_random_seed(train.seed)
    strategy = distribute.strategy(train.strategy)
    batches = training_batches(files, train, config.model.image_size, config.model.channels)
    steps = len(batches)
    with strategy.scope():
        model = build_model(config)
        rate = learning_rate(train, steps)
        model.compile(L2SGD(rate, momentum=train.momentum, l2=train.l2))
    if before_training:
        before_training(model)
    _log.info(
        "training for %d epochs of %d steps on %d replica(s)",
        train.epochs,
        steps,
        strategy.num_replicas_in_sync,
    )
    history = model.fit(batches, epochs=train.epochs, verbose=verbose, callbacks=[_StopOnNaN()])
    return model, history.history


class _StopOnNaN(keras.callbacks.Callback):
    """Ends a diverged run at once, with the place and the parts of the loss."""

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(logs["loss"]):
            parts = ", ".join(f"{name} {value:.4g}" for name, value in logs.items())
            raise InputError(
                f"the loss is not finite at epoch {self._epoch + 1}, step {batch + 1} ({parts}); "
                "train with a smaller --train.base_learning_rate"
            )
