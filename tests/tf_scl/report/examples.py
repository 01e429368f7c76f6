"""Facts of made-up runs, as the evaluator would collect them."""

import numpy as np

from tf_scl.report.records import thumbnail

NAMES = ("pretrained encoder", "untrained encoder", "raw pixels", "last blessed encoder")


def labelled(classes=10, epochs=40, seed=0):
    """A run with labels: every section, no number twice."""
    rng = np.random.default_rng(seed)
    names = [f"digit {number}" for number in range(classes)]
    return {
        "title": "digits",
        "made": "2026-11-24T22:30:00+00:00",
        "data": "scikit-learn's digits",
        "model": "runs/digits/pipeline/Trainer/model/5/Format-Serving",
        "short_side": 8,
        "next": ["Train longer.", "Label more images."],
        "history": history(epochs, rng),
        "evaluation": evaluation(names, rng),
        "spectrum": {
            "projected embeddings": spectrum(33, 10, rng),
            "encoder features": spectrum(129, None, rng),
        },
        "map": embedding_map(names, 500, rng),
        "neighbours": neighbours(names, rng),
        "dead_letters": dead_letters(7),
        "config": {
            "model": {"image_size": 8, "depth": 10, "width": 16, "projector_hidden": [64, 64]},
            "train": {"epochs": epochs, "batch_size": 256, "optimizer": "sgd", "xla": False},
            "augment": {"crop_scale": [0.4, 1.0], "flip": 0.0},
            "evaluate": {"labels_per_class": 10, "draws": 5, "knn_k": 200, "seed": 0},
        },
        "versions": {"python": "3.11.7", "tf_scl": "0.1.0", "tensorflow": "2.16.2"},
    }


def unlabelled():
    """A run without labels, with little else to show either."""
    facts = labelled()
    results = {
        name: {"dimension": 256, "finite": True, "effective_rank": rank}
        for name, rank in zip(NAMES[:3], (83.02, 130.61, 34.17), strict=True)
    }
    for one in facts["spectrum"].values():
        one.update(label_disagreement=None, probe_error=None, bound=None)
    facts.update(
        title="holiday photographs",
        evaluation={
            "representations": results,
            "checks": facts["evaluation"]["checks"][:2],
            "verdict": "not shown",
            "doubts": ["untrained encoder"],
            "reason": "It is not shown that the encoder is better than the untrained encoder.",
            "blessed": False,
            "train_images": 1444,
            "test_images": 353,
            "labeled_train_images": 0,
            "labeled_test_images": 0,
            "classes": 0,
        },
        map={**facts["map"], "labels": [None] * 500, "classes": []},
        neighbours={
            "queries": [
                {
                    **query,
                    "label": None,
                    "neighbours": [{**near, "label": None} for near in query["neighbours"]],
                }
                for query in facts["neighbours"]["queries"]
            ]
        },
        dead_letters=dead_letters(0),
    )
    return facts


def history(epochs, rng):
    step = np.arange(1, epochs + 1)
    attraction = -1.6 * (1 - np.exp(-step / 6)) + rng.normal(0, 0.01, epochs)
    repulsion = 0.8 * (1 - np.exp(-step / 9)) + rng.normal(0, 0.01, epochs)
    return {
        "loss": (attraction + repulsion).tolist(),
        "attraction": attraction.tolist(),
        "repulsion": repulsion.tolist(),
        "clipped": np.clip(0.4 * np.exp(-step / 5), 0, 1).tolist(),
        "learning_rate": (0.03 * (1 + np.cos(np.pi * step / epochs))).tolist(),
    }


