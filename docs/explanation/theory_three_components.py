"""A picture of the theory: three classes, nearly three components, and no label in sight.

    .venv/bin/python -m docs.explanation.theory_three_components

A world of 24 images on three rings, one ring for each class. An image's augmentations
are its neighbours on the ring and, rarely, an image of the next class. What follows
uses this graph only: its eigenvalues, the embedding with the smallest spectral
contrastive loss, clusters of its eigenvectors, and last, with labels, the linear
probe and its bound. The picture is drawn as plain SVG, so it needs no plotting library.
"""

import argparse
import pathlib

import numpy as np

from tf_scl.theory.augmentation_graph import AugmentationGraph
from tf_scl.theory.bounds import probe_bound
from tf_scl.theory.population_losses import population_minimizer
from tf_scl.theory.population_probe import probe_error
from tf_scl.theory.spectral_clustering import clustering_accuracy, spectral_clusters

RINGS = (10, 8, 6)  # images of each class
NEIGHBOURS = {0: 0.4, 1: 0.2, -1: 0.2, 2: 0.1, -2: 0.1}  # steps along the ring
LEAK, LEAKING = 0.06, 3  # every third image becomes one of the next class with this probability
COLOURS = ("#2b6cb0", "#c2570c", "#2f855a")
GREY = "#555"
SIDE = 300  # of each panel, in pixels


def make_world():
    """The graph, and the class of each image: int [24]."""
    labels = np.repeat(np.arange(3), RINGS)
    starts = np.cumsum((0, *RINGS))
    kernel = np.zeros((len(labels), len(labels)))
    for image, label in enumerate(labels):
        place = image - starts[label]
        for step, share in NEIGHBOURS.items():
            kernel[image, starts[label] + (place + step) % RINGS[label]] += share
        if place % LEAKING == 0:
            following = (label + 1) % 3
            kernel[image] *= 1 - LEAK
            kernel[image, starts[following] + place % RINGS[following]] += LEAK
    return AugmentationGraph.from_kernel(kernel), labels


def draw(graph, labels, clusters):
    """The four panels as the text of an SVG file."""
    panels = (
        (90, 70, _draw_adjacency(graph, labels)),
        (560, 70, _draw_eigenvalues(graph)),
        (90, 490, _draw_embedding(graph, labels)),
        (560, 490, _draw_clusters(graph, labels, clusters)),
    )
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 920 860" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13" role="img" '
        'aria-label="Three classes as three nearly separate rings: adjacency matrix, '
        'eigenvalues, embedding and clusters">',
        '<rect width="920" height="860" fill="#fff"/>',
    ]
    for left, top, shapes in panels:
        lines += [f'<g transform="translate({left} {top})">', *shapes, "</g>"]
    for number, label in enumerate(("first class", "second class", "third class")):
        lines.append(_dot(332 + 110 * number, 840, 5, COLOURS[number]))
        lines.append(_text(342 + 110 * number, 844, label, anchor="start"))
    return "\n".join([*lines, "</svg>", ""])


def _draw_adjacency(graph, labels):
    cell = SIDE / graph.size
    shapes = _frame("Adjacency: weights of pairs", "augmented image x′", "augmented image x")
    shades = np.sqrt(graph.weights / graph.weights.max())  # the root shows the rare pairs too
    for x, other in np.argwhere(graph.weights > 0):
        colour = COLOURS[labels[x]] if labels[x] == labels[other] else "#111"
        shapes.append(
            f'<rect x="{other * cell:.2f}" y="{x * cell:.2f}" width="{cell:.2f}" '
            f'height="{cell:.2f}" fill="{colour}" fill-opacity="{shades[x, other]:.3f}"/>'
        )
    for number in (1, graph.size):
        middle = (number - 0.5) * cell
        shapes.append(_text(middle, SIDE + 17, number))
        shapes.append(_text(-8, middle + 4, number, anchor="end"))
    return shapes


def _draw_eigenvalues(graph):
    values, _ = graph.eigenpairs
    shapes = _frame("Eigenvalues of the normalised adjacency", "number i", "λ of number i")
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        shapes += _tick_y(_along(tick, -0.05, 1.05, SIDE, 0), f"{tick:.2f}")
    for tick in (1, 5, 10, 15, 20):
        shapes += _tick_x(_along(tick, 0, graph.size + 1, 0, SIDE), tick)
    for number, value in enumerate(values, start=1):
        x = _along(number, 0, graph.size + 1, 0, SIDE)
        y = _along(value, -0.05, 1.05, SIDE, 0)
        shapes.append(_dot(x, y, 4.5, "#111" if number <= 3 else "#999"))
    shapes.append(_text(62, 26, "one near 1 for each class", anchor="start"))
    gap = f"μ = 1 − λ of number 4 = {1 - values[3]:.2f}"
    shapes.append(_text(78, _along(values[3], -0.05, 1.05, SIDE, 0), gap, anchor="start"))
    return shapes


