"""What an evaluation finds: scores, checks and a verdict, as `evaluation.json` holds them.

`tf_scl.dataclass_json` writes and reads these classes. Accuracies are shares, 0..1, of the
labeled test images; an interval is (low, high) at level `Evaluation.level`
(`tf_scl.evaluation.bootstrap`).
"""

import dataclasses
from typing import Literal

Interval = tuple[float, float]

State = Literal["passed", "failed", "not shown"]
PASSED: State = "passed"
FAILED: State = "failed"
NOT_SHOWN: Literal["not shown"] = "not shown"

VerdictState = Literal["blessed", "not blessed", "not shown"]
BLESSED: VerdictState = "blessed"
REFUSED: VerdictState = "not blessed"

Unit = Literal["boolean", "dimensions", "accuracy"]


@dataclasses.dataclass(frozen=True)
class Score:
    """An accuracy and its interval."""

    accuracy: float
    interval: Interval


@dataclasses.dataclass(frozen=True)
class KNNScore(Score):
    """kNN vote.

    Attributes:
        k: Number of neighbors that voted.
    """

    k: int


@dataclasses.dataclass(frozen=True)
class LinearProbeScore(Score):
    """Linear probe with all labels.

    Attributes:
        labels: Number of labeled training images.
        l2: L2 strength that cross-validation chose.
    """

    labels: int
    l2: float


@dataclasses.dataclass(frozen=True)
class DrawnProbeScore(Score):
    """Linear probe on labels that are drawn several times; the accuracy is the mean.

    Attributes:
        std: Standard deviation of the accuracy over the draws.
        labels: Number of labels of one draw.
    """

    std: float
    labels: int


@dataclasses.dataclass(frozen=True)
class FewShotProbeScore(DrawnProbeScore):
    """Linear probe with the same number of labels of each class."""

    labels_per_class: int


@dataclasses.dataclass(frozen=True)
class FractionProbeScore(DrawnProbeScore):
    """Linear probe with a fraction (0..1) of the labels of each class."""

    fraction: float


@dataclasses.dataclass(frozen=True)
class SGDProbeScore(Score):
    """Linear probe by SGD; the accuracy is that of the last epoch.

    Attributes:
        best_accuracy: The best of all epochs, picked on the test images, and so too good.
        best_epoch: Its epoch, from 1.
        epochs: Number of epochs.
    """

    best_accuracy: float
    best_epoch: int
    epochs: int


@dataclasses.dataclass(frozen=True)
class Representation:
    """Measures of one representation; None is what could not be measured, or was not asked for.

    Attributes:
        dimension: Number of features.
        finite: Whether all features are finite; if not, nothing else is measured.
        effective_rank: `tf_scl.effective_rank` of the test images' features.
        knn, linear_probe, few_shot_probe, sgd_probe: Scores.
        fraction_probes: One score for each fraction of the labels that was probed.
        view_matching: How often two views of an image are found to be of one image
            (`tf_scl.evaluation.view_matching`).
    """

    dimension: int
    finite: bool
    effective_rank: float | None = None
    knn: KNNScore | None = None
    linear_probe: LinearProbeScore | None = None
    few_shot_probe: FewShotProbeScore | None = None
    fraction_probes: tuple[FractionProbeScore, ...] = ()
    sgd_probe: SGDProbeScore | None = None
    view_matching: Score | None = None


@dataclasses.dataclass(frozen=True)
class Difference:
    """A difference of two accuracies on the same images, and its interval."""

    value: float
    interval: Interval


@dataclasses.dataclass(frozen=True)
class Baseline:
    """What an encoder is compared with in a check.

    Attributes:
        name: Name of the representation.
        value: Its accuracy.
        gain: The encoder's accuracy minus that of the baseline.
    """

    name: str
    value: float
    gain: Difference


