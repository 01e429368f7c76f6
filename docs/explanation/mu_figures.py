"""Pictures and numbers of `mu.md`: what mu does, on graphs where all is known.

    .venv/bin/python -m docs.explanation.mu_figures

Two worlds of 96 images in 16 clusters, four of which make a group. An image's
augmentations are its neighbors in the cluster, more rarely images of the group, and
hardly ever others. The two classes are two clusters of each group: what parts them is not
in the four largest eigenvalues, which are the groups. In the first world all clusters
have six images, in the second from 3 to 11.

The pictures are plain SVG, so they need no plotting library.
"""

import argparse
import math
import pathlib

import numpy as np
from scipy import linalg

from tf_scl.losses import spectral
from tf_scl.theory.augmentation_graph import AugmentationGraph
from tf_scl.theory.bounded_norms import (
    attraction_and_repulsion,
    soft_threshold,
    unit_minimizer,
)
from tf_scl.theory.population_losses import population_minimizer, to_factors
from tf_scl.theory.population_probe import probe_error

DIMENSION = 16
GROUP = 4  # clusters
NEIGHBORS = {0: 0.4, 1: 0.2, -1: 0.2, 2: 0.1, -2: 0.1}  # steps within the cluster
ANYWHERE = 0.02  # probability of any image as an augmentation
WORLDS = {  # sizes of a group's clusters, and how often their images become others of the group
    "clusters of one size": ((6, 6, 6, 6), (0.1, 0.2, 0.35, 0.5)),
    "clusters of 3 to 11": ((3, 4, 6, 11), (0.1, 0.2, 0.3, 0.45)),
}
SWEEP = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0, 64.0)
BATCHES = (16, 64, 256, 1024)
_RESOLVED = 1e-4  # of the largest eigenvalue of E u u^T: what is smaller has not settled
COLORS = ("#2b6cb0", "#c2570c")
GREY = "#555"
SIDE = 240  # of each panel, in pixels


def make_world(name):
    """The graph of a world, and the class of each image: int [96]."""
    sizes, leaks = WORLDS[name]
    sizes, leaks = np.tile(sizes, GROUP), np.tile(leaks, GROUP)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    starts, group = np.cumsum((0, *sizes)), cluster // GROUP
    kernel = np.full((len(cluster),) * 2, ANYWHERE / len(cluster))
    for image, own in enumerate(cluster):
        place, same = image - starts[own], group == group[image]
        kernel[image] += leaks[own] * same / same.sum()
        for step, share in NEIGHBORS.items():
            other = starts[own] + (place + step) % sizes[own]
            kernel[image, other] += (1 - leaks[own] - ANYWHERE) * share
    return AugmentationGraph.from_kernel(kernel), cluster % 2


def measure(graph, labels, mu, seed=0):
    """What the minimizer on the sphere is worth, as a dict of floats.

    `missed` is the share of the eigenspace's dimensions that it does not span, `error` the
    share of images that a linear probe misclassifies, by the majority of their views.
    """
    rows = unit_minimizer(graph, DIMENSION, mu, np.random.default_rng(seed))
    a, r = attraction_and_repulsion(graph, rows)
    factors = to_factors(graph, rows)
    left, roots, _ = linalg.svd(factors, full_matrices=False)
    resolved = left[:, roots**2 > _RESOLVED * roots[0] ** 2]
    best = linalg.orth(to_factors(graph, population_minimizer(graph, DIMENSION)))
    kept = np.sum(linalg.svdvals(best.T @ resolved) ** 2)
    embeddings = resolved / np.sqrt(graph.degrees)[:, None]
    share = roots**2 / np.sum(roots**2)
    share = share[share > 0]
    return {
        "mu": a / r if spectral.is_auto(mu) else mu,
        "best mu": a / r,
        "loss": -(a**2) / r,
        "missed": 1 - kept / DIMENSION,
        "rank": math.exp(-np.sum(share * np.log(share))),
        "error": probe_error(graph, embeddings, labels).majority,
    }


