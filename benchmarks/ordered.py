"""Short vectors: what the first k numbers of an embedding are worth, by how it is turned.

    .venv/bin/python -m benchmarks.ordered

needs cifar10-images.tar.xz and trash-photos.tar.xz in ../shared/data. Encoders are trained as in
benchmarks.methods by the spectral loss, with three seeds, and kept in --encoders. Both what the
encoder gives and what its projector makes of it are turned, by directions that are found in the
*training* images and eight views of each; then only the first k numbers are kept. Judged on a
quarter of the training images; with --test once on the test images.
"""

import argparse

import numpy as np
from scipy import linalg

from benchmarks._kept import Kept
from benchmarks._machine import machine
from benchmarks._photos import photos
from benchmarks._trials import PROJECTOR, embed, judge, prepared
from benchmarks.methods import SOURCES, kept_spectral

DATA, SEEDS, LENGTHS = ("cifar10", "trash"), (0, 1, 2), (8, 16, 32, 64, 128, 256)
MEASURES = ("all labels", "10 per class", "kNN", "recall")
KINDS = ("encoder", "projector")
VIEWS, RECALL_AT, KEPT = 8, 10, 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoders", default="runs/ordered", help="folder for the encoders")
    parser.add_argument("--results", default="ordered.jsonl", help="file, which grows")
    parser.add_argument("--test", action="store_true", help="judge on the test images, once")
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS, help="what is turned")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="k")
    parser.add_argument("--plot", help="a picture of kNN over k, such as short-vectors.svg")
    options = parser.parse_args()
    part, names = "test" if options.test else "validation", options.contenders
    kept, found = Kept(options.results), {}
    for data in DATA:
        found[data] = [_measured(data, part, seed, names, options, kept) for seed in SEEDS]
        for kind in options.kinds:
            for measure in MEASURES:
                table(data, kind, measure, found[data], names, options.lengths)
    if options.plot:
        plot(found, options)
    print(f"\n{machine('tensorflow', 'keras')}")


def table(data, kind, measure, found, names, lengths):
    """Prints means over the seeds, ± their standard error."""
    print(f"\n{data}, {kind}: {measure}, %\n")
    print(f"| k | {' | '.join(map(str, lengths))} |\n{'|---' * (len(lengths) + 1)}|")
    for name in names:
        cells = []
        for k in lengths:
            values = [one.get(f"{kind}, {name}, {k}", {}).get(measure) for one in found]
            if None in values:
                cells.append("")
                continue
            error = np.std(values, ddof=1) / len(values) ** 0.5
            cells.append(f"{np.mean(values):.1f} ± {error:.1f}")
        print(f"| {name} | {' | '.join(cells)} |")


