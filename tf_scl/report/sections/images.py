"""Sections with a point or a picture for each image: the map, the nearest neighbours."""

from tf_scl.report import elements
from tf_scl.report.formats import NOTHING, escape, number, shorten
from tf_scl.report.planes import is_numbered, scatter

_PNG = "data:image/"  # a page loads nothing from elsewhere


def embedding_map(facts):
    """The map of embeddings, and the list of its classes where they are numbered."""
    drawn, heading = facts.get("map"), "Map of embeddings"
    if not drawn or not drawn["points"]:
        return elements.absent(facts, "map", heading)
    names, labels = drawn["classes"], drawn["labels"]
    lead = (
        f"{drawn['method']}. Near points are alike to the encoder; distances between far groups, "
        "and the directions, mean nothing."
    )
    axes = ("first coordinate (no unit)", "second coordinate (no unit)")
    chart = elements.figure(scatter(drawn["points"], labels, names, *axes))
    parts = [elements.lead(lead), chart]
    if is_numbered(labels):
        present = sorted({label for label in labels if label is not None})
        items = "".join(
            f"<li><b>{label}</b>{escape(shorten(names[label], 60))}</li>" for label in present
        )
        parts.append(f'<ul class="names">{items}</ul>')
    return elements.section("map", heading, *parts)


def neighbours(facts):
    """Query images, each in a row with the training images nearest to it."""
    grid, heading = facts.get("neighbours"), "Nearest neighbours"
    if not grid or not grid["queries"]:
        return elements.absent(facts, "neighbours", heading)
    queries = grid["queries"]
    pairs = [
        (query["label"], near["label"])
        for query in queries
        for near in query["neighbours"]
        if query.get("label") is not None and near.get("label") is not None
    ]
    lead = (
        "Evaluation images, chosen at random from each class in turn, and the training images "
        "with the largest cosine similarity of features."
    )
    if pairs:
        alike = sum(one == other for one, other in pairs)
        lead += (
            f" {number(alike)} of {number(len(pairs))} neighbours are of the query's class; "
            "the others have a dashed red frame and ≠."
        )
    rows = map(_query, queries)
    return elements.section("neighbours", heading, elements.lead(lead), *rows)


def _query(query):
    near = "".join(_neighbour(one, query.get("label")) for one in query["neighbours"])
    caption = query.get("label") or ""
    shown = _image(query, caption, "", False)
    return f'<div class="query">{shown}<div class="near">{near}</div></div>'


def _neighbour(one, label):
    differs = None not in (label, one.get("label")) and label != one["label"]
    caption = ("≠ " if differs else "") + (one.get("label") or "")
    return _image(one, caption, _cosine(one["similarity"]), differs)


def _cosine(value):
    return NOTHING if value is None else f"{value:.3f}".replace("-", "−")


def _image(one, caption, similarity, differs):
    source = one["image"] if one["image"].startswith(_PNG) else ""
    name = one.get("name") or one.get("label") or "image"
    below = f'<span title="{escape(caption)}">{escape(shorten(caption, 34))}</span>'
    if one.get("name"):
        below += f'<span class="sim">{escape(shorten(one["name"].rpartition("/")[2], 24))}</span>'
    below += f'<span class="sim">cos {similarity}</span>' if similarity else ""
    return (
        f'<div class="image{" other" if differs else ""}">'
        f'<img src="{escape(source)}" alt="{escape(name)}" title="{escape(name)}"/>{below}</div>'
    )
