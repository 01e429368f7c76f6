"""How good a classifier is on images that it has never seen, and whether it may be served.

A classifier is blessed where something speaks for it and nothing against it: it is better than
guesses that name each class as often as it does and do not look at the image, and not worse than
always naming the most frequent class, nor than the classifier that was blessed last, all beyond
what the choice of the test images could do by chance. That is in the accuracy, or, of a classifier
for which all classes count alike, in the mean recall. `evaluate.require_gain` = false blesses it
also where that it is better is not shown.

Guesses of its own frequencies are right as often as the classifier would be if its answers did not
depend on the image (the agreement by chance of Cohen's kappa, 1960). To beat the most frequent
class takes more, and with some fifty test images even a useful classifier does not show it.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tf_scl.classification.temperature import expected_calibration_error
from tf_scl.config import EvaluateConfig
from tf_scl.evaluation.bootstrap import accuracy_interval
from tf_scl.evaluation.gate import LEVEL, TOO_WIDE, compare_accuracies
from tf_scl.evaluation.labels import alike_weights
from tf_scl.evaluation.results import (
    BLESSED,
    FAILED,
    NOT_SHOWN,
    REFUSED,
    Check,
    Confusion,
    Score,
    Verdict,
    VerdictState,
)
from tf_scl.typing import Array

GUESSES, MOST_FREQUENT = "guesses", "most frequent class"
LAST_CLASSIFIER = "last blessed classifier"
_ACCURACY, _RECALL = "accuracy", "mean recall"


@dataclasses.dataclass(frozen=True)
class ClassScore:
    """One class of a classifier.

    Attributes:
        name: Of the class.
        train_images, test_images: Number of labeled images of it.
        recall: Share of its test images that were given this class; None where there are none.
        precision: Share of the test images that were given this class and are of it; None
            where none was.
    """

    name: str
    train_images: int
    test_images: int
    recall: float | None
    precision: float | None


@dataclasses.dataclass(frozen=True)
class ClassifierEvaluation:
    """A classifier on the labeled evaluation images.

    Attributes:
        score: Accuracy and its interval; None where no evaluation image has a label.
        classes: One for each class.
        confusion: Counts of true and given classes; None likewise.
        calibration_error: Expected calibration error (15 bins), None likewise; of a classifier
            for which all classes count alike, by images that are weighted so.
        cross_entropy: Mean, in nats, None likewise.
        train_images, test_images: Number of labeled images.
        level: Of all intervals, such as 0.95.
        checks: In the order in which they are read.
        verdict: What follows from them.
    """

    score: Score | None
    classes: tuple[ClassScore, ...]
    confusion: Confusion | None
    calibration_error: float | None
    cross_entropy: float | None
    train_images: int
    test_images: int
    level: float
    checks: tuple[Check, ...]
    verdict: Verdict


def evaluate_classifier(
    probabilities: Array,
    targets: Array,
    classes: Sequence[str],
    train_targets: Array,
    others: Mapping[str, Array] | None = None,
    config: EvaluateConfig | None = None,
    balanced: bool = False,
    unseen: Array | None = None,
) -> ClassifierEvaluation:
    """Measures a classifier and reaches a verdict.

    Args:
        probabilities: Float [M, C], of evaluation images that have a label.
        targets: int [M] in 0..C-1.
        classes: List of the C names.
        train_targets: int [N], of the labeled training images.
        others: From the name of another classifier, such as `LAST_CLASSIFIER`, to int [M], the
            classes that it gives to the same images, negative where it is one that is not
            among these; or None.
        config: `EvaluateConfig`, its number of resamples and seed, and whether a gain is required.
        balanced: Bool, whether it was trained so that all classes count alike.
        unseen: Bool [M], the images that the others were not trained on, and are compared on;
            None for all.

    Returns:
        `ClassifierEvaluation`.
    """
    config = config or EvaluateConfig()
    count = len(classes)
    train_counts = np.bincount(train_targets, minlength=count)
    test_counts = np.bincount(targets, minlength=count)
    if not len(targets):
        return ClassifierEvaluation(
            score=None,
            classes=_class_scores(classes, train_counts, np.zeros((count, count), int)),
            confusion=None,
            calibration_error=None,
            cross_entropy=None,
            train_images=len(train_targets),
            test_images=0,
            level=LEVEL,
            checks=(),
            verdict=Verdict(REFUSED, f"No evaluation image has a label. {_REMEDY}"),
        )
    given = probabilities.argmax(axis=1)
    correct = given == targets
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (targets, given), 1)
    weights = alike_weights(targets, count) if balanced else None
    everywhere = np.ones(len(targets), bool)
    unseen = everywhere if unseen is None else unseen
    compared = [
        (GUESSES, np.bincount(given, minlength=count)[targets] / len(targets), everywhere),
        (MOST_FREQUENT, targets == test_counts.argmax(), everywhere),
    ]
    for name, other in (others or {}).items() if unseen.any() else ():
        compared.append((name, other == targets, unseen))
    checks = [
        compare_accuracies(
            _RECALL if balanced else _ACCURACY,
            name,
            correct[rows],
            right[rows],
            config,
            alike_weights(targets[rows], count) if balanced else None,
        )
        for name, right, rows in compared
    ]
    interval = accuracy_interval(correct, LEVEL, config.resamples, config.seed)
    tiny = np.finfo(np.float32).tiny
    return ClassifierEvaluation(
        score=Score(float(correct.mean()), interval),
        classes=_class_scores(classes, train_counts, matrix),
        confusion=Confusion(tuple(classes), tuple(map(tuple, matrix.tolist()))),
        calibration_error=expected_calibration_error(probabilities, targets, weights=weights),
        cross_entropy=float(
            -np.mean(np.log(np.maximum(probabilities[np.arange(len(targets)), targets], tiny)))
        ),
        train_images=len(train_targets),
        test_images=len(targets),
        level=LEVEL,
        checks=tuple(checks),
        verdict=_verdict(checks, interval, len(targets), config.require_gain, unseen),
    )


_REMEDY = (
    "Label more images; a larger share kept for evaluation (ingest.eval_fraction) would do too, "
    "but then all is pretrained anew."
)


def _class_scores(
    classes: Sequence[str], train_counts: Array, matrix: Array
) -> tuple[ClassScore, ...]:
    of_class, given = matrix.sum(axis=1), matrix.sum(axis=0)
    return tuple(
        ClassScore(
            name,
            int(train_counts[number]),
            int(of_class[number]),
            matrix[number, number] / of_class[number] if of_class[number] else None,
            matrix[number, number] / given[number] if given[number] else None,
        )
        for number, name in enumerate(classes)
    )


def _verdict(
    checks: Sequence[Check],
    interval: tuple[float, float],
    images: int,
    require_gain: bool,
    unseen: Array,
) -> Verdict:
    wide = interval[1] - interval[0]
    note = ""
    if not unseen.all():
        note = (
            f" On {np.count_nonzero(~unseen):,} of these images the {LAST_CLASSIFIER} may have "
            "been trained, as ingest.eval_fraction is larger now: on them the two are not compared."
        )
    if wide > TOO_WIDE:
        note += (
            f" Of {images} labeled evaluation images the accuracy is known to "
            f"{100 * wide:.0f} points only. {_REMEDY}"
        )
    failed = [f"{check.name}: {check.text}" for check in checks if check.state == FAILED]
    if failed:
        return Verdict(REFUSED, f"{'; '.join(failed)}.{note}")
    doubts = tuple(
        check.baseline.name for check in checks if check.baseline and check.state == NOT_SHOWN
    )
    state: VerdictState = NOT_SHOWN if GUESSES in doubts else BLESSED
    if state == NOT_SHOWN:
        reason = (
            f"It is not shown that the classifier is better than {GUESSES} without a look at the "
            "image: the difference may be chance."
        )
        if not require_gain:
            state = BLESSED
            reason += " With evaluate.require_gain = false it is blessed all the same."
        else:
            reason += " evaluate.require_gain = false would bless it all the same."
    else:
        gain = checks[0].baseline.gain.value if checks[0].baseline else 0.0
        reason = f"It is {100 * gain:.1f} points better than {GUESSES} without a look at the image."
    for name in (MOST_FREQUENT, LAST_CLASSIFIER):
        if name in doubts:
            reason += f" Against the {name} no difference is shown."
    return Verdict(state, reason + note, doubts)
