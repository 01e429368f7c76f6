"""Facts of made-up runs, as the evaluator would collect them."""

import dataclasses

import numpy as np

from tf_scl.evaluation.results import (
    Baseline,
    Check,
    Comparison,
    Confusion,
    Difference,
    Evaluation,
    FewShotProbeScore,
    FractionProbeScore,
    KNNScore,
    LinearProbeScore,
    Representation,
    Score,
    SGDProbeScore,
    Verdict,
)
from tf_scl.evaluation.spectrum import SpectrumEstimate
from tf_scl.ingestion.summary import IngestSummary, RejectedImage
from tf_scl.report.facts import (
    EmbeddingMap,
    Ingestion,
    Neighbor,
    Query,
    ReportFacts,
    Thumbnail,
)
from tf_scl.report.records import thumbnail

NAMES = ("pretrained encoder", "untrained encoder", "raw pixels", "last blessed encoder")


def empty(**changed):
    """A report in which every section is missing, or as given."""
    return ReportFacts(made="2026-11-24T22:30:00+00:00", versions={}, **changed)


def labeled(classes=10, epochs=40, seed=0):
    """A run with labels: every section, no number twice."""
    rng = np.random.default_rng(seed)
    names = tuple(f"digit {number}" for number in range(classes))
    return ReportFacts(
        title="digits",
        made="2026-11-24T22:30:00+00:00",
        data="scikit-learn's digits",
        model="runs/digits/pipeline/Trainer/model/5/Format-Serving",
        short_side=8,
        next_steps=("Train longer.", "Label more images."),
        history=history(epochs, rng),
        evaluation=evaluation(names, rng),
        spectrum={
            "encoder features": spectrum(129, None, rng),
            "projected embeddings": spectrum(33, 10, rng),
        },
        map=embedding_map(names, 500, rng),
        neighbors=neighbors(names, rng),
        ingestion=ingestion(7),
        settings={
            "model": {"image_size": 8, "mu": "auto", "projector_hidden": [64, 64]},
            "train": {"epochs": epochs, "optimizer": "sgd", "xla": False},
            "evaluate": {"labels_per_class": 10, "seed": 0, "no": None},
        },
        versions={"python": "3.11.7", "tf_scl": "0.1.0", "tensorflow": "2.16.2"},
    )


def unlabeled():
    """A run without labels, with little else to show either."""
    facts = labeled()
    unknown = {"label_disagreement": None, "probe_error": None, "bound": None}
    return dataclasses.replace(
        facts,
        title="holiday photographs",
        evaluation=unlabeled_evaluation(),
        spectrum={k: dataclasses.replace(one, **unknown) for k, one in facts.spectrum.items()},
        map=dataclasses.replace(facts.map, labels=(None,) * 500, classes=()),
        neighbors=tuple(map(without_labels, facts.neighbors)),
        ingestion=ingestion(0),
    )


def unlabeled_evaluation(**changed):
    ranks = zip(NAMES[:3], (83.02, 130.61, 34.17), strict=True)
    reason = "It is not shown that the encoder is better than the untrained encoder."
    return dataclasses.replace(
        Evaluation(
            representations={name: Representation(256, True, rank) for name, rank in ranks},
            checks=checks()[:2],
            verdict=Verdict("not shown", reason, ("untrained encoder",)),
            train_images=1444,
            test_images=353,
            labeled_train_images=0,
            labeled_test_images=0,
            classes=0,
            level=0.95,
        ),
        **changed,
    )


def without_labels(query):
    return Query(
        dataclasses.replace(query.image, label=None),
        tuple(dataclasses.replace(near, label=None) for near in query.neighbors),
    )


def history(epochs, rng):
    step = np.arange(1, epochs + 1)
    attraction = -1.6 * (1 - np.exp(-step / 6)) + rng.normal(0, 0.01, epochs)
    repulsion = 0.8 * (1 - np.exp(-step / 9)) + rng.normal(0, 0.01, epochs)
    metrics = {
        "loss": attraction + repulsion,
        "attraction": attraction,
        "repulsion": repulsion,
        "clipped": np.clip(0.4 * np.exp(-step / 5), 0, 1),
        "learning_rate": 0.03 * (1 + np.cos(np.pi * step / epochs)),
    }
    return {name: tuple(values.tolist()) for name, values in metrics.items()}


def checks():
    gain = Baseline("raw pixels", 0.9144, Difference(0.0437, (0.0251, 0.0622)))
    return (
        Check("features are finite", "passed", 1.0, 1.0, "boolean"),
        Check("effective rank", "passed", 83.02, 2.0, "dimensions"),
        Check("few-label probe", "passed", 0.9581, 0.8959, "accuracy", gain),
    )


def evaluation(names, rng):
    counts = rng.poisson(0.25, (len(names), len(names))) + np.diag(rng.integers(28, 40, len(names)))
    return Evaluation(
        representations={name: representation(place) for place, name in enumerate(NAMES)},
        checks=checks(),
        verdict=Verdict(
            "blessed", "The few-label probe is 4.4 points better than that of the raw pixels."
        ),
        train_images=1444,
        test_images=353,
        labeled_train_images=1444,
        labeled_test_images=353,
        classes=len(names),
        level=0.95,
        confusion=Confusion(tuple(names), tuple(map(tuple, counts.tolist()))),
        comparison=Comparison(
            353, Difference(0.0028, (-0.0085, 0.0142)), Difference(0.0058, (0.0004, 0.0117))
        ),
    )