def batches(graph, sizes, draws=300, seed=0):
    """Mean and deviation of the mu that batches find at the optimum, for each size."""
    rng = np.random.default_rng(seed)
    rows = unit_minimizer(graph, DIMENSION, "auto", rng)
    found = {}
    for size in sizes:
        values = []
        for _ in range(draws):
            u, v = (rows[nodes] for nodes in graph.sample_pairs(size, rng))
            values.append(float(spectral.replica_terms(u, v, "auto")["mu"]))
        found[size] = np.mean(values), np.std(values)
    return found


def draw_threshold(graph):
    """What a bound on the mean squared norm leaves of each eigenvalue, as SVG."""
    values = graph.eigenpairs[0]
    total, panels = values[:DIMENSION].sum(), []
    for number, energy in enumerate((1.0, 4.0, total)):
        tau, kept = soft_threshold(values[:DIMENSION], energy)
        count = np.count_nonzero(kept)
        name = f"{energy:g}" if energy < total else f"{energy:.1f}, the sum"
        shapes = _frame(f"m = {name}: {count} of {DIMENSION} kept", "number of the eigenvalue")
        for place, value in enumerate(values[: DIMENSION + 4]):
            left, width = (place + 0.6) * SIDE / (DIMENSION + 5), 0.8 * SIDE / (DIMENSION + 5)
            shapes.append(_bar(left, width, 0, value, "#ddd"))
            if place < count:
                shapes.append(_bar(left, width, tau, value, COLORS[0]))
        level = SIDE * (1 - tau / 1.08)
        shapes.append(_line([(0, level), (SIDE, level)], "#d33", dash="4 3"))
        shapes.append(_text(SIDE - 4, level - 6, f"τ = {tau:.2f}", anchor="end", fill="#d33"))
        for place in (1, 4, 8, 12, 16, 20):
            shapes += _tick_x(place * SIDE / (DIMENSION + 5), place)
        for tick in (0.0, 0.5, 1.0):
            shapes += _tick_y(SIDE * (1 - tick / 1.08), f"{tick:g}")
        panels.append((70 + number * (SIDE + 70), 40, shapes))
    label = "Eigenvalues of the graph, and what is left of them under a bound of 1, 4 and their sum"
    return _svg(panels, 3 * (SIDE + 70) + 20, SIDE + 100, label)


def draw_sweep(found):
    """Missed share, effective rank and probe error against mu, as SVG.

    Args:
        found: Dict from the name of a world to a list of dicts of `measure`, the last of
            which is of "auto".
    """
    measures = (
        ("missed", "Share of the eigenspace missed", (0, 0.25, 0.5, 0.75)),
        ("rank", "Effective rank, of 16", (0, 4, 8, 12, 16)),
        ("error", "Probe error", (0, 0.25, 0.5)),
    )
    panels = []
    for number, (name, title, ticks) in enumerate(measures):
        shapes, top = _frame(title, "mu"), 1.08 * ticks[-1]
        for tick in ticks:
            shapes += _tick_y(SIDE * (1 - tick / top), f"{tick:g}")
        for tick in (0.25, 1, 4, 16, 64):
            shapes += _tick_x(_log(tick), f"{tick:g}")
        for color, rows in zip(COLORS, found.values(), strict=True):
            swept = sorted((row["mu"], row[name]) for row in rows)
            points = [(_log(mu), SIDE * (1 - value / top)) for mu, value in swept]
            shapes.append(_line(points, color))
            shapes += [_dot(*point, 2.5, color) for point in points]
            auto = rows[-1]
            shapes.append(_dot(_log(auto["mu"]), SIDE * (1 - auto[name] / top), 7, "none", color))
        panels.append((70 + number * (SIDE + 70), 40, shapes))
    legend = []
    for number, (color, name) in enumerate(zip(COLORS, found, strict=True)):
        legend += [_dot(190 * number, 0, 5, color), _text(190 * number + 12, 4, name, "start")]
    legend += [_dot(392, 0, 7, "none", "#111"), _text(406, 4, "what auto finds", "start")]
    panels.append((230, SIDE + 105, legend))
    label = "What is missed of the eigenspace, effective rank and probe error against mu"
    return _svg(panels, 3 * (SIDE + 70) + 20, SIDE + 125, label)


