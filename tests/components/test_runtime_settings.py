import dataclasses

from components.runtime_settings import open_settings, overridden
from tf_scl.config import Config


def test_numbers_and_words_can_be_left_open():
    found = open_settings(Config(), ["train", "augment"])
    assert found["train_epochs"] == (800, "passes over the images")
    assert found["train_strategy"][0] == "auto"
    assert "train_xla" not in found  # true or false
    assert "augment_crop_scale" not in found  # two numbers
    assert "evaluate_draws" not in found


def test_a_runtime_parameter_takes_the_place_of_a_setting():
    settings = Config().to_dict("model", "train")
    changed = overridden(settings, {"train_epochs": 3, "run_fn": "x", "evaluate_draws": 2})
    assert changed == {**settings, "train": {**settings["train"], "epochs": 3}}
    assert settings["train"]["epochs"] == 800
    assert overridden(settings, {}) == settings


def test_epochs_of_a_runtime_parameter_take_the_place_of_compiled_minutes():
    settings = Config().replace({"train": {"minutes": 8.0}}).to_dict("train")
    for parameters, epochs, minutes in (
        ({"train_epochs": 800, "train_minutes": 8.0}, 800, 8.0),
        ({"train_epochs": 3, "train_minutes": 8.0}, 3, 0.0),
        ({"train_epochs": 3, "train_minutes": 2.0}, 3, 2.0),
    ):
        train = overridden(settings, parameters)["train"]
        assert (train["epochs"], train["minutes"]) == (epochs, minutes)


def test_every_open_setting_is_put_back_where_it_came_from():
    config = Config()
    sections = [field.name for field in dataclasses.fields(config)]
    for name in open_settings(config, sections):
        section, _, setting = name.partition("_")
        assert overridden(config.to_dict(), {name: "new"})[section][setting] == "new"