def representation(place):
    few, whole = (0.9581, 0.8672, 0.9144, 0.9523)[place], (0.9943, 0.9751, 0.98, 0.9915)[place]
    fractions = ((0.01, 0.21 + place / 50), (0.1, 0.042), (0.5, 0.0118))
    sgd = SGDProbeScore(0.9887, (0.9711, 0.9969), 0.9916, 55, 100)
    return Representation(
        dimension=64 if place == 2 else 256,
        finite=True,
        effective_rank=(83.02, 130.61, 34.17, 79.4)[place],
        knn=KNNScore(few - 0.0171, (few - 0.04, few + 0.0058), 131 + place),
        linear_probe=LinearProbeScore(
            whole, (whole - 0.0123, whole + 0.004), 1444, (1e-3, 1e-2, 1e-1, 1e-4)[place]
        ),
        few_shot_probe=FewShotProbeScore(
            few, (few - 0.0201, few + 0.0163), 0.009 + 0.004 * place, 100, 10
        ),
        fraction_probes=tuple(
            FractionProbeScore(
                whole - loss,
                (whole - loss - 0.02, min(whole - loss + 0.013, 1)),
                0.0077,
                round(1444 * fraction),
                fraction,
            )
            for fraction, loss in fractions
        ),
        sgd_probe=sgd if place == 0 else None,
        view_matching=Score(0.1672, (0.1501, 0.1873)) if place == 0 else None,
    )


def spectrum(size, suggested, rng):
    clusters = suggested or 6
    first = 1 - 0.25 * np.arange(clusters) / clusters
    rest = 0.5 * np.exp(-np.arange(size - clusters) / (size / 5))
    values = np.concatenate([first, rest]) * (1 - 1e-4 * rng.random(size))
    reach = 0.015 + 0.02 * rng.random(size)
    return SpectrumEstimate(
        eigenvalues=tuple(values.tolist()),
        low=tuple(np.maximum(values - reach, 0).tolist()),
        high=tuple(np.minimum(values + reach, 1).tolist()),
        level=0.95,
        effective_rank=21.37,
        eigengap=0.2612 if suggested else None,
        suggested_dimension=suggested,
        loss=-7.4321,
        optimum=-8.1234,
        loss_gap=0.6913,
        collapsed=False,
        flags=() if suggested else ("no gap is clear: all intervals meet",),
        images=353,
        views=4,
        dimension=size - 1,
        assumes="Images are independent draws that f was not trained on.",
        bound_dimension=suggested,
        mu=0.5123,
        label_disagreement=0.0313,
        probe_error=0.0456,
        bound=0.1678,
    )


def embedding_map(names, count, rng):
    labels = rng.integers(0, max(len(names), 1), count)
    turns = 2 * np.pi * np.arange(max(len(names), 1)) * 0.382
    rings = 18 + 32 * np.sqrt((np.arange(len(turns)) + 0.5) / len(turns))
    centers = np.stack([rings * np.cos(turns), rings * np.sin(turns)], axis=1)
    points = centers[labels] + rng.normal(0, 24 / np.sqrt(len(turns)), (count, 2))
    return EmbeddingMap(
        points=tuple(map(tuple, points.round(3).tolist())),
        labels=tuple(labels.tolist()) if names else (None,) * count,
        classes=tuple(names),
        method="t-SNE (perplexity 30) of 50 principal components of 500 of 1,797 images",
    )


def neighbors(names, rng):
    def image():
        return thumbnail(rng.integers(0, 256, (8, 8), np.uint8))

    def near(label):
        other = names[rng.integers(len(names))] if rng.random() < 0.15 else label
        return Neighbor(image(), "3/0042.png", other, 0.9 + 0.1 * rng.random())

    return tuple(
        Query(
            Thumbnail(image(), f"{label}/{place:04}.png", label),
            tuple(sorted((near(label) for _ in range(6)), key=lambda one: -one.similarity)),
        )
        for place, label in enumerate(names[:10])
    )


def ingestion(count):
    reasons = ["damaged", "not an image", "too many pixels"]
    rejected = {reason: len(range(place, count, 3)) for place, reason in enumerate(reasons)}
    detail = "the file ends before the image does"
    return Ingestion(
        summary=IngestSummary(
            source="scikit-learn's digits",
            files=1797 + count,
            kept={"train": 1444, "eval": 353},
            rejected={reason: number for reason, number in rejected.items() if number},
            classes={},
        ),
        first_rejected=tuple(
            RejectedImage(f"digit {place % 10}/{place:06}.png", reasons[place % 3], detail)
            for place in range(min(count, 20))
        ),
        rejected_list="/home/you/runs/digits/pipeline/ImageExampleGen/report/1/rejected.jsonl",
    )