def evaluation(names, rng):
    counts = rng.poisson(0.25, (len(names), len(names))) + np.diag(rng.integers(28, 40, len(names)))
    centres = {"probe_few": (0.9581, 0.8672, 0.9144, 0.9523), "probe_all": (0.9943, 0.9751, 0.98)}
    results = {}
    for place, name in enumerate(NAMES):
        few = centres["probe_few"][place]
        whole = (*centres["probe_all"], 0.9915)[place]
        results[name] = {
            "dimension": 64 if name == "raw pixels" else 256,
            "finite": True,
            "effective_rank": (83.02, 130.61, 34.17, 79.4)[place],
            "knn_accuracy": few - 0.0171,
            "knn_interval": [few - 0.04, few + 0.0058],
            "knn_k": 131 + place,
            "probe_all": {
                "accuracy": whole,
                "interval": [whole - 0.0123, whole + 0.004],
                "labels": 1444,
                "l2": (1e-3, 1e-2, 1e-1, 1e-4)[place],
            },
            "probe_few": {
                "mean": few,
                "std": 0.009 + 0.004 * place,
                "interval": [few - 0.0201, few + 0.0163],
                "labels": 100,
                "labels_per_class": 10,
            },
            "probe_fractions": [
                {
                    "fraction": fraction,
                    "mean": whole - loss,
                    "std": 0.0077,
                    "interval": [whole - loss - 0.02, min(whole - loss + 0.013, 1)],
                    "labels": round(1444 * fraction),
                }
                for fraction, loss in ((0.01, 0.21 + place / 50), (0.1, 0.042), (0.5, 0.0118))
            ],
        }
    results[NAMES[0]]["probe_sgd"] = {
        "accuracy": 0.9887,
        "interval": [0.9711, 0.9969],
        "best_accuracy": 0.9916,
        "best_epoch": 55,
        "epochs": 100,
    }
    return {
        "representations": results,
        "checks": [
            {"name": "features are finite", "state": "passed", "text": "all of them"},
            {
                "name": "features have not collapsed",
                "state": "passed",
                "text": "effective rank 83.0 of 256; refused below 2",
            },
            {
                "name": "few-label probe against the raw pixels",
                "state": "passed",
                "text": "95.8 %, raw pixels 91.4 %: better by 4.4 points (+2.5 to +6.2)",
            },
        ],
        "verdict": "blessed",
        "doubts": [],
        "reason": "The few-label probe is 4.4 points better than that of the raw pixels.",
        "blessed": True,
        "train_images": 1444,
        "test_images": 353,
        "labeled_train_images": 1444,
        "labeled_test_images": 353,
        "classes": len(names),
        "level": 0.95,
        "confusion": {"classes": list(names), "counts": counts.tolist()},
        "comparison": {
            "difference": 0.0028,
            "interval": [-0.0085, 0.0142],
            "images": 353,
            "few_difference": 0.0058,
            "few_interval": [0.0004, 0.0117],
        },
    }


def spectrum(size, suggested, rng):
    clusters = suggested or 6
    first = 1 - 0.25 * np.arange(clusters) / clusters
    rest = 0.5 * np.exp(-np.arange(size - clusters) / (size / 5))
    values = np.concatenate([first, rest]) * (1 - 1e-4 * rng.random(size))
    reach = 0.015 + 0.02 * rng.random(size)
    return {
        "eigenvalues": values.tolist(),
        "low": np.maximum(values - reach, 0).tolist(),
        "high": np.minimum(values + reach, 1).tolist(),
        "level": 0.95,
        "effective_rank": 21.37,
        "eigengap": 0.2612 if suggested else None,
        "suggested_dimension": suggested,
        "loss": -7.4321,
        "optimum": -8.1234,
        "loss_gap": 0.6913,
        "collapsed": False,
        "flags": []
        if suggested
        else ["No gap is clear: the intervals of all neighbouring eigenvalues meet."],
        "images": 353,
        "views": 4,
        "dimension": size - 1,
        "assumes": "Images are independent draws that f was not trained on.",
        "bound_dimension": suggested,
        "mu": 0.5123,
        "label_disagreement": 0.0313,
        "probe_error": 0.0456,
        "bound": 0.1678,
    }


def embedding_map(names, count, rng):
    labels = rng.integers(0, max(len(names), 1), count)
    turns = 2 * np.pi * np.arange(max(len(names), 1)) * 0.382
    rings = 18 + 32 * np.sqrt((np.arange(len(turns)) + 0.5) / len(turns))
    centres = np.stack([rings * np.cos(turns), rings * np.sin(turns)], axis=1)
    spread = 24 / np.sqrt(len(turns))
    return {
        "points": (centres[labels] + rng.normal(0, spread, (count, 2))).round(3).tolist(),
        "labels": labels.tolist() if names else [None] * count,
        "classes": list(names),
        "method": "t-SNE (perplexity 30) of 50 principal components of 500 of 1,797 images",
    }


def neighbours(names, rng, images=None):
    def image():
        if images is not None:
            return thumbnail(images[rng.integers(len(images))])
        return thumbnail(rng.integers(0, 256, (8, 8), np.uint8))

    def near(label):
        other = names[rng.integers(len(names))] if rng.random() < 0.15 else label
        cosine = 0.9 + 0.1 * rng.random()
        return {"image": image(), "similarity": cosine, "label": other, "name": "3/0042.png"}

    return {
        "queries": [
            {
                "image": image(),
                "name": f"{label}/{place:04}.png",
                "label": label,
                "neighbours": sorted(
                    (near(label) for _ in range(6)), key=lambda one: -one["similarity"]
                ),
            }
            for place, label in enumerate(names[:10])
        ]
    }


def dead_letters(count):
    reasons = ["damaged", "not an image", "too many pixels"]
    rejected = {reason: len(range(place, count, 3)) for place, reason in enumerate(reasons)}
    first = [
        {
            "file": f"digit {place % 10}/{place:06}.png",
            "reason": reasons[place % 3],
            "detail": "the file ends before the image does",
        }
        for place in range(min(count, 20))
    ]
    return {
        "files": 1797 + count,
        "kept": {"train": 1444, "eval": 353},
        "rejected": {reason: number for reason, number in rejected.items() if number},
        "first": first,
        "list": "/home/you/tf_scl/runs/digits/pipeline/ImageExampleGen/report/1/rejected.jsonl",
    }
