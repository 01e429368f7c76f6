"""Pages of the docs that are made from the sources, at each build: a hook of mkdocs.

`mkdocs.yml` names this file. Nothing here imports TensorFlow: settings and command lines are
plain Python, and mkdocstrings reads the docstrings without importing their modules.
"""

import argparse
import ast
import dataclasses
import functools
import itertools
import json
import pathlib
import typing

import pipeline.cli
import pipeline.kubeflow_cli
import tf_scl
import tf_scl.cli
from tf_scl.config import PRESETS, Config, preset, type_name
from tf_scl.flags import SHORT, SOURCES

_ROOT = pathlib.Path(__file__).parent.parent
# Headings of the public names, by the folder that their module is in; "" is tf_scl itself.
_GROUPS = {
    "models": "Methods",
    "encoders": "Encoders",
    "augmentation": "Views",
    "losses": "Losses",
    "optimizers": "Optimizers",
    "callbacks": "Callbacks",
    "": "Runs, settings and files",
    "evaluation": "Evaluation",
    "classification": "Classification",
    "serving": "Serving",
}
_COMMANDS = {
    "make run": pipeline.cli.build_parser,
    "Kubeflow and Vertex AI": pipeline.kubeflow_cli.build_parser,
    "tf-scl": tf_scl.cli.build_parser,
}


def on_files(files, config):
    """Adds the pages to those that mkdocs found in docs/."""
    from mkdocs.structure.files import File

    for path, make in PAGES.items():
        files.append(File.generated(config, path, content=make()))
    return files


def settings_page():
    """Every setting of `tf_scl.Config`, and what each preset changes; Markdown."""
    lines = [
        "# Settings",
        "",
        "This page is made from `tf_scl/config.py`. A setting `section.name` is given by the flag "
        "`--section.name`, or in Python as in "
        '`tf_scl.preset("laptop").replace({"train": {"epochs": 3}})`. A preset comes first, then a '
        "policy of views (`--policy`), then single settings. The defaults are the official "
        "CIFAR-10 recipe, which is the preset `cifar10`.",
        "",
        "## What the presets change",
        "",
        *_preset_table(),
    ]
    for section in dataclasses.fields(Config):
        settings = getattr(Config(), section.name)
        lines += ["", f"## {section.name}", "", type(settings).__doc__, ""]
        lines += _table(("setting", "what it is", "allowed", "default"), _settings(settings))
    return "\n".join(lines) + "\n"


def cli_page():
    """Every command and its own flags, from the parsers; Markdown."""
    lines = [
        "# Command lines",
        "",
        "This page is made from the parsers themselves. `make run` takes",
    ]
    lines += ["DATA, OUT and PRESET for the flags of these names, and ARGS for all others."]
    for title, build in _COMMANDS.items():
        parser = build([])
        lines += ["", f"## {title}", "", parser.description]
        commands = _subcommands(parser)
        if not commands:
            lines += ["", f"`{parser.prog}`", "", *_flags(parser)]
        for name, (command, text) in commands.items():
            lines += ["", f"### {parser.prog} {name}", "", f"{text[0].upper()}{text[1:]}.", ""]
            lines += _flags(command)
    lines += ["", "## SOURCE", "", "More on each is in [sources of images](sources.md).", ""]
    lines += ["```text", SOURCES["epilog"].rstrip(), "```"]
    return "\n".join(lines) + "\n"


def api_page():
    """Every public name of `tf_scl`, for mkdocstrings to fill in; Markdown."""
    names = public_names()
    rows = [
        (f"[`{name}`](#{module}.{name})", f"`{module.replace('.', '/')}.py`")
        for name, module in names.items()
    ]
    lines = ["# Python API", "", "Every name here is imported as `tf_scl.NAME`.", ""]
    lines += _table(("name", "defined in"), rows)
    groups = {}
    for name, module in names.items():
        parts = module.split(".")
        groups.setdefault(parts[1] if len(parts) > 2 else "", []).append(f"{module}.{name}")
    for group in sorted(groups, key=list(_GROUPS).index):
        lines += ["", f"## {_GROUPS[group]}"]
        for identifier in groups[group]:
            lines += ["", *_documented(identifier, 3)]
    return "\n".join(lines) + "\n"


def theory_page():
    """The modules of `tf_scl.theory`, for mkdocstrings to fill in; Markdown."""
    lines = [
        "# Theory",
        "",
        "Exact computations on finite augmentation graphs, in float64. "
        "[The explanation](../explanation/theory.md) says what they are for.",
    ]
    for path in sorted((_ROOT / "tf_scl" / "theory").glob("[a-z]*.py")):
        lines += ["", *_documented(f"tf_scl.theory.{path.stem}", 2)]
    return "\n".join(lines) + "\n"