def _draw_embedding(graph, labels):
    points = population_minimizer(graph, 3)[:, 1:]
    reach = 1.15 * np.abs(points).max()
    shapes = _frame(
        "Embedding with the smallest loss, d = 3", "second coordinate of f(x)", "third coordinate"
    )
    for tick in (-1, 0, 1):
        shapes += _tick_x(_along(tick, -reach, reach, 0, SIDE), _signed(tick))
        shapes += _tick_y(_along(tick, -reach, reach, SIDE, 0), _signed(tick))
    for (second, third), label in zip(points, labels, strict=True):
        x, y = _along(second, -reach, reach, 0, SIDE), _along(third, -reach, reach, SIDE, 0)
        shapes.append(_dot(x, y, 5, COLOURS[label], opacity=0.6))
    return shapes


def _draw_clusters(graph, labels, clusters):
    places = np.concatenate(
        [
            _ring(size, centre, radius)
            for size, centre, radius in zip(
                RINGS, ((85, 92), (218, 100), (150, 232)), (62, 52, 44), strict=True
            )
        ]
    )
    shapes = _frame("Clusters of the eigenvectors, without labels", "place on a ring", "")
    for x, other in np.argwhere(np.triu(graph.weights, 1) > 0):
        colour = GREY if labels[x] == labels[other] else "#d33"
        opacity = max(np.sqrt(graph.weights[x, other] / graph.weights.max()), 0.15)
        (x1, y1), (x2, y2) = places[x], places[other]
        shapes.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}" stroke-opacity="{opacity:.2f}"/>'
        )
    for (x, y), label, cluster in zip(places, labels, clusters, strict=True):
        shapes.append(_dot(x, y, 9, COLOURS[label]))
        shapes.append(_text(x, y + 4, "ABC"[cluster], fill="#fff", size=11))
    return shapes


def _ring(size, centre, radius):
    turns = 2 * np.pi * np.arange(size) / size
    return np.array(centre) + radius * np.stack([np.cos(turns), np.sin(turns)], axis=1)


def _frame(title, x_name, y_name):
    middle = SIDE / 2
    return [
        f'<rect width="{SIDE}" height="{SIDE}" fill="none" stroke="#ccc"/>',
        _text(middle, -16, title, weight="bold"),
        _text(middle, SIDE + 40, x_name, fill=GREY),
        f'<g transform="translate(-52 {middle}) rotate(-90)">{_text(0, 0, y_name, fill=GREY)}</g>',
    ]


def _tick_x(x, label):
    line = f'<line x1="{x:.1f}" y1="{SIDE}" x2="{x:.1f}" y2="{SIDE + 5}" stroke="{GREY}"/>'
    return [line, _text(x, SIDE + 19, label)]


def _tick_y(y, label):
    line = f'<line x1="-5" y1="{y:.1f}" x2="0" y2="{y:.1f}" stroke="{GREY}"/>'
    return [line, _text(-9, y + 4, label, anchor="end")]


def _text(x, y, content, anchor="middle", fill="#111", size=13, weight="normal"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" '
        f'font-size="{size}" font-weight="{weight}">{content}</text>'
    )


def _dot(x, y, radius, fill, opacity=1):
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{fill}" fill-opacity="{opacity}"/>'
    )


def _along(value, low, high, start, end):
    return start + (value - low) / (high - low) * (end - start)


def _signed(number):
    return f"{number}".replace("-", "−")


def main(arguments=None):
    """Writes the picture and says what the graph promises, and what is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = pathlib.Path(__file__).with_name("theory-three-components.svg")
    parser.add_argument("--out", type=pathlib.Path, default=default)
    out = parser.parse_args(arguments).out
    graph, labels = make_world()
    clusters = spectral_clusters(graph, 3)
    out.write_text(draw(graph, labels, clusters), encoding="utf-8")
    print(f"wrote {out}")
    print(f"clusters, without labels: {clustering_accuracy(clusters, labels):.1%} right")
    print("dimensions    bound on the share of misclassified views    the share")
    for dimension in (1, 2, 3, 4, 6, 12):
        bound = probe_bound(graph, labels, dimension).per_view
        error = probe_error(graph, population_minimizer(graph, dimension), labels).per_view
        print(f"{dimension:10}{bound:45.3f}{error:13.3f}")


if __name__ == "__main__":
    main()
