"""Sections on accuracy: probe and kNN with intervals, and the last blessed encoder."""

from tf_scl.evaluation.gate import PRETRAINED, why_not_probed
from tf_scl.report import elements
from tf_scl.report.charts import Row, interval_chart
from tf_scl.report.formats import (
    number,
    percent,
    points,
    points_interval,
)
from tf_scl.report.sections.accuracy_table import accuracy_table, at_fraction, fractions


def accuracy(facts):
    """Probe and kNN of every representation: a chart and a table."""
    evaluation = facts.get("evaluation")
    name, heading = "accuracy", "Accuracy of probes and kNN"
    if not evaluation:
        return elements.absent(facts, "evaluation", heading, name)
    results = evaluation["representations"]
    level = _level(evaluation)
    lead = (
        f"The encoder is frozen, and a linear classifier (probe) is learned on the features of "
        f"{_of(evaluation, 'train')} training images; it is measured on "
        f"{_of(evaluation, 'test')} evaluation images, which were not trained on. kNN asks the "
        "nearest training images instead. The untrained encoder is the same network with random "
        f"weights. {number(evaluation['classes'])} classes. Bars and brackets are {level}."
    )
    if not any(result.get("probe_all") for result in results.values()):
        reason = why_not_probed(evaluation)
        if PRETRAINED in results and not results[PRETRAINED]["finite"]:
            reason = "The encoder's features are NaN or infinite: nothing could be measured."
        counts = (
            f"{number(evaluation['train_images'])} training images, "
            f"{number(evaluation['test_images'])} evaluation images, "
            f"{number(evaluation['classes']) if evaluation['classes'] else 'no'} classes."
        )
        numbers = accuracy_table(results)
        return elements.section(
            name, heading, elements.paragraph(reason), elements.lead(counts), numbers
        )
    labeled = number(evaluation["labeled_test_images"])
    x_name = f"accuracy on {labeled} labeled evaluation images (%)"
    parts = [elements.lead(lead), elements.figure(interval_chart(_groups(results), x_name))]
    return elements.section(name, heading, *parts, accuracy_table(results))


def comparison(facts):
    """The difference to the last blessed encoder."""
    evaluation, heading = facts.get("evaluation") or {}, "Comparison with the last blessed encoder"
    compared = evaluation.get("comparison")
    if not compared:
        return elements.absent(facts, "comparison", heading)
    few = compared.get("few_difference")
    rows = [Row("all labels", compared["difference"], compared.get("interval"), 0)]
    if few is not None or compared.get("few_interval"):
        rows.append(Row("few labels", few, compared.get("few_interval"), 1))
    x_name = "new encoder − last blessed encoder (percentage points)"
    chart = interval_chart([("Linear probe", rows)], x_name, 0.0, whole=False)
    head = ["linear probe", "difference in points", "interval"]
    lines = [[row.name, points(row.value), points_interval(row.interval)] for row in rows]
    images = compared.get("images")
    lead = f"Both on the same {number(images)} images. " if images is not None else ""
    lead += f"{_judgement(compared)} Bars and brackets are {_level(evaluation)}."
    table = elements.table(head, lines)
    return elements.section(
        "comparison", heading, elements.lead(lead), elements.figure(chart), table
    )


def _of(evaluation, split):
    """How many images of a split have labels, such as "6 labeled of 48"."""
    labeled, all_images = (number(evaluation[f"{kind}{split}_images"]) for kind in ("labeled_", ""))
    return f"the {labeled}" if labeled == all_images else f"{labeled} labeled of {all_images}"


def _level(evaluation):
    level = evaluation.get("level")
    return f"{percent(level, 0)} intervals" if level is not None else "intervals"


def _judgement(compared):
    interval = compared.get("interval")
    if not interval or None in interval:
        return ""
    if interval[0] > 0:
        return "With all labels the new encoder is better, by more than chance explains."
    if interval[1] < 0:
        return "With all labels the new encoder is worse, by more than chance explains."
    return "With all labels the interval holds 0: the difference may be chance."


def _groups(results):
    """Groups of rows: few labels, parts of the labels, all of them, kNN."""
    groups = [(heading, _rows(results, read)) for heading, read in _measures(results)]
    return [(heading, rows) for heading, rows in groups if rows]


def _measures(results):
    """Yields (heading, function from a result to (value, interval) or None)."""
    few = next((r["probe_few"] for r in results.values() if r.get("probe_few")), None)
    if few:
        heading = f"Linear probe, {number(few['labels_per_class'])} labels per class"
        yield heading, lambda result: _read(result.get("probe_few"))
    for share in fractions(results):
        heading = f"Linear probe, {100 * share:.6g} % of the labels"
        yield heading, lambda result, share=share: _read(at_fraction(result, share))
    yield "Linear probe, all labels", lambda result: _read(result.get("probe_all"))
    yield "Linear probe by SGD", lambda result: _read(result.get("probe_sgd"))
    yield "k nearest neighbours", _read_knn


def _rows(results, read):
    measured = [(name, kind, read(result)) for kind, (name, result) in enumerate(results.items())]
    return [Row(name, *found, kind) for name, kind, found in measured if found]


def _read(probe):
    return probe and (probe.get("mean", probe.get("accuracy")), probe.get("interval"))


def _read_knn(result):
    value = result.get("knn_accuracy")
    return None if value is None else (value, result.get("knn_interval"))