def notebook_page(name):
    """A notebook of docs/ with the outputs that it holds; Markdown.

    Args:
        name: Str, path below docs/.
    """
    notebook = json.loads((_ROOT / "docs" / name).read_text(encoding="utf-8"))
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        parts += _outputs(cell["outputs"])
    file = name.rpartition("/")[2]
    parts.append(f"*This page is a notebook: [{file}]({file}).*")
    return "\n\n".join(parts) + "\n"


def public_names():
    """Dict from each public name of `tf_scl` to the module that defines it, unimported.

    Raises:
        ValueError: A name that is defined nowhere, or twice.
    """
    found = {}
    for path in sorted((_ROOT / "tf_scl").rglob("*.py")):
        module = ".".join(path.relative_to(_ROOT).with_suffix("").parts)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                found.setdefault(node.name, []).append(module)
    names = [name for name in tf_scl.__all__ if not name.startswith("_")]
    unclear = {name: found.get(name) for name in names if len(found.get(name, ())) != 1}
    if unclear:
        raise ValueError(f"public names must be defined once in tf_scl. Received: {unclear}")
    return {name: found[name][0] for name in names}


def _outputs(outputs):
    """Markdown of what a cell printed, as one block where it is one run, and of what it drew."""
    for kind, run in itertools.groupby(outputs, lambda output: output["output_type"]):
        if kind == "stream":
            text = "".join("".join(output["text"]) for output in run)
            yield f"```text\n{text.rstrip()}\n```"
            continue
        for output in run:
            picture = "".join(output["data"]["image/png"]).replace("\n", "")
            yield f"![output of the cell](data:image/png;base64,{picture})"


def _documented(identifier, level):
    """What mkdocstrings replaces by a docstring, below a heading of that level."""
    return [f"::: {identifier}", "    options:", f"      heading_level: {level}"]


def _preset_table():
    changed = {}
    for values in PRESETS.values():
        for section, settings in values.items():
            changed.setdefault(section, {}).update(dict.fromkeys(settings))
    rows = []
    for section in (field.name for field in dataclasses.fields(Config)):
        for name in changed.get(section, ()):
            shown = [getattr(getattr(preset(one), section), name) for one in PRESETS]
            rows.append((f"`{section}.{name}`", *map(_value, shown)))
    return _table(("setting", *(f"`{name}`" for name in PRESETS)), rows)


def _settings(settings):
    kinds = typing.get_type_hints(type(settings))
    for field in dataclasses.fields(settings):
        allowed, _ = field.metadata["allowed"]
        kind = type_name(kinds[field.name])
        allowed = kind if kind == "true or false" else f"{allowed} ({kind})"
        flags = (field.name, *SHORT.get(f"{settings.section}.{field.name}", ()))
        named = ", ".join(f"`{flag}`" for flag in flags)
        yield named, field.metadata["help"], allowed, _value(field.default)


def _flags(parser):
    rows, sections = [], []
    for group in parser._action_groups:
        if group.title in {field.name for field in dataclasses.fields(Config)}:
            sections.append(group.title)
            continue
        for action in group._group_actions:
            if not isinstance(action, argparse._HelpAction):
                text = parser._get_formatter()._expand_help(action)
                rows.append((_call(action), text.replace("*", "\\*")))
    lines = _table(("argument", "what it is"), rows)
    if sections:
        listed = ", ".join(f"[`{name}`](settings.md#{name})" for name in sections)
        lines += ["", f"And a flag for every setting of the sections {listed}."]
    if parser.epilog == SOURCES["epilog"]:
        lines += ["", "SOURCE is described [below](#source)."]
    return lines


def _call(action):
    """How an argument is written, such as `--out FILE`."""
    if not action.option_strings:
        return f"`{action.metavar}`"
    metavar = f" {action.metavar}" if action.metavar else ""
    needed = ", required" if action.required else ""
    return ", ".join(f"`{flag}{metavar}`" for flag in action.option_strings) + needed


def _subcommands(parser):
    """Dict from the name of each command to its parser and its line of help."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            texts = {choice.dest: choice.help for choice in action._choices_actions}
            return {name: (action.choices[name], texts[name]) for name in action.choices}
    return {}


def _value(value):
    if isinstance(value, tuple):
        value = ", ".join(_number(item) for item in value)
    elif isinstance(value, bool):
        value = str(value).lower()
    else:
        value = _number(value)
    return f"`{value}`"


def _number(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(map(_cell, line)) + " |" for line in lines]


def _cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


PAGES = {
    "reference/api.md": api_page,
    "reference/theory.md": theory_page,
    "reference/settings.md": settings_page,
    "reference/cli.md": cli_page,
    **{
        f"{name}_notebook.md": functools.partial(notebook_page, f"{name}.ipynb")
        for name in ("tutorials/first_encoder", "explanation/finite_graph")
    },
}
