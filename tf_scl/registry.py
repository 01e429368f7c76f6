"""Things that are chosen by name: tables of ours, and `module:name` from outside.

A table stands beside what it names: methods in `models/methods.py`, optimizers in
`optimizers/by_name.py`, strategies in `strategies.py`, views in `augmentation/policies.py`. Its
module imports nothing heavy, so that settings can ask it for its names. They do so by the text of
its place: a plain import would make all that the table names a part of whatever has settings, and
of the key by which a component is cached.
"""

import ast
import importlib
import importlib.util
import pathlib
from typing import Any

from tf_scl.errors import InputError


def names(place: str) -> tuple[str, ...]:
    """The names in a table of ours.

    Args:
        place: Such as "tf_scl.models.methods:METHODS".
    """
    module, _, table = place.partition(":")
    return tuple(getattr(importlib.import_module(module), table))


def is_outside(name: str) -> bool:
    """Whether a name means something outside of the package, "module:name"."""
    module, colon, attribute = name.partition(":")
    return bool(colon) and all(part.isidentifier() for part in [*module.split("."), attribute])


def source_of(name: str, setting: str) -> pathlib.Path:
    """The file that defines "module:name", which is looked at but not run.

    Args:
        name: As `is_outside` takes it.
        setting: Str, the setting that has this value, for the message.

    Returns:
        `pathlib.Path`.

    Raises:
        InputError: No such module can be imported from here, or it defines no such name.
    """
    module, _, attribute = name.partition(":")
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError) as error:
        raise InputError(_not_found(name, setting)) from error
    if found is None or not found.origin or not found.origin.endswith(".py"):
        raise InputError(_not_found(name, setting))
    path = pathlib.Path(found.origin)
    try:
        statements = ast.parse(path.read_bytes()).body
    except SyntaxError as error:
        raise InputError(
            f"{setting} is {name!r}, but {str(path)!r} is no Python: {error}"
        ) from error
    defined = {target for node in statements for target in _names_of(node)}
    if attribute not in defined:
        raise InputError(f"{setting} is {name!r}, but {str(path)!r} defines no {attribute!r}")
    return path


def load(name: str, setting: str) -> Any:
    """The thing that "module:name" stands for.

    Args:
        name, setting: As in `source_of`.

    Raises:
        InputError: As `source_of`.
    """
    source_of(name, setting)
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _not_found(name: str, setting: str) -> str:
    module = name.partition(":")[0]
    return (
        f"{setting} is {name!r}, but there is no module {module!r} of Python here; run the same "
        "from the folder that holds it, or name that folder in the environment variable PYTHONPATH"
    )


def _names_of(node: ast.stmt) -> list[str]:
    """The names that a statement at the top of a module gives a meaning."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name for alias in node.names]
    return []