def plot(found, options):
    """kNN over k, of the first kind; means over the seeds with their standard errors."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(found), figsize=(9, 3.6))
    for axis, (data, seeds) in zip(axes, found.items(), strict=True):
        for name in options.contenders:
            keys = [f"{options.kinds[0]}, {name}, {k}" for k in options.lengths]
            keys = [key for key in keys if key in seeds[0]]
            values = np.array([[one[key]["kNN"] for key in keys] for one in seeds])
            error = values.std(axis=0, ddof=1) / len(values) ** 0.5
            lengths = options.lengths[: len(keys)]
            axis.errorbar(lengths, values.mean(axis=0), error, fmt=".-", label=name)
        axis.set(xscale="log", xlabel="numbers that are kept", title=data)
        axis.set_xticks(options.lengths, map(str, options.lengths))
        axis.minorticks_off()
    axes[0].set_ylabel("kNN, %")
    axes[-1].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(options.plot, metadata={"Date": None} if ".svg" in options.plot else None)


def _measured(data, part, seed, names, options, kept):
    """ "KIND, CONTENDER, k" -> measure -> %."""
    key = f"{data} {part} {seed}, {options.kinds}, {options.lengths}: {', '.join(names)}"
    return kept.of(key, lambda: _measure(data, part, seed, names, options))


def _measure(data, part, seed, names, options):
    found = {}
    train, labels, test, truth = photos(data, SOURCES[data], part)
    embedded = _embedded(data, part, seed, options, train, test)
    for kind, (views, rows, queries) in ((kind, embedded[kind]) for kind in options.kinds):
        whole = _nearest(queries, rows)
        for name in names:
            center, directions = CONTENDERS[name](views, np.random.default_rng(seed))
            short = [((x - center) @ directions).astype(np.float32) for x in (rows, queries)]
            for k in options.lengths:
                if k > directions.shape[1]:
                    continue
                base, asked = (x[:, :k] for x in short)
                wanted = whole
                if name in CODES:
                    wanted, (base, asked) = _nearest(asked, base), _coded(CODES[name], base, asked)
                near = _nearest(asked, base)
                common = [len(np.intersect1d(*pair)) for pair in zip(near, wanted, strict=True)]
                right = judge(base, asked, labels, truth, seed)
                values = [right[name].mean() for name in MEASURES[:3]]
                values.append(np.mean(common) / RECALL_AT)
                one = dict(zip(MEASURES, (100 * float(value) for value in values), strict=True))
                found[f"{kind}, {name}, {k}"] = one
                print(f"{data} {seed} {kind}, {name}, {k}: {one}", flush=True)
    return found


def _coded(kind, *embeddings):
    """Embeddings as their codes say; the codes are made for the first thousand."""
    from tf_scl.serving.codes import calibrated

    quantizer = calibrated(kind, embeddings[0][:KEPT])
    return [quantizer.decode(quantizer.encode(x).numpy()) for x in embeddings]


def _embedded(data, part, seed, options, train, test):
    """Kind -> (float32 [N, V, D] of views, [N, D] and [M, D] of whole images)."""
    from tf_scl.saving import load_model

    path = kept_spectral(data, part, options.encoders, seed)
    encoder, projector = load_model(path), _in_float32(load_model(path.with_name(PROJECTOR)))
    size = encoder.input_shape[1]
    sized = [prepared(images, size) for images in (train, test)]
    features = [embed(encoder, images) for images in sized]
    views = _views(encoder, train, size, seed)
    flat = views.reshape(-1, views.shape[2])
    rows, *projected = (np.asarray(projector(x, training=False)) for x in (flat, *features))
    rows = rows.reshape(*views.shape[:2], -1)
    return {"encoder": (views, *features), "projector": (rows, *projected)}


def _in_float32(model):
    """The same network in float32, whatever it was trained in."""
    import keras

    def layer(old):
        config = old.get_config()
        return type(old).from_config({**config, "dtype": "float32"})

    made = keras.models.clone_model(model, clone_function=layer)
    made.set_weights(model.get_weights())
    return made


def _views(encoder, images, size, seed):
    """float32 [N, V, D]."""
    import tensorflow as tf

    from tf_scl.augmentation.two_views import TwoViews

    views, made = TwoViews(size), []
    for start in range(0, len(images), 256):
        part = tf.constant(images[start : start + 256], tf.float32)
        pairs = [views.pair(part, tf.constant([seed, one]), start) for one in range(VIEWS // 2)]
        made.append(
            np.stack([np.asarray(encoder(v, training=False)) for pair in pairs for v in pair], 1)
        )
    return np.concatenate(made)


def _nearest(queries, rows):
    """Places of the ten nearest by the cosine, [M, 10]."""
    from tf_scl.unit_rows import unit_rows

    cosines = unit_rows(queries) @ unit_rows(rows).T
    return np.argpartition(-cosines, RECALL_AT, axis=1)[:, :RECALL_AT]


# Contenders: from views [N, V, D] to (center [D], directions [D, D]), the first one first.


def _moments(views, centered=True):
    """E x x^T, E x x'^T over pairs of views of one image, and the center."""
    n, v, d = views.shape
    flat = views.reshape(-1, d).astype(np.float64)
    center = flat.mean(axis=0) if centered else np.zeros(d)
    flat = flat - center
    second = flat.T @ flat / len(flat)
    total = flat.reshape(n, v, d).sum(axis=1)
    across = (total.T @ total / n - v * second) / (v * (v - 1))
    return second, across, center


def _cut(views, rng):
    d = views.shape[2]
    return np.zeros(d), np.eye(d)


def _random(views, rng):
    d = views.shape[2]
    return np.zeros(d), linalg.qr(rng.normal(size=(d, d)))[0]


def _components(centered, white=False):
    def found(views, rng):
        second, _, center = _moments(views, centered)
        values, vectors = linalg.eigh(second)
        values, vectors = values[::-1], vectors[:, ::-1]
        return center, vectors / np.sqrt(np.maximum(values, 1e-3 * values.mean())) ** white

    return found


def _shared(centered):
    """Principal components of what views of one image have in common, E x x'^T."""

    def found(views, rng):
        _, across, center = _moments(views, centered)
        return center, linalg.eigh(across)[1][:, ::-1]

    return found


def _ritz(power, ridge=1e-3):
    """Ritz vectors, each scaled to a variance of its eigenvalue to a power."""

    def found(views, rng):
        second, across, center = _moments(views)
        d = len(second)
        values, vectors = linalg.eigh(across, second + ridge * np.trace(second) / d * np.eye(d))
        values, vectors = values[::-1], vectors[:, ::-1]
        return center, vectors * np.maximum(values, 0.0) ** (power / 2)

    return found


CONTENDERS = {
    "cut off": _cut,
    "random directions": _random,
    "principal components, centered": _components(True),
    "principal components, variance 1": _components(True, white=True),
    "principal components": _components(False),
    "shared components, centered": _shared(True),
    "shared components": _shared(False),
    "Ritz, variance 1": _ritz(0),
    "Ritz, variance theta": _ritz(1),
    "Ritz, variance theta squared": _ritz(2),
    "Ritz, variance theta, ridge 0.1": _ritz(1, 0.1),
    "Ritz, int8": _ritz(1),
    "Ritz, binary": _ritz(1),
}
# Their recall is that of the same numbers before they are rounded.
CODES = {"Ritz, int8": "int8", "Ritz, binary": "binary"}


if __name__ == "__main__":
    main()
