"""What to do next, from what was measured: a sentence for each thing that stands out."""

from tf_scl.config import MU_AUTO
from tf_scl.evaluation.gate import PRETRAINED, labels_suffice, more_labels, why_not_probed

_BINDS = 0.5  # share of clipped embeddings from which mu shapes the whole training
_STILL_FALLING = 0.05  # of the whole fall of the loss, in the last quarter of the epochs
_FEW_IMAGES = 1000


def next_steps(facts):
    """Advice on a run.

    Args:
        facts: Dict as `tf_scl.report.facts` describes it; of it "evaluation", "history",
            "config" and "short_side" count, and each may be missing.

    Returns:
        List of str, the most useful first; empty where nothing stands out.
    """
    config, history = facts.get("config") or {}, facts.get("history") or {}
    evaluation = facts.get("evaluation") or {}
    found = (
        _clipping(config, history),
        _longer(config, history),
        _larger(config, facts.get("short_side")),
        _more_images(evaluation),
        _more_labels(evaluation),
    )
    return [text for text in found if text]


def _clipping(config, history):
    mu, clipped = config.get("model", {}).get("mu"), history.get("clipped") or [None]
    if clipped[-1] is None or clipped[-1] < _BINDS or mu in (None, MU_AUTO):
        return None
    best = _best_mu(history, mu)
    if best is not None and best <= mu:
        return None
    return (
        f"{100 * clipped[-1]:.0f} % of the embeddings were clipped to norm sqrt(mu): mu = "
        f"{mu:g} binds, and keeps the loss from what it is to learn. Try --model.mu "
        "auto, which finds mu in each batch."
    )


def _best_mu(history, mu):
    """a / r of embeddings that were clipped at the end, or None where it is not known.

    The terms of the loss are then -2 a and mu r (`tf_scl.losses.spectral`).
    """
    attraction, repulsion = (
        (history.get(name) or [None])[-1] for name in ("attraction", "repulsion")
    )
    if attraction is None or repulsion is None or attraction >= 0 or repulsion <= 0:
        return None
    return -attraction / 2 * mu / repulsion


def _longer(config, history):
    # With mu = auto the loss says how alike two views are, no more.
    loss = history.get("scaled_loss") or history.get("loss") or []
    loss = [value for value in loss if value is not None]
    if len(loss) < 4:
        return None
    fall, last = loss[0] - loss[-1], loss[-1 - len(loss) // 4] - loss[-1]
    if fall <= 0 or last < _STILL_FALLING * fall:
        return None
    train = config.get("train", {})
    longer = f"--train.epochs {2 * train.get('epochs', len(loss))}"
    if train.get("minutes"):
        longer = f"--minutes {2 * train['minutes']:g}"
    return (
        f"The loss was still falling: {100 * last / fall:.0f} % of its fall came in the last "
        f"quarter of the epochs. Train longer, such as {longer}."
    )


def _larger(config, short_side):
    size = config.get("model", {}).get("image_size")
    if not size or not short_side or short_side < 2 * size:
        return None
    return (
        f"The images have a short side of {short_side} pixels (median), and the encoder sees "
        f"{size}. --model.image_size {2 * size} shows it more, at about four times the time."
    )


def _more_images(evaluation):
    count = evaluation.get("train_images")
    if count is None or count >= _FEW_IMAGES:
        return None
    return (
        f"{count:,} training images are few to learn from: add images, which need no labels; "
        "some thousands make a difference."
    )


def _more_labels(evaluation):
    encoder = (evaluation.get("representations") or {}).get(PRETRAINED) or {}
    labeled = evaluation.get("labeled_test_images")
    if labeled is None or not encoder.get("finite") or labels_suffice(encoder):
        return None
    if not encoder.get("probe_all"):
        return (
            f"{why_not_probed(evaluation)} So nobody knows how good the encoder is for a task: put "
            "some hundred images of each class into a folder of their own, to judge by; training "
            "never sees the labels."
        )
    return (
        f"{labeled:,} labeled evaluation images are too few to judge by: "
        f"{more_labels(labeled, evaluation['test_images'])}; training never sees the labels."
    )
