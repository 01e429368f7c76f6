"""Names of tables, and things from outside by "module:name"."""

import subprocess
import sys

import pytest

from tf_scl import registry
from tf_scl.config import Config
from tf_scl.errors import InputError

_TABLES = {
    "tf_scl.models.methods:METHODS": "model.method",
    "tf_scl.optimizers.by_name:OPTIMIZERS": "train.optimizer",
    "tf_scl.strategies:STRATEGIES": "train.strategy",
    "tf_scl.encoders.resnet_sizes:DEPTHS": "model.depth",
    "tf_scl.encoders.resnet_sizes:STEMS": "model.stem",
}


@pytest.mark.parametrize(("place", "setting"), _TABLES.items())
def test_a_setting_takes_the_names_of_its_table_and_no_other(place, setting):
    section, name = setting.split(".")
    for value in registry.names(place):
        changed = Config().replace({section: {name: value}})
        assert getattr(getattr(changed, section), name) == value
    other = 11 if name == "depth" else "another"
    with pytest.raises(InputError, match=f"{setting} must be one of .*Received: {other!r}"):
        Config().replace({section: {name: other}})


def test_settings_and_tables_load_nothing_heavy():
    code = (
        "import sys, tf_scl.config; assert not {'tensorflow', 'keras', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["a:B", "my.methods:VICReg"])
def test_names_from_outside(name):
    assert registry.is_outside(name)


@pytest.mark.parametrize("name", ["simclr", "a:", ":B", "a/b:C", "gs://bucket/a", "a:B:C", "a:b.c"])
def test_other_names(name):
    assert not registry.is_outside(name)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module that must not be run to be looked at."""
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "a_module_of_mine.py"
    path.write_text(
        "from math import pi as half_of_tau\nclass A: ...\nb = 3\nif b != 3: raise ValueError\n"
    )
    return path


def test_what_a_module_defines_is_found_without_running_it(module):
    module.write_text(module.read_text() + "raise RuntimeError('run')\n")
    for name in ("A", "b", "half_of_tau"):
        assert registry.source_of(f"a_module_of_mine:{name}", "model.method") == module
    with pytest.raises(InputError, match="model.method is .*a_module_of_mine.py' defines no 'C'"):
        registry.source_of("a_module_of_mine:C", "model.method")


def test_a_module_that_is_no_python_is_named(module):
    module.write_text("class A:\n")
    with pytest.raises(InputError, match="a_module_of_mine.py' is no Python: .*line 1"):
        registry.source_of("a_module_of_mine:A", "model.method")


def test_it_is_loaded(module):
    assert registry.load("a_module_of_mine:b", "model.method") == 3


@pytest.mark.parametrize("name", ["no_such_module:A", "json.no_such:A", "sys:path"])
def test_a_module_that_is_not_here(name):
    with pytest.raises(
        InputError, match=f"{name.split(':')[0]}' of Python here; run the same from"
    ):
        registry.load(name, "model.method")
