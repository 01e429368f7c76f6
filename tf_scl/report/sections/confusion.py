"""The section on confusions: which classes are taken for which."""

from tf_scl.report import elements
from tf_scl.report.formats import number, percent
from tf_scl.report.planes import heat_map

MATRIX_CLASSES = 20  # of more the most confused pairs are listed instead
_BESIDE = 12  # classes that leave room for a table beside the matrix
_LONG, _SHORT = 20, 10  # rows of a table, without a matrix and beside it


def confusion(facts):
    """The matrix with its counts, or for many classes what is most confused."""
    heading = "Confusion matrix"
    known = (facts.get("evaluation") or {}).get("confusion")
    if not known or not known["classes"]:
        return elements.absent(facts, "confusion", heading)
    names, counts = known["classes"], known["counts"]
    total, right = sum(map(sum, counts)), sum(row[i] for i, row in enumerate(counts))
    share = f" ({percent(right / total)})" if total else ""
    lead = f"Linear probe with all labels: {number(right)} of {number(total)} images right{share}."
    beside = len(names) <= _BESIDE or len(names) > MATRIX_CLASSES
    if len(names) <= MATRIX_CLASSES:
        parts = [elements.figure(heat_map(counts, names)), _confused(names, counts, _SHORT)]
    else:
        lead += f" There are {number(len(names))} classes, too many for a matrix on a page."
        parts = [_confused(names, counts, _LONG), _worst(names, counts)]
    if beside:
        parts = [elements.columns("beside", *parts)]
    return elements.section("confusion", heading, elements.lead(lead), *parts)


def _confused(names, counts, limit):
    pairs = [
        (count, row, column)
        for row, line in enumerate(counts)
        for column, count in enumerate(line)
        if count and row != column
    ]
    if not pairs:
        return elements.paragraph("No image was taken for one of another class.")
    pairs.sort(key=lambda pair: (-pair[0], pair[1:]))
    rows = [
        [names[row], names[column], number(count), _share(count, counts[row])]
        for count, row, column in pairs[:limit]
    ]
    caption = f"Most confused pairs, {number(len(rows))} of {number(len(pairs))}"
    head = ["true class", "taken for", "images", "of the class"]
    return elements.table(head, rows, caption, text_columns=(0, 1))


def _worst(names, counts):
    order = [row for row, line in enumerate(counts) if sum(line)]
    order.sort(key=lambda row: (counts[row][row] / sum(counts[row]), row))
    rows = [
        [names[row], number(sum(counts[row])), _share(counts[row][row], counts[row])]
        for row in order[:_LONG]
    ]
    caption = f"Classes that are recognised worst, {number(len(rows))} of {number(len(order))}"
    return elements.table(["class", "images", "right"], rows, caption)


def _share(count, line):
    return percent(count / sum(line))
