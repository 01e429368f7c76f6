import pickle

import pytest
import tensorflow as tf

from tf_scl.config import Config
from tf_scl.errors import InputError, file_reason, first_sentence


@pytest.mark.parametrize(
    "error, expected",
    [
        (ValueError("no such layer. More of it\nand more"), "no such layer"),
        (
            ValueError("\x1b[1mException encountered when calling x\x1b[0m\n\n bad shape."),
            "bad shape",
        ),
        (KeyError("a name"), "a name"),
        (ValueError("x" * 400), "x" * 300),
        (ValueError(""), "ValueError"),
    ],
)
def test_what_says_most_is_kept(error, expected):
    assert first_sentence(error) == expected


def test_silence_may_have_words():
    assert first_sentence(ValueError(" \n"), "no reason given") == "no reason given"


@pytest.mark.parametrize(
    "error, expected",
    [
        (OSError(28, "No space left on device", "/full"), "No space left on device"),
        (tf.errors.NotFoundError(None, None, "no such object"), "no such object"),
        (ValueError("not a zip file"), "not a zip file"),
    ],
)
def test_a_reason_is_without_number_and_path(error, expected):
    assert file_reason(error) == expected


def test_an_error_knows_its_setting_also_in_another_process():
    error = pickle.loads(pickle.dumps(InputError("too small", setting="train.epochs")))
    assert (str(error), error.setting) == ("too small", "train.epochs")
    assert InputError("no such file").setting is None
    with pytest.raises(InputError) as caught:
        Config().replace({"train": {"epochs": 0}})
    assert caught.value.setting == "train.epochs"
