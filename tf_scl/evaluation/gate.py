"""The gate: what must hold of an encoder before it is served, and the verdict in words.

An encoder is blessed where nothing speaks against it and something speaks for it:

- Its features are finite and have not collapsed.
- It is worse than none of its baselines (the same encoder untrained, the raw pixels, and
  the encoder that was blessed last) in any measure: the probe with few labels, the probe
  with all labels, kNN.
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

import numpy as np

from tf_scl.evaluation.bootstrap import difference_interval
from tf_scl.evaluation.spectrum import MIN_IMAGES

PRETRAINED, UNTRAINED, PIXELS = "pretrained encoder", "untrained encoder", "raw pixels"
LAST_BLESSED = "last blessed encoder"
LEVEL = 0.95  # of every interval

PASSED, FAILED, NOT_SHOWN = "passed", "failed", "not shown"  # states of a check
BLESSED, REFUSED = "blessed", "not blessed"  # verdicts; NOT_SHOWN is one too

TOO_WIDE = 0.2  # an accuracy whose interval is wider says too little to judge by


@dataclasses.dataclass(frozen=True)
class Correct:
    """Which labeled test images the classifiers on a representation got right.

    Attributes:
        few: Bool array [draws, M], of the probes with few labels.
        whole: Bool array [M], of the probe with all labels.
        near: Bool array [M], of kNN.
    """

    few: np.ndarray
    whole: np.ndarray
    near: np.ndarray


_MEASURES = {"few": "few-label probe", "whole": "probe with all labels", "near": "kNN"}
_VIEWS = "view matching"


@dataclasses.dataclass(frozen=True)
class Check:
    """One condition of a blessing.

    Attributes:
        measure: What was looked at, such as "kNN".
        state: `PASSED`, `FAILED` or `NOT_SHOWN`.
        text: What was measured, and what would have been refused, in words.
        baseline: The representation compared with, or None.
        gain: Float, mean of the paired difference to it; or None.
    """

    measure: str
    state: str
    text: str
    baseline: str | None = None
    gain: float | None = None

    @property
    def name(self):
        """The measure and its baseline, such as "kNN against the raw pixels"."""
        return f"{self.measure} against the {self.baseline}" if self.baseline else self.measure

    def to_dict(self):
        """All attributes and the name, for JSON."""
        return {"name": self.name, **dataclasses.asdict(self)}


def run_checks(results, correct, matched, config):
    """The checks of an encoder, in the order in which they are read.

    Args:
        results: Dict from name to the numbers of a representation
            (`tf_scl.evaluation.representation.evaluate_representation`).
        correct: Dict from name to `Correct`, of those that were probed.
        matched: Dict from `PRETRAINED` and `UNTRAINED` to float arrays [N]
            (`tf_scl.evaluation.view_matching.match_views`); or empty.
        config: `tf_scl.config.EvaluateConfig`.

    Returns:
        List of `Check`.
    """
    encoder = results[PRETRAINED]
    if not encoder["finite"]:
        return [Check("features are finite", FAILED, "some are NaN or infinite")]
    checks = [
        Check("features are finite", PASSED, "all of them"),
        _rank_check(encoder, config.min_effective_rank),
    ]
    for baseline in (UNTRAINED, PIXELS, LAST_BLESSED):
        if PRETRAINED in correct and baseline in correct:
            checks += _against(baseline, correct[PRETRAINED], correct[baseline], config)
    if matched and not labels_suffice(encoder):
        values = matched[PRETRAINED], matched[UNTRAINED]
        checks.append(_compared(_VIEWS, UNTRAINED, *values, config))
    return checks


def labels_suffice(result):
    """Whether there are labels, and enough to judge a representation by.

    Args:
        result: Dict, the numbers of a representation.
    """
    probe = result.get("probe_all")
    return bool(probe) and probe["interval"][1] - probe["interval"][0] <= TOO_WIDE


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What follows from the checks.

    Attributes:
        state: `BLESSED`, `REFUSED` or `NOT_SHOWN`.
        reason: Sentences.
        doubts: Tuple of the baselines over which no gain is shown.
    """

    state: str
    reason: str
    doubts: tuple = ()


