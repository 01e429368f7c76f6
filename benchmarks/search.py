"""An index of a million vectors: how long it takes to make and to ask, and what it finds.

    .venv/bin/python -m benchmarks.search

The vectors are made: 128 numbers of norm 1, around 10,000 centers, with noise that has most of
its variance in few directions, as embeddings have. Queries are 1,000 others of the same kind, not
in the index. The truth is FAISS's exact search, timed beside it: a hundred queries one by one,
and all at once.
"""

import argparse
import os
import resource
import tempfile
import time

import numpy as np

from benchmarks._machine import machine

CENTERS, QUERIES, NEIGHBORS = 10_000, 1000, 10


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--dimension", type=int, default=128)
    options = parser.parse_args()
    print("| images | cells (looked at) | made in | on disk | a query | 1,000 at once | exact: "
          "a query | 1,000 at once | recall at 10 |")  # fmt: skip
    print("|---" * 9 + "|")
    for count in options.images:
        measure(count, options.dimension)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\npeak memory {peak:.1f} GB; {machine('faiss-cpu', 'numpy')}")


def measure(count, dimension):
    """Prints a line of the table."""
    import faiss

    from tf_scl.search.collection import EmbeddedCollection
    from tf_scl.search.index import build_index

    rows = _vectors(count + QUERIES, dimension)
    queries, rows = rows[:QUERIES], rows[QUERIES:]
    names = [f"{number}.jpg" for number in range(count)]
    start = time.perf_counter()
    index = build_index(EmbeddedCollection(names, rows, "made", "", {}))
    made = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        index.save(os.path.join(folder, "index"))
        files = os.scandir(os.path.join(folder, "index"))
        size = sum(file.stat().st_size for file in files) / 2**20
    exact = faiss.IndexFlatIP(dimension)
    exact.add(rows)
    wanted = exact.search(queries, NEIGHBORS)[1]
    found = index.nearest(queries, NEIGHBORS)[1]
    recall = sum(len(np.intersect1d(*pair)) for pair in zip(wanted, found, strict=True))
    times = [
        _milliseconds(search, part)
        for search in (lambda x: index.nearest(x, NEIGHBORS), lambda x: exact.search(x, NEIGHBORS))
        for part in ([queries[place : place + 1] for place in range(100)], [queries])
    ]
    cells = f"{index.facts.cells:,} ({index.facts.probes:,})" if index.facts.cells else "exact"
    shown = [f"{count:,}", cells, f"{made:.1f} s", f"{size:,.0f} MB"]
    shown += [f"{one:.3g} ms" for one in times] + [f"{recall / wanted.size:.3f}"]
    print(f"| {' | '.join(shown)} |", flush=True)


def _milliseconds(search, parts):
    """Median over the parts, each searched by itself, after one that warms up."""
    search(parts[0])
    taken = []
    for part in parts:
        start = time.perf_counter()
        search(part)
        taken.append(1000 * (time.perf_counter() - start))
    return float(np.median(taken))


def _vectors(count, dimension):
    """float32 [count, dimension] of norm 1."""
    from tf_scl.unit_rows import unit_rows

    rng = np.random.default_rng(0)
    scale = (1 / np.sqrt(np.arange(1, dimension + 1))).astype(np.float32)
    centers = rng.normal(size=(CENTERS, dimension)).astype(np.float32) * scale
    rows = np.empty((count, dimension), np.float32)
    for start in range(0, count, 100_000):
        part = rows[start : start + 100_000]
        part[:] = centers[rng.integers(CENTERS, size=len(part))]
        part += 0.5 * scale * rng.normal(size=part.shape).astype(np.float32)
    return np.ascontiguousarray(unit_rows(rows))


if __name__ == "__main__":
    main()
