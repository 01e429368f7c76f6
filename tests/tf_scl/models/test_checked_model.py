import collections
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import crops
from tf_scl.models.checked_model import replayed

_PIXELS = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 1)).astype(np.uint8)
_SCALED = _PIXELS / 255.0


def _model(augmented=True, **options):
    layers = [keras.Input((4, 4, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    augmentation = crops(4) if augmented else None
    model = tf_scl.SpectralContrastive(
        keras.Sequential(layers), keras.layers.Dense(2), augmentation, **options
    )
    model.compile(keras.optimizers.SGD(0.01))
    return model


def _batches(*elements):
    data = tf.data.Dataset.from_tensor_slices(elements if len(elements) > 1 else elements[0])
    return data.batch(4)


@pytest.mark.parametrize(
    "use",
    [
        lambda model: model.fit(_SCALED, batch_size=4, verbose=0),
        lambda model: model.fit(_batches(_SCALED), verbose=0),
        lambda model: model.fit(_batches(_SCALED, np.zeros(12)), verbose=0),
        lambda model: model.fit(((_SCALED[i : i + 4],) for i in (0, 4)), verbose=0),
        lambda model: model.fit(_PIXELS, validation_data=(_SCALED, None), verbose=0),
        lambda model: model.evaluate(_SCALED, verbose=0),
        lambda model: model.train_on_batch(_SCALED),
        lambda model: model.test_on_batch(_SCALED),
        lambda model: model.predict(_SCALED, verbose=0),
        lambda model: model.predict_on_batch(_SCALED),
        lambda model: model(_SCALED),
    ],
    ids=(
        "fit,tf.data,labels,generator,validation,evaluate,train_on_batch,test_on_batch,predict,"
        "predict_on_batch,call"
    ).split(","),
)
def test_scaled_images_are_refused_at_the_first_batch(use):
    with pytest.raises(tf_scl.InputError, match=r"0\.\.255.*by 255.*Rescaling") as error:
        use(_model())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("replicas", [None, "one_replica", "two_replicas"])
def test_nothing_is_learned_from_them(request, replicas, accumulate):
    strategy = request.getfixturevalue(replicas) if replicas else tf.distribute.get_strategy()
    with strategy.scope():
        model = _model(accumulate=accumulate)
    before = [w.numpy() for w in model.weights]
    for run in (model.fit, model.predict):
        with pytest.raises(tf_scl.InputError, match="0..255"):
            run(_batches(_SCALED), verbose=0)
    for one, two in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(two, one)


def test_views_made_elsewhere_cause_a_warning():
    """Their encoder may have been made for them."""
    model = _model(augmented=False)
    with pytest.warns(UserWarning, match="0..255.*by 255"):
        model.fit(_batches(_SCALED, _SCALED), verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.evaluate(_batches(_PIXELS, _PIXELS), verbose=0)


def test_dark_images_train():
    model = _model()
    for images in (0 * _PIXELS, _PIXELS % 2, (_PIXELS % 2).astype(np.float32)):
        model.fit(images, batch_size=4, verbose=0)
        model.predict(images, verbose=0)


@pytest.mark.parametrize("options", [{}, {"steps_per_execution": 2}, {"run_eagerly": True}])
def test_the_look_costs_no_batch_and_no_tracing(options):
    """Every element is trained on once and in order, by a step that was traced once."""
    seen, traces = [], collections.Counter()

    class Watched(tf_scl.SpectralContrastive):
        def train_step(self, data):
            traces["train"] += 1
            tf.py_function(lambda first: seen.append(int(first)), [data[0, 0, 0, 0]], [])
            return super().train_step(data)

    layers = [keras.Input((4, 4, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    model = Watched(keras.Sequential(layers), keras.layers.Dense(2), crops(4))
    model.compile(keras.optimizers.SGD(0.01), **options)
    images = np.arange(10, dtype=np.float32)[:, None, None, None] * np.ones((4, 4, 1), np.float32)
    model.fit(tf.data.Dataset.from_tensor_slices(images).batch(2), epochs=2, verbose=0)
    assert seen == [0, 2, 4, 6, 8] * 2
    if not options:
        assert traces["train"] == 1


def test_a_replayed_iterator_has_the_same_type_and_elements():
    data = tf.data.Dataset.range(7).batch(2)
    iterator = iter(data)
    again = replayed(next(iterator), iterator, 2)
    assert again.element_spec == iterator.element_spec
    assert [x.numpy().tolist() for x in again] == [[0, 1], [2, 3]]
    assert next(iterator).numpy().tolist() == [4, 5]


@pytest.mark.parametrize(
    "use",
    [
        lambda model: model.fit(_PIXELS, sample_weight=np.ones(12)),
        lambda model: model.fit(_PIXELS, np.zeros(12), class_weight={0: 2.0}),
        lambda model: model.fit(_PIXELS, validation_data=(_PIXELS, None, np.ones(12))),
        lambda model: model.fit(_batches(_PIXELS, np.zeros(12), np.ones(12)), verbose=0),
        lambda model: model.evaluate(_PIXELS, sample_weight=np.ones(12), verbose=0),
        lambda model: model.train_on_batch(_PIXELS, sample_weight=np.ones(12)),
    ],
)
def test_weights_without_effect_are_refused(use):
    with pytest.raises(tf_scl.InputError, match="_weight` would have no effect") as error:
        use(_model())
    assert "\n" not in str(error.value)


def test_weights_of_pairs_are_refused():
    weighted = tf.data.Dataset.from_tensors(((_PIXELS, _PIXELS), np.zeros(12), np.ones(12)))
    for use in (
        lambda model: model.fit(weighted, verbose=0),
        lambda model: model.fit(_PIXELS, _PIXELS, sample_weight=np.ones(12)),
    ):
        with pytest.raises(tf_scl.InputError, match="`sample_weight` would have no effect"):
            use(_model(augmented=False))


@pytest.mark.parametrize("name", ["loss", "loss_weights", "metrics", "weighted_metrics"])
def test_arguments_of_compile_without_effect_are_refused(name):
    value = "mse" if name == "loss" else [0.5] if name == "loss_weights" else ["accuracy"]
    with pytest.raises(tf_scl.InputError, match=f"`{name}` of `compile` would have no effect"):
        _model().compile("sgd", **{name: value})


def test_a_compiled_model_is_loaded_compiled(tmp_path):
    model = _model()
    model.compile(keras.optimizers.SGD(0.125, momentum=0.5), steps_per_execution=3)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert float(loaded.optimizer.learning_rate) == 0.125
    assert loaded.steps_per_execution == 3
    loaded.fit(_PIXELS, batch_size=4, verbose=0)


def test_a_split_of_the_images_is_validated_on():
    history = _model().fit(_PIXELS, batch_size=4, validation_split=1 / 3, verbose=0).history
    assert np.isfinite(history["val_loss"]).all()
