"""Pieces of HTML: tables, figures, sections. All text that comes in is escaped here."""

from tf_scl.report.formats import escape

# What is said of a section that is missing, where the facts give no reason.
REASONS = {
    "history": "the training left no metrics of its epochs",
    "evaluation": "the encoder has not been evaluated",
    "spectrum": "it was not estimated in this evaluation",
    "map": "it was not drawn in this evaluation",
    "neighbours": "they were not looked for in this evaluation",
    "dead_letters": "the ingestion's list was not given to the evaluation",
    "config": "the run did not keep its settings",
    "versions": "the run did not note them",
    "comparison": "there is no earlier blessed encoder, or no label to judge by",
    "confusion": "there are no labels to judge by",
}
_SHORT = 12  # rows of a table that stays on one sheet


def paragraph(text, kind=None):
    """A paragraph of plain text, of a CSS class or of none."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def lead(text):
    """What stands below a heading."""
    return paragraph(text, "lead")


def section(name, heading, *parts, together=2):
    """A section with an anchor; the first parts, all HTML, stay with the heading on paper."""
    head = block(f"<h2>{escape(heading)}</h2>", *parts[:together])
    return "\n".join([f'<section id="{escape(name)}">', head, *parts[together:], "</section>"])


def absent(facts, name, heading, anchor=None):
    """A section that is missing, in one line that says why."""
    reason = str((facts.get("missing") or {}).get(name) or REASONS[name]).rstrip(". ")
    return section(anchor or name, heading, paragraph(f"Not here: {reason}.", "absent"))


def code(text):
    """Commands, as they are typed."""
    return f"<pre>{escape(text)}</pre>"


def figure(svg, heading=None):
    """A chart, under a heading or none."""
    above = f"<h3>{escape(heading)}</h3>" if heading else ""
    return f"<figure>{above}{svg}</figure>"


def table(head, rows, caption=None, text_columns=(0,)):
    """A table of text.

    Args:
        head: Names of the columns, or None for no head.
        rows: List of lists of str.
        caption: Str or None.
        text_columns: Numbers of the columns that hold text; others hold
            numbers and are set flush right.

    Returns:
        Str of HTML, a table that scrolls by itself where it is too wide.
    """

    def cells(kind, texts):
        return "".join(
            f"<{kind}{'' if place in text_columns else ' class=' + chr(34) + 'n' + chr(34)}>"
            f"{escape(text)}</{kind}>"
            for place, text in enumerate(texts)
        )

    parts = [f"<caption>{escape(caption)}</caption>"] if caption else []
    if head:
        parts.append(f"<thead><tr>{cells('th', head)}</tr></thead>")
    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    kind = "table" if len(rows) > _SHORT else "table block"
    return f'<div class="{kind}"><table>{"".join(parts)}<tbody>{body}</tbody></table></div>'


def columns(kind, *parts):
    """Parts side by side where there is room; kind is "two", "three" or, for screens, "beside"."""
    return f'<div class="{kind}">' + "\n".join(parts) + "</div>"


def block(*parts):
    """Parts that stay together."""
    return '<div class="block">' + "\n".join(parts) + "</div>"


def folded(heading, *parts):
    """Parts that show on a click, and are left out on paper."""
    return f"<details><summary>{escape(heading)}</summary>" + "\n".join(parts) + "</details>"