def _svg(panels, width, height, label):
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12" role="img" '
        f'aria-label="{label}">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for left, top, shapes in panels:
        lines += [f'<g transform="translate({left} {top})">', *shapes, "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _frame(title, x_name):
    return [
        f'<rect width="{SIDE}" height="{SIDE}" fill="none" stroke="#ccc"/>',
        _text(SIDE / 2, -14, title, weight="bold"),
        _text(SIDE / 2, SIDE + 38, x_name, fill=GREY),
    ]


def _log(mu):
    """Place of mu on an axis from 0.2 to 80."""
    return SIDE * math.log(mu / 0.2) / math.log(80 / 0.2)


def _bar(left, width, low, high, fill):
    top, height = SIDE * (1 - high / 1.08), SIDE * (high - low) / 1.08
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{fill}"/>'
    )


def _line(points, stroke, dash="none"):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="1.5" '
        f'stroke-dasharray="{dash}"/>'
    )


def _dot(x, y, radius, fill, stroke="none"):
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{fill}" stroke="{stroke}" '
        'stroke-width="1.5"/>'
    )


def _tick_x(x, label):
    line = f'<line x1="{x:.1f}" y1="{SIDE}" x2="{x:.1f}" y2="{SIDE + 4}" stroke="{GREY}"/>'
    return [line, _text(x, SIDE + 18, label)]


def _tick_y(y, label):
    line = f'<line x1="-4" y1="{y:.1f}" x2="0" y2="{y:.1f}" stroke="{GREY}"/>'
    return [line, _text(-8, y + 4, label, "end")]


def _text(x, y, content, anchor="middle", fill="#111", weight="normal"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" '
        f'font-weight="{weight}">{content}</text>'
    )


def main(arguments=None):
    """Writes the pictures and prints the tables of `mu.md`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = pathlib.Path(__file__).parent
    parser.add_argument("--out", type=pathlib.Path, default=here, help="a folder")
    out = parser.parse_args(arguments).out
    found = {}
    for name in WORLDS:
        graph, labels = make_world(name)
        norms = np.sum(population_minimizer(graph, DIMENSION) ** 2, axis=1)
        total = graph.eigenpairs[0][:DIMENSION].sum()
        print(f"\n{name}: the eigenvalues sum to {total:.2f}; squared norms of the unbounded")
        print(f"minimizer are from {norms.min():.2f} to {norms.max():.2f}")
        print("| mu | a / r | least loss | eigenspace missed | effective rank | probe error |")
        print("|---|---|---|---|---|---|")
        found[name] = [measure(graph, labels, mu) for mu in (*SWEEP, "auto")]
        for mu, row in zip((*SWEEP, "auto"), found[name], strict=True):
            print(
                f"| {mu if spectral.is_auto(mu) else f'{mu:g}'} | {row['best mu']:.2f} "
                f"| {row['loss']:.2f} | {row['missed']:.1%} | {row['rank']:.1f} "
                f"| {row['error']:.1%} |"
            )
    first, _ = make_world(next(iter(WORLDS)))
    print("\npairs in a batch: the mu that it finds at the optimum, mean and deviation")
    for size, (mean, deviation) in batches(first, BATCHES).items():
        print(f"{size:5} {mean:7.2f} {deviation:6.2f}")
    (out / "mu-threshold.svg").write_text(draw_threshold(first), encoding="utf-8")
    (out / "mu-sweep.svg").write_text(draw_sweep(found), encoding="utf-8")
    print(f"\nwrote {out / 'mu-threshold.svg'} and {out / 'mu-sweep.svg'}")


if __name__ == "__main__":
    main()
