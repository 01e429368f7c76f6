"""A picture of the theory: three classes, nearly three components, and no label in sight.

    .venv/bin/python -m docs.explanation.theory_three_components

A world of 24 images on three rings, one ring for each class. An image's augmentations
are its neighbors on the ring and, rarely, an image of the next class. What follows
uses this graph only: its eigenvalues, the embedding with the smallest spectral
contrastive loss, clusters of its eigenvectors, and last, with labels, the linear
probe and its bound.
"""

import argparse
import pathlib

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgba

from docs.explanation.mu_figures import save
from tf_scl.theory.augmentation_graph import AugmentationGraph
from tf_scl.theory.bounds import probe_bound
from tf_scl.theory.population_losses import population_minimizer
from tf_scl.theory.population_probe import probe_error
from tf_scl.theory.spectral_clustering import clustering_accuracy, spectral_clusters

RINGS = (10, 8, 6)  # images of each class
NEIGHBORS = {0: 0.4, 1: 0.2, -1: 0.2, 2: 0.1, -2: 0.1}  # steps along the ring
LEAK, LEAKING = 0.06, 3  # every third image becomes one of the next class with this probability
COLORS = ("#2b6cb0", "#c2570c", "#2f855a")


def make_world():
    """The graph, and the class of each image: int [24]."""
    labels = np.repeat(np.arange(3), RINGS)
    starts = np.cumsum((0, *RINGS))
    kernel = np.zeros((len(labels), len(labels)))
    for image, label in enumerate(labels):
        place = image - starts[label]
        for step, share in NEIGHBORS.items():
            kernel[image, starts[label] + (place + step) % RINGS[label]] += share
        if place % LEAKING == 0:
            following = (label + 1) % 3
            kernel[image] *= 1 - LEAK
            kernel[image, starts[following] + place % RINGS[following]] += LEAK
    return AugmentationGraph.from_kernel(kernel), labels


def draw(graph, labels, clusters, path):
    """Draws the graph in four panels."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 8.4), layout="constrained")
    _draw_adjacency(axes[0, 0], graph, labels)
    _draw_eigenvalues(axes[0, 1], graph)
    _draw_embedding(axes[1, 0], graph, labels)
    _draw_clusters(axes[1, 1], graph, labels, clusters)
    names = ("first class", "second class", "third class")
    handles = [
        plt.Line2D([], [], color=color, marker="o", linestyle="", label=name)
        for color, name in zip(COLORS, names, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    save(figure, path)


def _draw_adjacency(axis, graph, labels):
    shades = np.sqrt(graph.weights / graph.weights.max())  # the root shows the rare pairs too
    pixels = np.zeros((graph.size, graph.size, 4))
    for x, other in np.argwhere(graph.weights > 0):
        color = COLORS[labels[x]] if labels[x] == labels[other] else "#111"
        pixels[x, other] = to_rgba(color, shades[x, other])
    axis.imshow(pixels, extent=(0.5, graph.size + 0.5, graph.size + 0.5, 0.5))
    axis.set(title="Adjacency: weights of pairs", xlabel="augmented image x′")
    axis.set(ylabel="augmented image x", xticks=(1, graph.size), yticks=(1, graph.size))


def _draw_eigenvalues(axis, graph):
    values, numbers = graph.eigenpairs[0], np.arange(1, graph.size + 1)
    axis.scatter(numbers, values, c=np.where(numbers <= 3, "#111", "#999"))
    axis.text(4, values[1], "one near 1 for each class", va="center")
    axis.text(6, values[3], f"μ = 1 − λ of number 4 = {1 - values[3]:.2f}", va="center")
    axis.set(title="Eigenvalues of the normalized adjacency", xlabel="number i")
    axis.set(ylabel="λ of number i", ylim=(-0.05, 1.05))


def _draw_embedding(axis, graph, labels):
    points = population_minimizer(graph, 3)[:, 1:]
    axis.scatter(*points.T, c=np.array(COLORS)[labels], alpha=0.6)
    axis.set(title="Embedding with the smallest loss, d = 3", ylabel="third coordinate")
    axis.set(xlabel="second coordinate of f(x)", aspect="equal")


def _draw_clusters(axis, graph, labels, clusters):
    rings = zip(RINGS, ((85, 92), (218, 100), (150, 232)), (62, 52, 44), strict=True)
    places = np.concatenate([_ring(*ring) for ring in rings])
    for x, other in np.argwhere(np.triu(graph.weights, 1) > 0):
        color = "#555" if labels[x] == labels[other] else "#d33"
        opacity = max(np.sqrt(graph.weights[x, other] / graph.weights.max()), 0.15)
        axis.plot(*places[[x, other]].T, color=color, alpha=opacity, zorder=0)
    axis.scatter(*places.T, c=np.array(COLORS)[labels], s=150)
    for (x, y), cluster in zip(places, clusters, strict=True):
        axis.text(x, y, "ABC"[cluster], color="#fff", ha="center", va="center", fontsize="small")
    axis.set(title="Clusters of the eigenvectors, without labels", xticks=(), yticks=())
    axis.set(xlabel="place on a ring", aspect="equal")
    axis.invert_yaxis()


def _ring(size, center, radius):
    turns = 2 * np.pi * np.arange(size) / size
    return np.array(center) + radius * np.stack([np.cos(turns), np.sin(turns)], axis=1)


def main(arguments=None):
    """Writes the picture and says what the graph promises, and what is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = pathlib.Path(__file__).with_name("theory-three-components.svg")
    parser.add_argument("--out", type=pathlib.Path, default=default)
    out = parser.parse_args(arguments).out
    graph, labels = make_world()
    clusters = spectral_clusters(graph, 3)
    draw(graph, labels, clusters, out)
    print(f"wrote {out}")
    print(f"clusters, without labels: {clustering_accuracy(clusters, labels):.1%} right")
    print("dimensions    bound on the share of misclassified views    the share")
    for dimension in (1, 2, 3, 4, 6, 12):
        bound = probe_bound(graph, labels, dimension).per_view
        error = probe_error(graph, population_minimizer(graph, dimension), labels).per_view
        print(f"{dimension:10}{bound:45.3f}{error:13.3f}")


if __name__ == "__main__":
    main()
