"""The facts of a report: what a run left behind, as a plain dict that JSON can hold.

| key | what it is |
|---|---|
| `title`, `made`, `data` | str: a headline, the time in ISO 8601, where the images came from |
| `model` | str: folder of the SavedModel that was judged |
| `short_side` | int: median over the evaluation images of their shorter side, pixels |
| `next` | list of str: what to do next (`tf_scl.report.next_steps`) |
| `history` | metric -> list of its value at the end of each epoch; `mu` where it was found |
| `evaluation` | as `tf_scl.evaluation.representation.evaluate_all` returns it |
| `spectrum` | kind of features -> estimated eigenvalues with their intervals, and what follows |
| `map` | `points` [[x, y]], `labels` [int or None], `classes` [name], `method` |
| `neighbours` | `queries`: images, each with the training images nearest to it |
| `dead_letters` | `files`, `kept` and `rejected` counts, the `first` rejected, path of the `list` |
| `config` | section -> setting -> value |
| `versions` | package -> version |
| `missing` | section, or `confusion` or `comparison` -> why it is missing, in a few words |

Every section may be missing or None. Shares and accuracies are 0..1, an interval is
[low, high]. In the JSON null stands for a number that was NaN or infinite. `SCHEMA`
below has every key; other keys are kept and not shown.
"""

import dataclasses
import math

import numpy as np

from tf_scl.errors import InputError

SECTIONS = (
    *("history", "evaluation", "spectrum", "map"),
    *("neighbours", "dead_letters", "config", "versions"),
)
INTERVAL = "an interval [low, high]"
POINT = "a point [x, y]"

_PROBE_ALL = {"accuracy": float, "interval?": INTERVAL, "labels": int, "l2?": float}
_DRAWS = {"mean": float, "std?": float, "interval?": INTERVAL, "labels": int}
_REPRESENTATION = {
    "dimension": int,
    "finite": bool,
    "effective_rank?": float,
    "knn_accuracy?": float,
    "knn_interval?": INTERVAL,
    "knn_k?": int,
    "view_matching?": float,
    "view_matching_interval?": INTERVAL,
    "probe_all?": _PROBE_ALL,
    "probe_few?": {**_DRAWS, "labels_per_class": int},
    "probe_fractions?": [{**_DRAWS, "fraction": float}],
    "probe_sgd?": {
        "accuracy": float,
        "interval?": INTERVAL,
        "best_accuracy?": float,
        "best_epoch?": int,
        "epochs?": int,
    },
}
_EVALUATION = {
    "representations": {str: _REPRESENTATION},
    "checks": [{"name": str, "state": str, "text": str}],
    "verdict": str,
    "reason": str,
    "doubts": [str],
    "blessed": bool,
    "train_images": int,
    "test_images": int,
    "labeled_train_images": int,
    "labeled_test_images": int,
    "classes": int,
    "level?": float,
    "confusion?": {"classes": [str], "counts": [[int]]},
    "comparison?": {
        "difference": float,
        "interval?": INTERVAL,
        "images?": int,
        "few_difference?": float,
        "few_interval?": INTERVAL,
    },
}
_SPECTRUM = {
    "eigenvalues": [float],
    "low?": [float],
    "high?": [float],
    "level?": float,
    "effective_rank?": float,
    "eigengap?": float,
    "suggested_dimension?": int,
    "loss?": float,
    "optimum?": float,
    "loss_gap?": float,
    "collapsed?": bool,
    "flags?": [str],
    "images?": int,
    "views?": int,
    "dimension?": int,
    "assumes?": str,
    "bound_dimension?": int,
    "mu?": float,
    "label_disagreement?": float,
    "probe_error?": float,
    "bound?": float,
}
_NEIGHBOUR = {"image": str, "similarity": float, "label?": str, "name?": str}
_QUERY = {"image": str, "name?": str, "label?": str, "neighbours": [_NEIGHBOUR]}
SCHEMA = {
    "title?": str,
    "made?": str,
    "data?": str,
    "model?": str,
    "short_side?": int,
    "next?": [str],
    "history?": {str: [float]},
    "evaluation?": _EVALUATION,
    "spectrum?": {str: _SPECTRUM},
    "map?": {"points": [POINT], "labels": [(int,)], "classes": [str], "method": str},
    "neighbours?": {"queries": [_QUERY]},
    "dead_letters?": {
        "files": int,
        "kept": {str: int},
        "rejected": {str: int},
        "first?": [{"file": str, "reason": str, "detail?": str}],
        "list?": str,
    },
    "config?": {str: {str: object}},
    "versions?": {str: str},
    "missing?": {str: str},
}


