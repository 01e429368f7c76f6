"""The facts of the report on one run, gathered from what its training and evaluation left."""

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence

from tf_scl.config import Config
from tf_scl.dataclass_json import read_json
from tf_scl.evaluation.evaluate import PROJECTED, EvaluationResult
from tf_scl.evaluation.gate import LAST_BLESSED, PRETRAINED
from tf_scl.evaluation.spectrum import (
    MIN_IMAGES,
    SpectrumEstimate,
    at_best_scale,
    estimate_spectrum,
)
from tf_scl.evaluation.views import compared
from tf_scl.ingestion.summary import (
    REJECTED_FILE,
    SUMMARY_FILE,
    IngestSummary,
    read_rejected,
)
from tf_scl.labels.joined import ImageLabels
from tf_scl.losses.names import MU_AUTO
from tf_scl.report.embedding_map import embedding_map
from tf_scl.report.facts import Ingestion, ReportFacts
from tf_scl.report.neighbors import copy_pairs, neighbor_grid
from tf_scl.report.next_steps import next_steps
from tf_scl.report.records import median_short_side
from tf_scl.versions import installed_versions, now

FEATURES, EMBEDDINGS = "encoder features", "projected embeddings"
_NOT_FINITE = "features are NaN or infinite"
# Those that an encoder and its evaluation depend on.
_SECTIONS = ("ingest", "augment", "model", "train", "evaluate")


def run_facts(
    result: EvaluationResult,
    models: Mapping[str, str],
    train_files: Sequence[str],
    test_files: Sequence[str],
    config: Config,
    class_names: Sequence[str],
    history: dict[str, tuple[float, ...]],
    data: str | None = None,
    ingestion: Ingestion | None = None,
    labels: ImageLabels | None = None,
) -> ReportFacts:
    """Gathers the facts of a run.

    Args:
        result: What the evaluation found, and the features it was made from.
        models: From name to the folder of a SavedModel, as it was evaluated.
        train_files, test_files: TFRecord paths.
        config: Settings of the run.
        class_names: Names of the labels.
        history: From metric to its value at the end of each epoch.
        data: Where the images came from.
        ingestion: What became of the images of the source.
        labels: Those that take the place of the records' labels.
    """
    evaluation = result.evaluation
    short_side = median_short_side(test_files) if test_files else None
    finite = evaluation.representations[PRETRAINED].finite
    facts = ReportFacts(
        made=now(),
        versions=installed_versions(),
        data=data,
        model=models[PRETRAINED],
        short_side=short_side,
        next_steps=tuple(next_steps(evaluation, config, history, short_side)),
        history=history,
        evaluation=evaluation,
        spectrum=_spectrum(result, config) if result.views else None,
        ingestion=ingestion,
        settings=config.to_dict(*_SECTIONS),
        missing=dict(_missing(result, LAST_BLESSED in models, finite)),
    )
    if not finite:
        return facts
    train, test = result.train_features, result.test_features
    classes, seed = result.test_labels, config.evaluate.seed
    return dataclasses.replace(
        facts,
        map=embedding_map(test, classes, class_names, seed=seed),
        neighbors=neighbor_grid(train, test, classes, train_files, test_files, labels, seed=seed),
        near_copies=copy_pairs(result.near_copies, train_files, test_files, labels)
        if result.near_copies
        else (),
    )


def read_ingestion(folder: str | os.PathLike[str], first: int = 20) -> Ingestion:
    """Reads what became of the images of an ingestion.

    Args:
        folder: `report_dir` of `tf_scl.ingestion.ingest.ingest`, local or remote.
        first: How many rejected images are named.

    Raises:
        InputError: A file of it that is damaged.
    """
    return Ingestion(
        summary=read_json(IngestSummary, os.path.join(folder, SUMMARY_FILE)),
        first_rejected=tuple(read_rejected(folder, first)),
        rejected_list=os.path.join(folder, REJECTED_FILE),
    )


def _missing(result: EvaluationResult, compared: bool, finite: bool) -> Iterator[tuple[str, str]]:
    if not compared:
        yield "comparison", "no other model has been blessed before"
    if not finite:
        yield from ((name, _NOT_FINITE) for name in ("spectrum", "map", "neighbors"))
    elif not result.views:
        count = len(result.test_labels)
        yield "spectrum", f"it takes {MIN_IMAGES} evaluation images; there are {count}"


def _spectrum(result: EvaluationResult, config: Config) -> dict[str, SpectrumEstimate]:
    embeddings, mu = compared(result.views[PROJECTED], config.model), config.model.mu
    spectral = config.model.method == "spectral"
    if spectral and mu == MU_AUTO:
        embeddings = at_best_scale(embeddings)  # as in a batch of the training
    embedded = {FEATURES: result.views[PRETRAINED], EMBEDDINGS: embeddings}
    spectrum = {
        kind: estimate_spectrum(found, result.view_labels, seed=config.evaluate.seed)
        for kind, found in embedded.items()
    }
    if spectral and not isinstance(mu, str):
        estimate = spectrum[EMBEDDINGS]
        flags = (*estimate.flags, *_clip_flags(estimate, mu))
        spectrum[EMBEDDINGS] = dataclasses.replace(estimate, flags=flags)
    return spectrum


def _clip_flags(estimate: SpectrumEstimate, mu: float) -> Iterator[str]:
    """What mu keeps the loss from: the minimizer has E|f|^2 = the sum of its eigenvalues."""
    needed = sum(estimate.eigenvalues[: estimate.dimension])
    if needed > mu:
        yield (
            f"embeddings are clipped to a squared norm of mu = {mu:g}, and the optimum has "
            f"{needed:.3g} on average: the loss cannot reach it; try model.mu auto"
        )
