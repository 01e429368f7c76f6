"""Imports point down: pipeline -> components -> tf_scl; tests above all."""

import ast
import pathlib

import pytest

_ROOT = pathlib.Path(__file__).parent.parent
_FORBIDDEN = {
    "tf_scl": {"components", "pipeline", "tfx", "apache_beam", "benchmarks", "tests"},
    "components": {"pipeline", "benchmarks", "tests"},
    "pipeline": {"benchmarks", "tests"},
}
_WITH_BEAM = (_ROOT / "tf_scl/data/ingest.py", _ROOT / "tf_scl/data/embed.py")


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module.split(".")[0]


@pytest.mark.parametrize("layer", _FORBIDDEN)
def test_imports_point_down(layer):
    for path in (_ROOT / layer).rglob("*.py"):
        allowed = {"apache_beam"} if path in _WITH_BEAM else set()
        wrong = (_FORBIDDEN[layer] - allowed) & set(_imports(path))
        assert not wrong, f"{path} imports {wrong}"


def test_every_module_of_the_library_has_a_test():
    untested = []
    for path in (_ROOT / "tf_scl").rglob("*.py"):
        below = path.relative_to(_ROOT / "tf_scl")
        test = _ROOT / "tests" / "tf_scl" / below.parent / f"test_{below.name}"
        if path.name != "__init__.py" and not test.exists():
            untested.append(str(below))
    # Tested in the module that uses them most.
    assert sorted(untested) == [
        "optimizers/arguments.py",  # test_lars, test_l2_sgd
        "typing.py",  # names of types
    ]