@dataclasses.dataclass(frozen=True)
class Check:
    """One condition of a blessing.

    Attributes:
        measure: What was measured, such as "kNN".
        state: "passed", "failed", or "not shown" where the difference may be chance.
        value: What was measured of the encoder; 1 or 0 where the unit is "boolean".
        threshold: The check fails below it.
        unit: Of both: "accuracy" (a share), "dimensions" or "boolean".
        baseline: What it is compared with, or None.
    """

    measure: str
    state: State
    value: float
    threshold: float
    unit: Unit
    baseline: Baseline | None = None

    @property
    def name(self) -> str:
        """The measure and its baseline, such as "kNN against the raw pixels"."""
        return f"{self.measure} against the {self.baseline.name}" if self.baseline else self.measure

    @property
    def text(self) -> str:
        """What was measured, and what would have been refused, in words."""
        if self.unit == "boolean":
            return "yes" if self.value >= self.threshold else "no, some are NaN or infinite"
        if self.unit == "dimensions":
            return f"{self.value:.1f} dimensions; refused below {self.threshold:g}"
        found = _percent(self.value)
        if self.baseline:
            found += f", {self.baseline.name} {_percent(self.baseline.value)}: {self._judged()}"
        return f"{found}; refused below {_percent(self.threshold)}"

    def _judged(self) -> str:
        assert self.baseline
        gain, (low, high) = self.baseline.gain.value, self.baseline.gain.interval
        text = {
            PASSED: f"better by {100 * gain:.1f} points",
            FAILED: f"worse by {-100 * gain:.1f} points",
            NOT_SHOWN: f"a difference of {100 * gain:+.1f} points that may be chance",
        }[self.state]
        return f"{text} ({100 * low:+.1f} to {100 * high:+.1f})"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What follows from the checks.

    Attributes:
        state: "blessed", "not blessed" or "not shown".
        reason: Sentences.
        doubts: Names of the baselines over which no gain is shown.
    """

    state: VerdictState
    reason: str
    doubts: tuple[str, ...] = ()

    @property
    def blessed(self) -> bool:
        """Whether the encoder may be served."""
        return self.state == BLESSED


@dataclasses.dataclass(frozen=True)
class Confusion:
    """Confusion matrix of the encoder's linear probe with all labels.

    Attributes:
        classes: K names.
        counts: K rows, one for each true class, of K counts, one for each predicted class.
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        sizes = [len(row) for row in self.counts]
        if sizes != [len(self.classes)] * len(self.classes):
            raise ValueError(
                f"a confusion matrix has a row and a column for each of its {len(self.classes)} "
                f"classes. Received: {len(sizes)} rows of {sizes[:5]}"
            )


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The encoder minus the last blessed encoder, on the same images.

    Attributes:
        images: Number of labeled test images.
        linear_probe: Of the probes with all labels.
        few_shot_probe: Of the probes with few labels.
    """

    images: int
    linear_probe: Difference
    few_shot_probe: Difference


@dataclasses.dataclass(frozen=True)
class Leakage:
    """Evaluation images that have a near copy among the training images.

    Attributes:
        images: Number of them.
        cosine: From which on two images count as near copies.
        by_chance: How many there may be without any copy (`tf_scl.evaluation.leakage`).
    """

    images: int
    cosine: float
    by_chance: float

    @property
    def more_than_chance(self) -> bool:
        """Whether there are more than twice as many as there may be without any copy."""
        return self.images > 2 * self.by_chance


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A frozen encoder beside its baselines.

    Attributes:
        representations: From name to measures: `PRETRAINED`, `UNTRAINED`, `PIXELS` and, where
            there is one, `LAST_BLESSED` of `tf_scl.evaluation.gate`.
        checks: In the order in which they are read.
        verdict: What follows from them.
        train_images, test_images: Number of images.
        labeled_train_images, labeled_test_images: How many of them have a label.
        classes: Number of classes among the training labels.
        level: Of all intervals, such as 0.95.
        confusion: None without labels.
        comparison: None without labels, or without another blessed encoder.
        leakage: None where the model notes no cosine from which on images are copies, or
            features are not finite.
    """

    representations: dict[str, Representation]
    checks: tuple[Check, ...]
    verdict: Verdict
    train_images: int
    test_images: int
    labeled_train_images: int
    labeled_test_images: int
    classes: int
    level: float
    confusion: Confusion | None = None
    comparison: Comparison | None = None
    leakage: Leakage | None = None


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
