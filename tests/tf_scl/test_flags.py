import logging

import pytest

import tf_scl
from tf_scl.config import PRESETS
from tf_scl.flags import (
    FlagFormatter,
    Parser,
    add_flags,
    config_from,
    describe_error,
    peek,
    with_flags,
)


def _config(*flags, default="digits", sections=None):
    parser = Parser(prog="prog")
    add_flags(parser, flags, default, sections)
    given = vars(parser.parse_args(flags))
    config = config_from(given, default)
    assert given == {}
    return config


def test_without_flags_the_default_preset_holds():
    assert _config(default="laptop") == tf_scl.preset("laptop")


def test_a_policy_comes_after_the_preset_and_before_single_flags():
    config = _config("--policy", "simclr", "--preset", "imagenet", "--augment.hue", "0.05")
    assert config.augment.brightness == 0.8
    assert config.augment.blur == 0.5
    assert config.augment.hue == 0.05
    assert config.train == tf_scl.preset("imagenet").train


def test_a_policy_is_for_the_size_that_is_used():
    assert _config("--policy", "simclr", "--model.image_size", "96").augment.blur == 0.5
    assert _config("--policy", "simclr", "--model.image_size", "32").augment.blur == 0.0


@pytest.mark.parametrize("text,mu", [("auto", "auto"), ("3", 3.0), ("2.5e1", 25.0)])
def test_mu_is_a_number_or_auto(text, mu):
    config = _config("--model.mu", text)
    assert config.model.mu == mu and type(config.model.mu) is type(mu)
    assert tf_scl.Config.from_dict(config.to_dict()) == config


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "automatic", ""])
def test_another_mu_is_named(text):
    with pytest.raises(tf_scl.InputError, match="model.mu must be above 0, or auto"):
        _config(f"--model.mu={text}")


def test_minutes_have_a_short_flag():
    assert _config("--minutes", "2.5").train.minutes == 2.5
    assert _config("--minutes=3") == _config("--train.minutes=3")
    assert _config("--train.epochs", "7", "--minutes", "0").train.epochs == 7


@pytest.mark.parametrize(
    "flags,message",
    [
        (["--minutes", "3", "--train.epochs", "7"], "--minutes 3 and --train.epochs 7 both say"),
        (["--minutes", "-1"], "train.minutes must be between 0"),
        (["--minutes", "nan", "--train.epochs", "7"], "train.minutes must be .*nan"),
        (["--minutes", "soon"], "--train.minutes takes a number. Received: 'soon'"),
    ],
)
def test_minutes_that_say_nothing_clear_are_refused(flags, message):
    with pytest.raises(tf_scl.InputError, match=message):
        _config(*flags)


def test_flags_come_before_the_minutes_of_a_preset():
    for flags, minutes, epochs in (
        ([], 8.0, 20),
        (["--train.epochs", "7"], 0.0, 7),
        (["--minutes", "3"], 3.0, 20),
        (["--minutes", "0"], 0.0, 20),
    ):
        train = _config(*flags, default="laptop").train
        assert (train.minutes, train.epochs) == (minutes, epochs)


def test_sections_without_flags_have_none():
    with pytest.raises(tf_scl.InputError, match="no flag --train.epochs; prog --help lists all"):
        _config("--train.epochs", "3", sections=["augment"])


def test_an_unknown_policy_is_named():
    with pytest.raises(tf_scl.InputError, match="no augmentation policy 'moco'; there are"):
        _config("--policy", "moco")


@pytest.mark.parametrize(
    "flags,message",
    [
        (["--train.epoch", "3"], "no flag --train.epoch; did you mean --train.epochs? prog --help"),
        (["--epochs=3"], "no flag --epochs; did you mean --train.epochs? prog --help lists all"),
        (["3", "--train.seeds", "1"], "no flag --train.seeds; did you mean --train.seed?"),
        (["--zzz"], "no flag --zzz; prog --help lists all"),
        (["3"], "unexpected argument '3'; prog --help lists all"),
        (["--train.epochs"], "argument --train.epochs: expected one argument"),
    ],
)
def test_flags_go_by_their_whole_names(flags, message):
    with pytest.raises(tf_scl.InputError) as raised:
        _config(*flags)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_subparsers_are_as_strict_and_know_their_own_flags():
    parser = Parser(prog="prog")
    parser.add_argument("--other")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("draw").add_argument("--count")
    with pytest.raises(tf_scl.InputError, match="no flag --coun; did you mean --count. prog draw"):
        parser.parse_args(["draw", "--coun", "3"])
    with pytest.raises(tf_scl.InputError, match="invalid choice: 'drew'.*draw.*; prog --help"):
        parser.parse_args(["drew"])
    with pytest.raises(tf_scl.InputError, match="required: COMMAND; prog --help lists all"):
        parser.parse_args([])
    assert parser.parse_args(["draw", "--count", "3"]).count == "3"


@pytest.mark.parametrize("name", [None, *PRESETS, "unknown"])
def test_help_shows_the_values_of_the_preset(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    argv = ["--train.epochs", "3", f"--preset={name}"] if name else []
    parser = Parser()
    add_flags(parser, argv, "laptop")
    lines = [line for line in parser.format_help().splitlines() if "--model.width V  " in line]
    width = PRESETS.get(name or "laptop", PRESETS["laptop"]).get("model", {}).get("width", 64)
    assert [line.rpartition("(default: ")[2] for line in lines] == [f"{width})"]
    assert "(default: 0.2,1.0)" in parser.format_help() or name == "digits"


def test_a_flag_can_be_looked_at_before_all_is_parsed():
    assert peek(["views", "x", "--preset", "a", "--preset=b", "--z"], "--preset") == "b"
    assert peek(["--preset"], "--preset") is None
    assert peek([], "--preset") is None


@pytest.mark.parametrize(
    "text, shown",
    [
        ("use train.batch_size 8 or 16", "use --train.batch_size 8 or 16"),
        ("model.channels is 1; add images.", "--model.channels is 1; add images."),
        ("use train.minutes 0.2 or more", "use --minutes 0.2 or more"),
        ("give what model.save wrote", "give what model.save wrote"),
        ("no file 'runs/model.width' in /x/train.epochs", None),
        ("tf_scl.config.train.epochs and train.epochs.txt", None),
        ("use --train.epochs 3", None),
        ("train.section, train.require_batch and object.__doc__ are none", None),
    ],
)
def test_settings_in_a_message_become_flags(text, shown):
    assert with_flags(text) == (shown or text)


@pytest.mark.parametrize(
    "message, setting, shown",
    [
        ("no image can be read", None, "no image can be read"),
        ("train.epochs is 0", "train.epochs", "--train.epochs is 0"),
        ("too short a time", "train.minutes", "too short a time (--minutes)"),
        ("'x' exists already; give another file", "out", "{} (--out)"),
    ],
)
def test_an_error_names_the_flag_of_its_setting(message, setting, shown):
    assert describe_error(tf_scl.InputError(message, setting)) == shown.format(message)


def test_what_is_logged_for_the_user_names_flags():
    record = logging.makeLogRecord({"msg": "%s is %d", "args": ("train.epochs", 3)})
    assert FlagFormatter("%(message)s").format(record) == "--train.epochs is 3"
