"""A Keras model that refuses arguments without effect, and looks at first batches."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_scl.errors import InputError
from tf_scl.models import checks
from tf_scl.models.keras_compat import CompatModel
from tf_scl.typing import Element, Images


class CheckedModel(CompatModel):
    """What users give to `compile`, `fit`, `evaluate` and `predict` is checked here.

    The first batch of each is looked at on the host, so that later steps cost
    nothing more and a step compiled by XLA has nothing new in it. A subclass
    has `encoder` and `augmentation`, as `TwoViewModel`.
    """

    _unseen = False  # whether the next batch is a first one

    def images_in(self, data: Element) -> tuple[Images, ...]:
        """A tuple of the images in an element of the data, or of both batches of views."""
        return checks.pair_in(data) if self.augmentation is None else (checks.images_in(data),)

    def __call__(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        # Not in `call`, where Keras would add to our error what it was called with.
        if isinstance(images, (np.ndarray, tf.Tensor)) and tf.executing_eagerly():
            checks.look_at_range(images, refuse=self.augmentation is not None)
        return super().__call__(images, *args, **kwargs)

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        **options: Any,
    ) -> None:
        """As `keras.Model.compile`, without the arguments that only labels would give a meaning.

        Raises:
            InputError: One of `loss`, `loss_weights`, `metrics`, `weighted_metrics`.
        """
        without_effect = {
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        for name, value in without_effect.items():
            if value:
                raise InputError(
                    f"`{name}` of `compile` would have no effect: {type(self).__name__} has a loss "
                    "of its own, without labels, and reports its parts; leave it out. "
                    "`tf_scl.OnlineLinearProbe` reports an accuracy"
                )
        super().compile(optimizer, **options)

    def fit(
        self,
        *args: Any,
        validation_data: Any = None,
        class_weight: Any = None,
        sample_weight: Any = None,
        **options: Any,
    ) -> keras.callbacks.History:
        """As `keras.Model.fit`.

        Raises:
            InputError: Weights; or what the first batch shows, see `TwoViewModel`.
        """
        checks.refuse_weights(class_weight=class_weight, sample_weight=sample_weight)
        if isinstance(validation_data, (tuple, list)) and len(validation_data) == 3:
            checks.refuse_weights(sample_weight=validation_data[2])
        return super().fit(*args, validation_data=validation_data, **options)

    def evaluate(self, *args: Any, sample_weight: Any = None, **options: Any) -> Any:
        """As `keras.Model.evaluate`.

        Raises:
            InputError: As `fit`.
        """
        # Keras drops them if there are no labels.
        checks.refuse_weights(sample_weight=sample_weight)
        return super().evaluate(*args, **options)

    def new_train_function(self) -> Callable[[Iterator[Element]], dict[str, tf.Tensor]]:
        """From an iterator over batches to the metrics of a step, or of several."""
        super().make_train_function(force=True)
        return self.train_function

    def make_train_function(self, force: bool = False) -> None:
        self._unseen = True
        if self.train_function is None or force:
            # Built while the step is traced, as Keras does it, it would have the step traced twice.
            if self.built and not self.optimizer.built:
                with self.distribute_strategy.scope():
                    self.optimizer.build(self.trainable_variables)
            self.train_function = self._looking_first(self.new_train_function())

    def make_test_function(self, force: bool = False) -> None:
        self._unseen = True
        if self.test_function is None or force:
            super().make_test_function(force=True)
            self.test_function = self._looking_first(self.test_function)

    def make_predict_function(self, force: bool = False) -> None:
        self._unseen = True
        if self.predict_function is not None and not force:
            return
        super().make_predict_function(force=True)
        predict = self.predict_function

        def look_and_predict(batches: Sequence[Element]) -> Any:
            self._look(batches[0], checks.images_to_embed)
            return predict(batches)

        self.predict_function = look_and_predict

    def see_first_batch(self, data: Element) -> None:
        self._unseen = True
        self._look(data, self.images_in)

    def _looking_first(
        self, function: Callable[[Iterator[Element]], dict[str, tf.Tensor]]
    ) -> Callable[[Iterator[Element]], dict[str, tf.Tensor]]:
        """A train or test function that looks at the first batch of its data."""

        def look_and_run(iterator: Iterator[Element]) -> dict[str, tf.Tensor]:
            # Under a strategy it was looked at as the model was built.
            if self._unseen and not isinstance(iterator, tf.distribute.DistributedIterator):
                batch = next(iterator, None)
                # An exhausted iterator goes to the function as it is: its failing step draws
                # seeds too, and a resumed run must draw as many as one that was never stopped.
                if batch is not None:
                    self._look(batch, self.images_in)
                    iterator = replayed(batch, iterator, self.steps_per_execution)
            return function(iterator)

        return look_and_run

    def _look(self, data: Element, images_in: Callable[[Element], tuple[Images, ...]]) -> None:
        """Looks at the images that `images_in` finds in a batch, if it is a first one."""
        if self._unseen:
            self._unseen = False
            images = images_in(self.local_part(data))
            checks.look_at(images, self.encoder, refuse=self.augmentation is not None)


def replayed(batch: Element, iterator: Iterator[Element], steps: int) -> Iterator[Element]:
    """An iterator of the same type that begins with a batch taken from another.

    Args:
        batch: What `next(iterator)` gave.
        iterator: `tf.data.Iterator`, or any Python iterator.
        steps: Int, how many elements will be asked for; only so many are taken
            from `iterator`.

    Returns:
        An iterator whose elements have the spec of `iterator`'s, so that a
        `tf.function` is not traced anew.
    """
    elements = itertools.chain([batch], itertools.islice(iterator, steps - 1))
    if not isinstance(iterator, tf.data.Iterator):
        return elements
    spec = iterator.element_spec
    return iter(tf.data.Dataset.from_generator(lambda: elements, output_signature=spec))