def reach_verdict(checks, result, labeled, images, require_gain=True):
    """The `Verdict` on an encoder.

    Args:
        checks: List of `Check`.
        result: Dict, the numbers of the pretrained encoder.
        labeled: Int, number of labeled test images.
        images: Int, number of test images.
        require_gain: Bool, False to bless also where no gain is shown.
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
    sentences = [_gain_text(gain) for gain in gains.values() if gain is not None]
    if not any(check.baseline == UNTRAINED for check in counted):
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
    state = NOT_SHOWN if UNTRAINED in doubts else BLESSED
    if state == NOT_SHOWN and not require_gain:
        state = BLESSED
        sentences.append("With require_gain = false it is blessed all the same.")
    return Verdict(state, " ".join(sentences) + note, doubts)


def _rank_check(encoder, needed):
    rank = encoder["effective_rank"]
    text = f"effective rank {rank:.1f} of {encoder['dimension']}; refused below {needed:g}"
    return Check("features have not collapsed", PASSED if rank >= needed else FAILED, text)


def _against(baseline, ours, theirs, config):
    """The three comparisons with one baseline."""
    for measure, name in _MEASURES.items():
        yield _compared(name, baseline, getattr(ours, measure), getattr(theirs, measure), config)


def _compared(name, baseline, ours, theirs, config):
    value, other = float(np.mean(ours)), float(np.mean(theirs))
    low, high = difference_interval(ours, theirs, LEVEL, config.resamples, config.seed)
    state = PASSED if low > 0 else FAILED if high < 0 else NOT_SHOWN
    gain = value - other
    judged = {
        PASSED: f"better by {100 * gain:.1f} points",
        FAILED: f"worse by {-100 * gain:.1f} points",
        NOT_SHOWN: f"a difference of {100 * gain:+.1f} points that may be chance",
    }[state]
    text = (
        f"{100 * value:.1f} %, {baseline} {100 * other:.1f} %: {judged} "
        f"({100 * low:+.1f} to {100 * high:+.1f}); refused below {100 * (value - high):.1f} %"
    )
    return Check(name, state, text, baseline, gain)


def _best_gain(checks, baseline):
    """The check that shows the largest gain over a baseline, or None."""
    shown = [c for c in checks if c.baseline == baseline and c.state == PASSED]
    return max(shown, key=lambda check: check.gain, default=None)


def _gain_text(check):
    return (
        f"The {check.measure} is {100 * check.gain:.1f} points better than that of the "
        f"{check.baseline}."
    )


def more_labels(labeled, images):
    """What to do where the labels are too few to judge by.

    Args:
        labeled, images: Ints, numbers of labeled test images and of all.
    """
    if labeled < images:
        return "label some hundred images more"
    return "add labeled images, or keep more for evaluation (--ingest.eval_fraction)"


def why_not_probed(evaluation):
    """Why there is no linear probe and no kNN, a sentence.

    Args:
        evaluation: Dict, as `tf_scl.evaluation.representation.evaluate_all` returns it.
    """
    if not evaluation["labeled_train_images"]:
        return "No labels: no linear probe, no kNN."
    if evaluation["classes"] < 2:
        return "Labels of one class only: no linear probe, no kNN."
    count = evaluation["labeled_test_images"]
    return f"{count} labeled evaluation image{'s' * (count != 1)}: no linear probe, no kNN."


def _too_few(result, labeled, images):
    """A sentence where the labels are too few to judge by, or ""."""
    if not result.get("probe_all") or labels_suffice(result):
        return ""
    low, high = result["probe_all"]["interval"]
    return (
        f" {labeled} labeled evaluation images are too few to judge by (the probe's interval is "
        f"{100 * (high - low):.0f} points wide): {more_labels(labeled, images)}."
    )
