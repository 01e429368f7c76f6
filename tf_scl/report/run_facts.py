"""The facts of the report on one run, gathered from what its training and evaluation left."""

from tf_scl.config import MU_AUTO
from tf_scl.evaluation.gate import LAST_BLESSED, PRETRAINED
from tf_scl.evaluation.judge import PROJECTED
from tf_scl.evaluation.spectrum import MIN_IMAGES, at_best_scale, estimate_spectrum
from tf_scl.evaluation.views import compared
from tf_scl.report.collect import installed_versions, now
from tf_scl.report.embedding_map import embedding_map
from tf_scl.report.neighbours import neighbour_grid
from tf_scl.report.records import median_short_side

FEATURES, EMBEDDINGS = "encoder features", "projected embeddings"
_NOT_FINITE = "features are NaN or infinite"


def run_facts(judgement, models, train_files, test_files, config, class_names):
    """The facts that are made from images and features, and those that lie about.

    Args:
        judgement: `tf_scl.evaluation.judge.Judgement`.
        models: Dict from name to the folder of a SavedModel, as it was judged.
        train_files, test_files: Lists of TFRecord paths.
        config: `tf_scl.Config` of the run.
        class_names: List of the names of the labels.

    Returns:
        Dict as `tf_scl.report.facts` describes it, without "title", "data",
        "history", "dead_letters" and "next".
    """
    facts = {
        "made": now(),
        "model": models[PRETRAINED],
        "evaluation": judgement.evaluation,
        "config": config.to_dict(),
        "versions": installed_versions(),
        "missing": {},
    }
    if test_files:
        facts["short_side"] = median_short_side(test_files)
    if LAST_BLESSED not in models:
        facts["missing"]["comparison"] = "no other model has been blessed before"
    if not judgement.evaluation["representations"][PRETRAINED]["finite"]:
        facts["missing"].update(dict.fromkeys(("spectrum", "map", "neighbours"), _NOT_FINITE))
        return facts
    if not judgement.views:
        facts["missing"]["spectrum"] = (
            f"it takes {MIN_IMAGES} evaluation images; there are {len(judgement.test_labels)}"
        )
    else:
        facts["spectrum"] = _spectrum(judgement, config)
    seed = config.evaluate.seed
    facts["map"] = embedding_map(
        judgement.test_features, judgement.test_labels, class_names, seed=seed
    )
    facts["neighbours"] = neighbour_grid(
        judgement.train_features,
        judgement.test_features,
        judgement.test_labels,
        train_files,
        test_files,
        seed=seed,
    )
    return facts


def _spectrum(judgement, config):
    embeddings, mu = compared(judgement.views[PROJECTED], config.model), config.model.mu
    if config.model.method == "spectral" and mu == MU_AUTO:
        embeddings = at_best_scale(embeddings)  # as in a batch of the training
    embedded = {FEATURES: judgement.views[PRETRAINED], EMBEDDINGS: embeddings}
    spectrum = {
        kind: estimate_spectrum(found, judgement.view_labels, seed=config.evaluate.seed).to_dict()
        for kind, found in embedded.items()
    }
    if config.model.method == "spectral" and mu != MU_AUTO:
        spectrum[EMBEDDINGS]["flags"] += _clip_flags(spectrum[EMBEDDINGS], mu)
    return spectrum


def _clip_flags(estimate, mu):
    """What mu keeps the loss from: the minimiser has E|f|^2 = the sum of its eigenvalues."""
    needed = sum(estimate["eigenvalues"][: estimate["dimension"]])
    if needed > mu:
        yield (
            f"embeddings are clipped to a squared norm of mu = {mu:g}, and the optimum has "
            f"{needed:.3g} on average: the loss cannot reach it; try --model.mu auto"
        )
