"""Names the test files that a change can touch: what `make test-changed` runs.

    .venv/bin/python -m scripts.changed_tests [BASE]     # default: main

A change is what differs between the files here and the commit at which this branch left BASE:
commits, edits and new files. A test file is named if it changed, if it imports a changed module,
near or far, or if it starts one as a program (`-m pipeline.local_runner`). One that looks for files
of the repository from its own place upward is named at any change. All are named where it cannot
be told: after a change of locks or settings, or of a module that is no longer there.
"""

import ast
import functools
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator

from components.code_digest import import_closure, public_names

_ROOT = pathlib.Path(__file__).parent.parent
_FOLDERS = ("benchmarks", "components", "pipeline", "scripts", "tests", "tf_scl")
_NAME = re.compile(rf"(?:{'|'.join(_FOLDERS)})(?:\.\w+)*")
# Where a test looks for files of the repository: above its own folder, or in the library's.
_LOOKS_UP = re.compile(r"__file__\)\.parent(\.parent|s\[)|tf_scl\.__file__")
# What no other test looks at.
_PAGES = (".md", ".svg", ".png", ".ipynb", ".sh", ".yml")
_closure = functools.cache(import_closure)


def changed_files(base: str) -> list[str]:
    """Paths from the root, of files that differ from where this branch left `base`."""
    commands = (
        ["diff", "--name-only", "--no-renames", "--merge-base", base],
        ["ls-files", "--others", "--exclude-standard"],
    )
    found = []
    for command in commands:
        done = subprocess.run(
            ["git", *command], cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True
        )
        found += done.stdout.splitlines()
    return found


def tests_of(changed: Iterable[str]) -> list[str]:
    """The test files that a change can touch.

    Args:
        changed: Paths from the root, of changed files.

    Returns:
        Paths from the root, sorted.
    """
    tests = {
        path.relative_to(_ROOT).as_posix(): _modules_of(path)
        for path in (_ROOT / "tests").rglob("test_*.py")
    }
    found = set()
    for path in map(pathlib.PurePosixPath, changed):
        # A template or a style sheet belongs to the module of its name.
        module = path.with_suffix(".py" if path.parts[0] in _FOLDERS else path.suffix)
        if (_ROOT / module).is_file() and module.suffix == ".py":
            name = ".".join(module.with_suffix("").parts).removesuffix(".__init__")
            found |= {test for test, modules in tests.items() if name in modules}
        elif path.parts[0] == "tests" and path.suffix != ".py":
            found |= {test for test in tests if path.parent in pathlib.PurePosixPath(test).parents}
        elif path.suffix not in _PAGES:
            return sorted(tests)
        found |= {test for test in tests if _LOOKS_UP.search((_ROOT / test).read_text())}
    return sorted(found)


def _modules_of(test: pathlib.Path) -> set[str]:
    """Dotted names of all of ours that a test file, its helpers and its conftests load."""
    folders = [test.parent, *test.parent.parents]
    conftests = [folder / "conftest.py" for folder in folders if folder.is_relative_to(_ROOT)]
    waiting = [_dotted(path) for path in [test, *filter(pathlib.Path.is_file, conftests)]]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found or not _is_module(name):
            continue
        # `import_closure` follows what the library imports, but not tests, scripts and pipelines.
        found |= set(_closure(name))
        if name.split(".")[0] not in ("tf_scl", "components"):
            waiting += _named(_source(name))
    return found


@functools.cache
def _named(path: pathlib.Path) -> list[str]:
    """What a file imports or names: "a.b" for `from a import b`, be it a module or a name in a."""
    return list(_names(ast.parse(path.read_bytes())))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "tf_scl":
            yield public_names().get(node.attr, "tf_scl")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if _NAME.fullmatch(node.value):  # `python -m NAME`
                yield node.value
                yield node.value.rpartition(".")[0]  # of a function by its dotted name
            elif re.search(r"^\s*(import|from) ", node.value, re.MULTILINE):  # `python -c CODE`
                yield from _NAME.findall(node.value)
                if "tf_scl" in node.value:
                    yield from public_names().values()
        elif isinstance(node, ast.Call) and ast.unparse(node).startswith("getattr(tf_scl,"):
            yield from public_names().values()


def _is_module(name: str) -> bool:
    return name.split(".")[0] in _FOLDERS and _source(name).is_file()


def _source(name: str) -> pathlib.Path:
    stem = _ROOT.joinpath(*name.split("."))
    return stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")


def _dotted(path: pathlib.Path) -> str:
    return ".".join(path.relative_to(_ROOT).with_suffix("").parts)


if __name__ == "__main__":
    print(*tests_of(changed_files(*sys.argv[1:] or ["main"])), sep="\n")