def plain(facts):
    """A copy of facts that strict JSON can hold: numpy's values as Python's, NaN as None.

    Raises:
        InputError: A value that JSON has no kind for.
    """
    if isinstance(facts, dict):
        return {str(key): plain(value) for key, value in facts.items()}
    if isinstance(facts, (list, tuple, set, frozenset)):
        return [plain(value) for value in facts]
    if isinstance(facts, (np.ndarray, np.generic)):
        return plain(facts.tolist())
    if dataclasses.is_dataclass(facts) and not isinstance(facts, type):
        return plain(dataclasses.asdict(facts))
    if isinstance(facts, float):
        return facts if math.isfinite(facts) else None
    if facts is None or isinstance(facts, (str, bool, int)):
        return facts
    raise InputError(
        f"facts of a report must be dicts, lists, numbers and text. Received: {facts!r} of "
        f"{type(facts).__name__}; give its text"
    )


def check_facts(facts, place="facts"):
    """Facts as they are, once they are known to follow `SCHEMA`.

    Args:
        facts: What `plain` returned, or what was read from JSON.
        place: Where they come from, for messages.

    Raises:
        InputError: A value of another kind than the schema has, or lists that
            must be of one length and are not.
    """
    _check(facts, SCHEMA, place)
    for name, spectrum in (facts.get("spectrum") or {}).items():
        for end in ("low", "high"):
            _match(spectrum, "eigenvalues", end, f"{place}.spectrum[{name!r}]")
    if facts.get("map"):
        _check_map(facts["map"], f"{place}.map")
    confusion = (facts.get("evaluation") or {}).get("confusion")
    if confusion:
        sizes = [len(row) for row in confusion["counts"]]
        if sizes != [len(confusion["classes"])] * len(confusion["classes"]):
            raise InputError(
                f"{place}.evaluation.confusion must have a row and a column for each of its "
                f"{len(confusion['classes'])} classes. Received: {len(sizes)} rows of {sizes[:5]}"
            )
    return facts


def _check_map(drawn, place):
    _match(drawn, "points", "labels", place)
    for label in drawn["labels"]:
        if label is not None and not 0 <= label < len(drawn["classes"]):
            raise InputError(
                f"{place}.labels must be numbers of its {len(drawn['classes'])} classes, from 0, "
                f"or null. Received: {label}"
            )


def _match(section, one, other, place):
    if section.get(other) is not None and len(section[one]) != len(section[other]):
        raise InputError(
            f"{place} must have as many {other} as {one}. "
            f"Received: {len(section[other])} and {len(section[one])}"
        )


def _check(value, schema, place):
    if isinstance(schema, dict):
        _require(isinstance(value, dict), "an object with named values", value, place)
        _check_dict(value, schema, place)
    elif isinstance(schema, list):
        _require(isinstance(value, list), "a list", value, place)
        for number, item in enumerate(value):
            _check(item, schema[0], f"{place}[{number}]")
    elif isinstance(schema, tuple):
        if value is not None:
            _check(value, schema[0], place)
    elif schema in (INTERVAL, POINT):
        _require(isinstance(value, list) and len(value) == 2, schema, value, place)
        for end in value:
            _check(end, float, place)
    elif schema is float:
        number = value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
        _require(number, "a number, or null", value, place)
    elif schema is int:
        _require(isinstance(value, int) and not isinstance(value, bool), "whole", value, place)
    elif schema is not object:
        _require(isinstance(value, schema), _KINDS[schema], value, place)


_KINDS = {str: "text", bool: "true or false"}


def _check_dict(value, schema, place):
    if str in schema:
        for key, item in value.items():
            _check(item, schema[str], f"{place}[{key!r}]")
        return
    for key, item in schema.items():
        name = key.rstrip("?")
        if value.get(name) is not None:
            _check(value[name], item, f"{place}.{name}")
        elif not key.endswith("?") and not (item is float and name in value):
            raise InputError(f"{place} has no {name!r}; is it a report of another version?")


def _require(holds, kind, value, place):
    if not holds:
        raise InputError(f"{place} must be {kind}. Received: {value!r:.80}")
