"""The table behind the accuracy chart: a column for each representation, a row for each number."""

from tf_scl.report import elements
from tf_scl.report.formats import NOTHING, number, percent, percent_interval, shorten


def accuracy_table(results):
    """Every number of every representation; rows that none has are left out.

    Args:
        results: Dict from name to a representation's numbers.

    Returns:
        Str of HTML.
    """
    rows = []
    for name, show in _rows(results):
        shown = [show(result) for result in results.values()]
        if any(text != NOTHING for text in shown):
            rows.append([name, *shown])
    head = ["", *(shorten(name, 40) for name in results)]
    return elements.table(head, rows, "The numbers behind it")


def fractions(results):
    """Shares of the labels that some representation was probed with, in rising order."""
    found = [one["fraction"] for r in results.values() for one in r.get("probe_fractions") or []]
    return sorted({share for share in found if share is not None})


def at_fraction(result, fraction):
    """The probe of a representation with a share of the labels, a dict or None."""
    probes = result.get("probe_fractions") or []
    return next((one for one in probes if one["fraction"] == fraction), None)


def _rows(results):
    """Yields (name of a row, function from a result to text)."""
    yield "dimension", lambda result: number(result["dimension"])
    yield "features are finite", lambda result: number(result["finite"])
    yield "effective rank", lambda result: number(result.get("effective_rank"))
    for key, name in (
        ("probe_few", "probe, few labels"),
        ("probe_all", "probe, all labels"),
        ("probe_sgd", "probe by SGD"),
    ):
        for what, show in _PROBE:
            yield f"{name}: {what}", _of(show, lambda result, key=key: result.get(key))
    yield "kNN: accuracy", lambda result: percent(result.get("knn_accuracy"))
    yield "kNN: interval", lambda result: percent_interval(result.get("knn_interval"))
    yield "kNN: neighbors", lambda result: number(result.get("knn_k"))
    yield "view matching", lambda result: percent(result.get("view_matching"))
    interval = "view_matching_interval"
    yield "view matching: interval", lambda result: percent_interval(result.get(interval))
    for fraction in fractions(results):
        for what, show in _PROBE:
            name = f"probe, {100 * fraction:.6g} % of labels: {what}"
            yield name, _of(show, lambda result, share=fraction: at_fraction(result, share))


def _of(show, probe):
    return lambda result: show(probe(result) or {})


def _accuracy(probe):
    mean, std = probe.get("mean", probe.get("accuracy")), probe.get("std")
    return percent(mean) if std is None or mean is None else f"{100 * mean:.1f} ± {percent(std)}"


def _best(probe):
    if probe.get("best_accuracy") is None:
        return NOTHING
    epoch = f" (epoch {number(probe['best_epoch'])})" if probe.get("best_epoch") else ""
    return f"{percent(probe['best_accuracy'])}{epoch}"


_PROBE = (
    ("accuracy", _accuracy),
    ("interval", lambda probe: percent_interval(probe.get("interval"))),
    ("labels", lambda probe: number(probe.get("labels"))),
    ("labels per class", lambda probe: number(probe.get("labels_per_class"))),
    ("L2 strength", lambda probe: number(probe.get("l2"))),
    ("epochs", lambda probe: number(probe.get("epochs"))),
    ("best epoch, picked with hindsight", _best),
)
