"""What to do next, from what was measured: a sentence for each thing that stands out."""

import math
from collections.abc import Mapping, Sequence

from tf_scl.config import Config
from tf_scl.evaluation.gate import PRETRAINED, labels_suffice, more_labels, why_not_probed
from tf_scl.evaluation.results import Evaluation
from tf_scl.losses.names import MU_AUTO

_BINDS = 0.5  # share of clipped embeddings from which mu shapes the whole training
_STILL_FALLING = 0.05  # of the whole fall of the loss, in the last quarter of the epochs
_FEW_IMAGES = 1000

_History = Mapping[str, Sequence[float]]


def next_steps(
    evaluation: Evaluation, config: Config, history: _History, short_side: int | None
) -> list[str]:
    """Gives advice on a run.

    Args:
        evaluation: Scores, checks and verdict.
        config: Settings of the run.
        history: From metric to its value at the end of each epoch.
        short_side: Median of the shorter side of the images, pixels, or None.

    Returns:
        Sentences, the most useful first; none where nothing stands out.
    """
    found = (
        _clipping(config, history),
        _longer(config, history),
        _larger(config, short_side),
        _more_images(evaluation),
        _more_labels(evaluation),
        _near_copies(evaluation),
    )
    return [text for text in found if text]


def _last(history: _History, metric: str) -> float | None:
    """Returns a metric at the end of the training, or None where it is not known."""
    values = history.get(metric)
    return values[-1] if values and math.isfinite(values[-1]) else None


def _clipping(config: Config, history: _History) -> str | None:
    mu, clipped = config.model.mu, _last(history, "clipped")
    if clipped is None or clipped < _BINDS or isinstance(mu, str):
        return None
    best = _best_mu(history, mu)
    if best is not None and best <= mu:
        return None
    return (
        f"{100 * clipped:.0f} % of the embeddings were clipped to norm sqrt(mu): mu = "
        f"{mu:g} binds, and keeps the loss from what it is to learn. Try model.mu "
        f"{MU_AUTO}, which finds mu in each batch."
    )


def _best_mu(history: _History, mu: float) -> float | None:
    """a / r of embeddings that were clipped at the end, or None where it is not known.

    The terms of the loss are then -2 a and mu r (`tf_scl.losses.spectral`).
    """
    attraction, repulsion = _last(history, "attraction"), _last(history, "repulsion")
    if attraction is None or repulsion is None or attraction >= 0 or repulsion <= 0:
        return None
    return -attraction / 2 * mu / repulsion


def _longer(config: Config, history: _History) -> str | None:
    # With mu = auto the loss says how alike two views are, no more.
    values = history.get("scaled_loss") or history.get("loss") or []
    loss = [value for value in values if math.isfinite(value)]
    if len(loss) < 4:
        return None
    fall, last = loss[0] - loss[-1], loss[-1 - len(loss) // 4] - loss[-1]
    if fall <= 0 or last < _STILL_FALLING * fall:
        return None
    longer = f"train.epochs {2 * config.train.epochs}"
    if config.train.minutes:
        longer = f"train.minutes {2 * config.train.minutes:g}"
    return (
        f"The loss was still falling: {100 * last / fall:.0f} % of its fall came in the last "
        f"quarter of the epochs. Train longer, such as {longer}."
    )


def _larger(config: Config, short_side: int | None) -> str | None:
    size = config.model.image_size
    if not short_side or short_side < 2 * size:
        return None
    return (
        f"The images have a short side of {short_side} pixels (median), and the encoder sees "
        f"{size}. model.image_size {2 * size} shows it more, at about four times the time."
    )


def _more_images(evaluation: Evaluation) -> str | None:
    count = evaluation.train_images
    if count >= _FEW_IMAGES:
        return None
    return (
        f"{count:,} training images are few to learn from: add images, which need no labels; "
        "some thousands make a difference."
    )


def _more_labels(evaluation: Evaluation) -> str | None:
    encoder, labeled = evaluation.representations[PRETRAINED], evaluation.labeled_test_images
    if not encoder.finite or labels_suffice(encoder):
        return None
    if not encoder.linear_probe:
        return (
            f"{why_not_probed(evaluation)} So nobody knows how good the encoder is for a task: put "
            "some hundred images of each class into a folder of their own, to judge by; training "
            "never sees the labels."
        )
    return (
        f"{labeled:,} labeled evaluation images are too few to judge by: "
        f"{more_labels(labeled, evaluation.test_images)}; training never sees the labels."
    )


def _near_copies(evaluation: Evaluation) -> str | None:
    leakage, images = evaluation.leakage, evaluation.test_images
    if leakage is None or not leakage.more_than_chance:
        return None
    return (
        f"{leakage.images:,} of the {images:,} evaluation images look like near copies of a "
        f"training image, where {leakage.by_chance:.0f} may do so by chance. The report shows "
        "some, under Neighbors. If they are copies, they flatter every accuracy: tf-scl duplicates "
        "names all of them and what to keep."
    )
