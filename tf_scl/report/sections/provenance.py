"""Sections on where it all came from: dead letters, settings, versions."""

import json

from tf_scl.report import elements
from tf_scl.report.formats import escape, number, percent, shorten


def dead_letters(facts):
    """What became of the files, and the first of those that were set aside."""
    letters, heading = facts.get("dead_letters"), "Dead letters"
    if not letters:
        return elements.absent(facts, "dead_letters", heading)
    kept, rejected = letters["kept"], letters["rejected"]
    lost = sum(rejected.values())
    by_split = ", ".join(f"{number(count)} {split}" for split, count in kept.items())
    share = f" ({percent(lost / letters['files'])})" if letters["files"] and lost else ""
    lead = (
        f"{number(letters['files'])} files: {number(sum(kept.values()))} kept ({by_split}), "
        f"{number(lost)} set aside{share}."
    )
    if not lost:
        return elements.section("dead_letters", heading, elements.lead(lead))
    reasons = sorted(rejected.items(), key=lambda item: (-item[1], item[0]))
    rows = [[reason, number(count)] for reason, count in reasons]
    parts = [elements.lead(lead), elements.table(["reason", "files"], rows)]
    first = letters.get("first") or []
    if first:
        caption = f"The first {number(len(first))} of {number(lost)}"
        named = [
            [shorten(one["file"], 120), one["reason"], shorten(one.get("detail") or "", 200)]
            for one in first
        ]
        head = ["file", "reason", "detail"]
        parts.append(elements.table(head, named, caption, text_columns=(0, 1, 2)))
    if letters.get("list"):
        parts.append(elements.paragraph(f"All of them are listed in {letters['list']}"))
    return elements.section("dead_letters", heading, *parts)


def settings(facts):
    """The configuration of the run, a table for each section."""
    config, heading = facts.get("config"), "Settings"
    if not config:
        return elements.absent(facts, "config", heading)
    tables = [
        elements.table(None, [[name, _setting(value)] for name, value in values.items()], section,
                       text_columns=(0, 1))
        for section, values in config.items()
    ]  # fmt: skip
    return elements.section("config", heading, f'<div class="config">{"".join(tables)}</div>')


def versions(facts):
    """Packages and their versions, on one line."""
    known, heading = facts.get("versions"), "Versions"
    if not known:
        return elements.absent(facts, "versions", heading)
    listed = ", ".join(f"{escape(name)}&nbsp;{escape(version)}" for name, version in known.items())
    return elements.section("versions", heading, f"<p>{listed}.</p>")


def _setting(value):
    if isinstance(value, str):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return shorten(text, 400)
