"""A digest of the code behind a component, so that TFX's cache sees it change.

TFX's cache key holds a component's inputs, its parameters and the text of a
`module_file`, but not the code behind a dotted `run_fn` or an executor class.
A component that has this digest among its parameters runs again when its code
changes, and only then.
"""

import ast
import functools
import hashlib
import pathlib
import subprocess
from collections.abc import Collection, Iterator

import tf_scl

_ROOT = pathlib.Path(__file__).parent.parent
_OURS = ("tf_scl", "components")
_SUFFIXES = (".py", ".pyi", ".html", ".css")  # a module, its stub, template and style sheet


def code_digest(*modules: str, leave_out: Collection[str] = ()) -> str:
    """Digest of modules and of every module of ours that they import, near or far.

    Imports are read from the source: those at the top of a file and those
    inside functions, names of the public API (`tf_scl.pretrain`) included, but
    not those for types alone, below `if TYPE_CHECKING:`. A package's `__init__`
    counts where it is imported by name (`import tf_scl`), and so does a template
    or style sheet of a module's name beside it.

    Args:
        modules: Dotted names, such as "tf_scl.training".
        leave_out: Dotted names that do not count.

    Returns:
        Hex digest (str).

    Raises:
        ModuleNotFoundError: A name without a source file here.
    """
    digest = hashlib.sha256()
    for name, path in sorted(import_closure(*modules).items()):
        if name in leave_out:
            continue
        for file in filter(pathlib.Path.is_file, map(path.with_suffix, _SUFFIXES)):
            digest.update(f"{name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def git_commit() -> str | None:
    """The commit that is checked out here, with "-dirty" if files differ from it; or None."""
    if not (_ROOT / ".git").exists():
        return None
    command = ["git", "-C", str(_ROOT), "describe", "--always", "--abbrev=40", "--dirty"]
    command += ["--exclude=*"]  # the hash alone, whatever tags there are
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def import_closure(*modules: str) -> dict[str, pathlib.Path]:
    """Dict from dotted name to source file, of `modules` and what they import of ours."""
    found, waiting = {}, list(modules)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _source(name)
        if path is None:
            raise ModuleNotFoundError(f"no source file of {name} below {_ROOT}")
        found[name] = path
        waiting += [
            imported
            for imported in _imports(path)
            if imported.split(".")[0] in _OURS and _source(imported)
        ]
    return found


@functools.cache
def public_names() -> dict[str, str]:
    """Dict from each public name of tf_scl to the module that it is in, as the stub says."""
    stub = pathlib.Path(tf_scl.__file__).with_suffix(".pyi")
    return {
        alias.name: f"tf_scl.{node.module}"
        for node in ast.parse(stub.read_bytes()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _imports(path: pathlib.Path) -> Iterator[str]:
    """Names that a file imports; `from a import b` may mean a.b or a name in a."""
    for node in _walk_what_runs(ast.parse(path.read_bytes())):
        # tf_scl's public names are loaded when they are used: `tf_scl.pretrain`.
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "tf_scl" and node.attr in public_names():
                yield public_names()[node.attr]
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            if not all(_source(submodule) for submodule in submodules):
                yield node.module
            yield from submodules
            if node.module == "tf_scl":
                names = {alias.name for alias in node.names}
                yield from (home for name, home in public_names().items() if name in names)


def _walk_what_runs(node: ast.AST) -> Iterator[ast.AST]:
    """As `ast.walk`, but for the imports below `if TYPE_CHECKING:`, which no program makes."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from _walk_what_runs(child)


def _source(name: str) -> pathlib.Path | None:
    stem = _ROOT.joinpath(*name.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    return None
