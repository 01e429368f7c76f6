"""The gate: what must hold of an encoder before it is served, and the verdict in words.

An encoder is blessed where nothing speaks against it and something speaks for it:

- Its features are finite and have not collapsed.
- It is worse than none of its baselines (the same encoder untrained, the raw pixels, and
  the encoder that was blessed last) in any measure: the probe with few labels, the probe
  with all labels, kNN. With the last one it is compared on images that neither was
  trained on.
- It is better in some measure than the untrained encoder. Where there are no labels, or
  too few to judge by, it must instead match the views of an image better.

Worse and better are what the same test images show: the interval of the paired
difference lies below 0, or above, as a whole. What the test images cannot decide is "not
shown": it counts neither against an encoder nor for it. That no gain over the raw pixels
is shown is part of the verdict, and keeps it from being a clear one.

Each interval is at level 0.95, and each baseline is compared in three measures. So of
encoders that are no better and no worse one in 13 at most is taken for better than a
baseline, or for worse. How small a loss is seen depends on the number of test images;
many small losses, one model after another, may go unseen.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tf_scl.config import EvaluateConfig
from tf_scl.evaluation.bootstrap import difference_interval
from tf_scl.evaluation.results import (
    BLESSED,
    FAILED,
    NOT_SHOWN,
    PASSED,
    REFUSED,
    Baseline,
    Check,
    Difference,
    Evaluation,
    Representation,
    State,
    Verdict,
    VerdictState,
)
from tf_scl.evaluation.spectrum import MIN_IMAGES
from tf_scl.typing import Array

PRETRAINED, UNTRAINED, PIXELS = "pretrained encoder", "untrained encoder", "raw pixels"
LAST_BLESSED = "last blessed encoder"
LEVEL = 0.95  # of every interval

TOO_WIDE = 0.2  # an accuracy whose interval is wider says too little to judge by


@dataclasses.dataclass(frozen=True)
class Correct:
    """Which labeled test images the classifiers on a representation got right.

    Attributes:
        few: Bool array [draws, M], of the probes with few labels.
        whole: Bool array [M], of the probe with all labels.
        near: Bool array [M], of kNN.
    """

    few: Array
    whole: Array
    near: Array

    def of(self, rows: Array) -> "Correct":
        """Of some of the images, bool [M]."""
        return Correct(self.few[:, rows], self.whole[rows], self.near[rows])


_MEASURES = {"few": "few-label probe", "whole": "probe with all labels", "near": "kNN"}
_VIEWS = "view matching"


def run_checks(
    results: Mapping[str, Representation],
    correct: Mapping[str, Correct],
    matched: Mapping[str, Array],
    config: EvaluateConfig,
    fair: Array | None = None,
) -> list[Check]:
    """Returns the checks of an encoder, in the order in which they are read.

    Args:
        results: From name to the measures of a representation.
        correct: From name to `Correct`, of those that were probed.
        matched: From `PRETRAINED` and `UNTRAINED` to float arrays [N]
            (`tf_scl.evaluation.view_matching.match_views`); or empty.
        config: Number of resamples and seed of the intervals, least effective rank.
        fair: Bool [M], the labeled test images that `LAST_BLESSED` is compared on; None for all.
    """
    encoder = results[PRETRAINED]
    state = PASSED if encoder.finite else FAILED
    checks = [Check("features are finite", state, float(encoder.finite), 1.0, "boolean")]
    if encoder.effective_rank is not None:
        checks.append(_rank_check(encoder.effective_rank, config.min_effective_rank))
    for baseline in (UNTRAINED, PIXELS, LAST_BLESSED):
        if PRETRAINED in correct and baseline in correct:
            ours, theirs = correct[PRETRAINED], correct[baseline]
            if baseline == LAST_BLESSED and fair is not None:
                if np.count_nonzero(fair) < 2:  # of one image there is no interval
                    continue
                ours, theirs = ours.of(fair), theirs.of(fair)
            checks += _against(baseline, ours, theirs, config)
    if matched and not labels_suffice(encoder):
        values = matched[PRETRAINED], matched[UNTRAINED]
        checks.append(compare_accuracies(_VIEWS, UNTRAINED, *values, config))
    return checks


def labels_suffice(result: Representation) -> bool:
    """Whether there are labels, and enough to judge a representation by."""
    probe = result.linear_probe
    return probe is not None and probe.interval[1] - probe.interval[0] <= TOO_WIDE


def reach_verdict(
    checks: Sequence[Check],
    result: Representation,
    labeled: int,
    images: int,
    require_gain: bool = True,
) -> Verdict:
    """Returns the verdict on an encoder.

    Args:
        checks: As `run_checks` returns them.
        result: Measures of the pretrained encoder.
        labeled: Number of labeled test images.
        images: Number of test images.
        require_gain: False blesses also where no gain is shown.
    """
    note = _too_few(result, labeled, images)
    failed = [check for check in checks if check.state == FAILED]
    if failed:
        reasons = "; ".join(f"{check.name}: {check.text}" for check in failed)
        return Verdict(REFUSED, f"{reasons}.{note}")
    by_labels = labels_suffice(result)
    counted = [check for check in checks if by_labels or check.measure == _VIEWS]
    gains = {name: _best_gain(counted, name) for name in (UNTRAINED, PIXELS)[: 1 + by_labels]}
    doubts = tuple(name for name, gain in gains.items() if gain is None)
    sentences = [gain for gain in gains.values() if gain is not None]
    if not any(check.baseline and check.baseline.name == UNTRAINED for check in counted):
        sentences.append(
            f"Nothing could be compared with the untrained encoder: that takes {MIN_IMAGES} "
            f"evaluation images (there are {images}) and features that are finite."
        )
    elif doubts:
        where = "in any measure" if by_labels else "at matching the views of an image"
        sentences.append(
            f"It is not shown that the encoder is better than the {' and the '.join(doubts)} "
            f"{where}: the differences may be chance."
        )
    state: VerdictState = NOT_SHOWN if UNTRAINED in doubts else BLESSED
    if state == NOT_SHOWN and not require_gain:
        state = BLESSED
        sentences.append("With require_gain = false it is blessed all the same.")
    return Verdict(state, " ".join(sentences) + note, doubts)


def _rank_check(rank: float, least: float) -> Check:
    return Check("effective rank", PASSED if rank >= least else FAILED, rank, least, "dimensions")


def _against(
    baseline: str, ours: Correct, theirs: Correct, config: EvaluateConfig
) -> Iterator[Check]:
    """Yields the three comparisons with one baseline."""
    for measure, name in _MEASURES.items():
        yield compare_accuracies(
            name, baseline, getattr(ours, measure), getattr(theirs, measure), config
        )


def compare_accuracies(
    measure: str,
    baseline: str,
    ours: Array,
    theirs: Array,
    config: EvaluateConfig,
    weights: Array | None = None,
) -> Check:
    """The check that ours is not worse than a baseline on the same test images.

    Args:
        measure, baseline: Names, for the check.
        ours, theirs: Arrays [M], which images were right; or shares of the times that they were.
        config: Number of resamples and seed of the interval.
        weights: Float [M], how much each image counts; None for all alike.
    """
    value, other = (
        float(np.average(one, axis=-1, weights=weights).mean()) for one in (ours, theirs)
    )
    low, high = difference_interval(ours, theirs, LEVEL, config.resamples, config.seed, weights)
    state: State = PASSED if low > 0 else FAILED if high < 0 else NOT_SHOWN
    compared = Baseline(baseline, other, Difference(value - other, (low, high)))
    return Check(measure, state, value, value - high, "accuracy", compared)


def _best_gain(checks: Sequence[Check], baseline: str) -> str | None:
    """Returns a sentence on the largest gain over a baseline that is shown, or None."""
    shown = [
        (check.baseline.gain.value, check.measure)
        for check in checks
        if check.baseline and check.baseline.name == baseline and check.state == PASSED
    ]
    if not shown:
        return None
    gain, measure = max(shown, key=lambda one: one[0])
    return f"The {measure} is {100 * gain:.1f} points better than that of the {baseline}."


def more_labels(labeled: int, images: int) -> str:
    """Says what to do where the labels are too few to judge by.

    Args:
        labeled: Number of labeled test images.
        images: Number of test images.
    """
    if labeled < images:
        return "label some hundred images more"
    return "add labeled images, or keep more for evaluation (ingest.eval_fraction)"


def why_not_probed(evaluation: Evaluation) -> str:
    """Says why there is no linear probe and no kNN, in a sentence."""
    if not evaluation.labeled_train_images:
        return "No labels: no linear probe, no kNN."
    if evaluation.classes < 2:
        return "Labels of one class only: no linear probe, no kNN."
    count = evaluation.labeled_test_images
    return f"{count} labeled evaluation image{'s' * (count != 1)}: no linear probe, no kNN."


def _too_few(result: Representation, labeled: int, images: int) -> str:
    """Returns a sentence where the labels are too few to judge by, or ""."""
    if result.linear_probe is None or labels_suffice(result):
        return ""
    low, high = result.linear_probe.interval
    return (
        f" {labeled} labeled evaluation images are too few to judge by (the probe's interval is "
        f"{100 * (high - low):.0f} points wide): {more_labels(labeled, images)}."
    )
