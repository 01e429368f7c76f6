"""Pictures and numbers of `mu.md`: what mu does, on graphs where all is known.

    .venv/bin/python -m docs.explanation.mu_figures

Two worlds of 96 images in 16 clusters, four of which make a group. An image's
augmentations are its neighbors in the cluster, more rarely images of the group, and
hardly ever others. The two classes are two clusters of each group: what parts them is not
in the four largest eigenvalues, which are the groups. In the first world all clusters
have six images, in the second from 3 to 11.
"""

import argparse
import math
import pathlib

import matplotlib.pyplot as plt
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


def draw_threshold(graph, path):
    """Draws what a bound on the mean squared norm leaves of each eigenvalue."""
    values = graph.eigenpairs[0]
    total, shown = values[:DIMENSION].sum(), DIMENSION + 4
    figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True)
    for axis, energy in zip(axes, (1.0, 4.0, total), strict=True):
        tau, kept = soft_threshold(values[:DIMENSION], energy)
        count, places = np.count_nonzero(kept), np.arange(1, shown + 1)
        axis.bar(places, values[:shown], color="#ddd")
        axis.bar(places[:count], values[:count] - tau, bottom=tau, color=COLORS[0])
        axis.axhline(tau, color="#d33", linestyle="--", linewidth=1)
        axis.text(shown + 0.5, tau + 0.02, f"τ = {tau:.2f}", color="#d33", ha="right")
        name = f"{energy:g}" if energy < total else f"{energy:.1f}, the sum"
        axis.set_title(f"m = {name}: {count} of {DIMENSION} kept", fontsize="medium")
        axis.set(xlabel="number of the eigenvalue", xticks=(1, 4, 8, 12, 16, 20))
    axes[0].set_ylabel("eigenvalue")
    save(figure, path)


def draw_sweep(found, path):
    """Draws the missed share, the effective rank and the probe error against mu.

    Args:
        found: Dict from the name of a world to a list of dicts of `measure`, the last of
            which is of "auto".
        path: Where the picture goes.
    """
    titles = {
        "missed": "Share of the eigenspace missed",
        "rank": f"Effective rank, of {DIMENSION}",
        "error": "Probe error",
    }
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.3))
    for axis, (name, title) in zip(axes, titles.items(), strict=True):
        for color, (world, rows) in zip(COLORS, found.items(), strict=True):
            mus, values = zip(*sorted((row["mu"], row[name]) for row in rows), strict=True)
            axis.plot(mus, values, ".-", color=color, label=world)
            ring = {"markersize": 11, "markerfacecolor": "none", "markeredgecolor": color}
            axis.plot(
                rows[-1]["mu"], rows[-1][name], "o", label=f"what auto finds: {world}", **ring
            )
        axis.set_title(title, fontsize="medium")
        axis.set(xscale="log", xlabel="mu", xticks=(0.25, 1, 4, 16, 64), ylim=(0, None))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.minorticks_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    save(figure, path)


def save(figure, path):
    """Writes a figure, as the same bytes each time, with its text as text."""
    figure.set_layout_engine("constrained")
    with plt.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


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
    draw_threshold(first, out / "mu-threshold.svg")
    draw_sweep(found, out / "mu-sweep.svg")
    print(f"\nwrote {out / 'mu-threshold.svg'} and {out / 'mu-sweep.svg'}")


if __name__ == "__main__":
    main()
