"""Imports point down: pipeline -> components -> tf_scl; tests above all."""

import ast
import pathlib
import sys

import pytest

import tf_scl
from components.code_digest import _walk_what_runs

_ROOT = pathlib.Path(__file__).parent.parent
_FORBIDDEN = {
    "tf_scl": {"components", "pipeline", "tfx", "apache_beam", "benchmarks", "examples", "tests"},
    "components": {"pipeline", "benchmarks", "examples", "tests"},
    "pipeline": {"benchmarks", "examples", "tests"},
}
# What a page that someone copies may need: `pip install tf_scl scikit-learn`.
_IN_EXAMPLES = {"keras", "numpy", "PIL", "sklearn", "tensorflow", "tf_scl"}
_WITH_BEAM = (_ROOT / "tf_scl/ingestion/ingest.py", _ROOT / "tf_scl/embedding/embed.py")


# The rooms of the library, from the lowest: a folder, or a file beside them. A room may import from
# those before it.
_ROOMS = """
    errors typing unit_rows validation files logging_setup versions dataclass_json
    losses theory registry config distribute strategies normalization precision
    time_budget checkpoints images augmentation flags run_command optimizers models saving encoders
    data ingestion labels serving evaluation classification embedding drift search suggestion
    callbacks training report commands cli
""".split()


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


def _rooms_imported(path):
    """Rooms of `tf_scl` that a file imports from, at its head or in a function; not for types."""
    for node in _walk_what_runs(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for parts in (module.split(".") for module in modules):
            if parts[0] == "tf_scl" and parts[1:] and parts[1] in _ROOMS:
                yield parts[1]


def test_rooms_of_the_library_import_from_lower_ones_only():
    upward, library = [], _ROOT / "tf_scl"
    for path in library.rglob("*.py"):
        room = path.relative_to(library).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        place = _ROOMS.index(room)
        rooms = _rooms_imported(path)
        upward += [f"{path}: {other}" for other in rooms if _ROOMS.index(other) > place]
    assert not upward


@pytest.mark.parametrize(
    "path", sorted((_ROOT / "examples").glob("*.py")), ids=lambda path: path.name
)
def test_an_example_needs_the_public_library_only(path):
    assert set(_imports(path)) <= _IN_EXAMPLES | sys.stdlib_module_names
    names = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "tf_scl"
    }
    assert names <= set(tf_scl.__all__)


def test_every_module_of_the_library_has_a_test():
    untested = []
    for path in (_ROOT / "tf_scl").rglob("*.py"):
        below = path.relative_to(_ROOT / "tf_scl")
        test = _ROOT / "tests" / "tf_scl" / below.parent / f"test_{below.name}"
        if path.name != "__init__.py" and not test.exists():
            untested.append(str(below))
    # Tested in the module that uses them most.
    assert sorted(untested) == [
        "typing.py",  # names of types
    ]
