"""The card of a model that is served: what it is, what it was measured to do, and its limits.

Markdown, with the header that model hubs read (Mitchell et al., 2019, "Model Cards for Model
Reporting", arXiv 1810.03993). It is made of what the export noted in the SavedModel, the
evaluation and the license, and of nothing else.
"""

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tf_scl.classification.evaluation import ClassifierEvaluation
from tf_scl.config import NO_LICENSE, NO_WEIGHTS, RESNET, Config
from tf_scl.dataclass_json import from_plain
from tf_scl.errors import InputError
from tf_scl.evaluation.gate import why_not_probed
from tf_scl.evaluation.results import Check, Evaluation, Representation, Score, Verdict
from tf_scl.ingestion.summary import describe_reasons
from tf_scl.report.formats import clean, number, percent, percent_interval
from tf_scl.serving.export import LINEAGE, METADATA_FILE
from tf_scl.serving.lineage import ImageLineage, Lineage

CARD_FILE = "README.md"
_METHODS = {
    "spectral": "the spectral contrastive loss (https://arxiv.org/abs/2106.04156)",
    "simclr": "SimCLR's NT-Xent loss (https://arxiv.org/abs/2002.05709)",
    "simsiam": "SimSiam's negative cosine (https://arxiv.org/abs/2011.10566)",
}
_PARTS = {"head": "a linear head", "last": "a linear head and the last stage", "all": "all layers"}
_FEW_OF_A_CLASS = 10  # evaluation images: below it a recall says little
_MARKED = re.compile(r"([\\`*_\[\]<>|#])")

_log = logging.getLogger(__name__)


def encoder_card(
    noted: Mapping[str, Any], evaluation: Evaluation, license: str = NO_LICENSE
) -> str:
    """The card of an encoder, as Markdown.

    Args:
        noted: Dict, what the export noted (`tf_scl.serving.export.read_metadata`).
        evaluation: `Evaluation`.
        license: Str, an identifier such as "apache-2.0"; "none" where none is stated.
    """
    config, lineage = _config(noted), _lineage(noted)
    about = (
        f"Turns an image into {noted['dimension']:,} numbers, such that alike images have alike "
        f"numbers. {_pretraining(config)}"
    )
    facts = {
        **_network(noted, config),
        "output": f"{noted['dimension']:,} numbers",
        "license": _stated(license),
        **({"training began": lineage.began} if lineage else {}),
    }
    return _joined(
        _header("image-feature-extraction", license),
        ["# An encoder of images", about, _table(["", ""], facts.items())],
        _use("embedding", "float32 [1, D]"),
        _images(lineage),
        _encoder_results(evaluation),
        _verdict(evaluation.verdict.state, evaluation.verdict.reason, evaluation.checks),
        _limits([*_encoder_limits(evaluation), *_common_limits(noted)]),
        _made(config, lineage),
    )


def classifier_card(
    noted: Mapping[str, Any], evaluation: ClassifierEvaluation, license: str = NO_LICENSE
) -> str:
    """The card of a classifier, as Markdown.

    Args:
        noted, license: As of `encoder_card`.
        evaluation: `ClassifierEvaluation`.
    """
    config, lineage = _config(noted), _lineage(noted)
    classes = noted["classes"]
    about = (
        f"Says which of {len(classes)} classes an image is of. Trained from "
        f"{evaluation.train_images:,} labels ({_PARTS[config.classify.tuned]}), on an encoder. "
        f"{_pretraining(config)}"
    )
    facts = {
        **_network(noted, config),
        "output": "a label, a score for each class, and the embedding",
        "classes": ", ".join(map(_text, classes)),
    }
    if noted.get("abstain_below"):
        facts["label is empty"] = f"where no score reaches {noted['abstain_below']:g}"
    facts["license"] = _stated(license)
    if lineage:
        facts["training of the encoder began"] = lineage.began
    return _joined(
        _header("image-classification", license),
        ["# A classifier of images", about, _table(["", ""], facts.items())],
        _use("label", "bytes [1]"),
        _images(lineage),
        _classifier_results(evaluation),
        _verdict(evaluation.verdict.state, evaluation.verdict.reason, evaluation.checks),
        _limits([*_classifier_limits(noted, evaluation), *_common_limits(noted)]),
        _made(config, lineage, _of_the_labels(noted)),
    )


def _config(noted: Mapping[str, Any]) -> Config:
    return Config.from_dict(noted["settings"])


def _lineage(noted: Mapping[str, Any]) -> Lineage | None:
    found = noted.get(LINEAGE)
    if found is None:
        return None
    try:
        return from_plain(Lineage, found, METADATA_FILE)
    except InputError as error:
        _log.warning("the card does not say where the model comes from: %s", error)
        return None


def _pretraining(config: Config) -> str:
    model = config.model
    method = _METHODS.get(model.method, _text(model.method))
    begins = None
    if model.weights != NO_WEIGHTS:
        begins = f"the weights {_text(model.weights)} of {_text(model.encoder)}"
    elif model.encoder.endswith(".keras"):
        begins = f"the weights of {_text(model.encoder)}"
    if begins is None:
        return f"The encoder was trained without labels by {method}."
    if model.backbone_rate == 0:
        return f"The encoder has {begins}, which were not changed."
    return f"The encoder began with {begins}, and was trained on without labels by {method}."


def _stated(license: str) -> str:
    return "not stated" if license == NO_LICENSE else license


def _header(task: str, license: str) -> list[str]:
    lines = ["---", *([f"license: {license.lower()}"] if license != NO_LICENSE else [])]
    lines += [f"pipeline_tag: {task}", "tags:", "- tf_scl", "- contrastive-learning", "---"]
    return ["\n".join(lines)]


def _network(noted: Mapping[str, Any], config: Config) -> dict[str, str]:
    model, size = config.model, noted["image_size"]
    network = _text(model.encoder)
    if model.encoder == RESNET:
        network = f"ResNet-{model.depth}, {model.width} channels in its first stage"
    colors = "gray" if noted["channels"] == 1 else "color"
    return {
        "network": network,
        "input": f"PNG or JPEG of up to {noted['max_pixels']:,} pixels; of these the central "
        f"square, resized to {size} × {size}, {colors}",
    }


def _use(output: str, kind: str) -> list[str]:
    return [
        "## Use",
        "```python\n"
        "import tensorflow as tf\n\n"
        'model = tf.saved_model.load("the folder of this file")\n'
        'image = open("image.png", "rb").read()\n'
        f'answer = model.signatures["serving_default"](tf.constant([image]))["{output}"]'
        f"  # {kind}\n"
        "```",
    ]


def _images(lineage: Lineage | None) -> list[str]:
    if lineage is None:
        return []
    images: ImageLineage = lineage.images
    kept = ", ".join(f"{count:,} {split}" for split, count in images.kept.items())
    rows = {"kept": kept}
    if images.source is not None:
        rejected = f"{sum(images.rejected.values()):,}"
        reasons = describe_reasons(images.rejected)
        rows = {
            "source": _text(images.source),
            "found": number(images.files),
            "rejected": rejected + (f" ({_text(reasons)})" if reasons else ""),
            **rows,
        }
    rows["SHA-256 of their sorted SHA-256s"] = images.digest
    return ["## Images", _table(["", ""], rows.items())]


def _encoder_results(evaluation: Evaluation) -> list[str]:
    found = evaluation.representations
    first = next(iter(found.values()))
    if first.linear_probe is None or first.few_shot_probe is None:
        rows = [
            (name, number(one.effective_rank), _score(one.view_matching))
            for name, one in found.items()
        ]
        return [
            "## Results",
            f"{_text(why_not_probed(evaluation))} Without labels this much can be said: how many "
            "directions the features use, and how often two views of an image are found to be of "
            f"one image (with {percent(evaluation.level, 0)} intervals).",
            _table(["", "effective rank", "views matched"], rows),
        ]
    heads = ["", f"{first.few_shot_probe.labels_per_class} labels per class"]
    heads += [f"{first.linear_probe.labels:,} labels", "nearest neighbors"]
    return [
        "## Results",
        f"Accuracy on {evaluation.labeled_test_images:,} images that were not trained on: of a "
        "linear classifier on frozen features, with few and with all labels, and of a vote of the "
        f"nearest neighbors, with {percent(evaluation.level, 0)} intervals.",
        _table(heads, ([name, *_scores(one)] for name, one in found.items())),
    ]


def _scores(one: Representation) -> list[str]:
    return [_score(score) for score in (one.few_shot_probe, one.linear_probe, one.knn)]


def _score(score: Score | None) -> str:
    if score is None:
        return "–"
    return f"{percent(score.accuracy)} ({percent_interval(score.interval)})"


def _classifier_results(evaluation: ClassifierEvaluation) -> list[str]:
    if evaluation.score is None:
        return []
    error = percent(evaluation.calibration_error)
    rows = [
        (
            _text(one.name),
            number(one.train_images),
            number(one.test_images),
            percent(one.recall),
            percent(one.precision),
        )
        for one in evaluation.classes
    ]
    return [
        "## Results",
        f"Accuracy {_score(evaluation.score)} on {evaluation.test_images:,} labeled images that "
        f"were not trained on, with a {percent(evaluation.level, 0)} interval. Calibration error "
        f"{error}: the mean difference between a score and the share that is right.",
        _table(
            ["class", "labels", "evaluated on", "found (recall)", "right where named (precision)"],
            rows,
        ),
    ]


def _verdict(state: str, reason: str, checks: Iterable[Check]) -> list[str]:
    lines = [f"- {_text(check.name)}: {check.state} ({_text(check.text)})" for check in checks]
    return [f"Verdict: {state}. {_text(reason)}", *(["\n".join(lines)] if lines else [])]


def _encoder_limits(evaluation: Evaluation) -> Iterator[str]:
    if not evaluation.labeled_test_images:
        yield "No evaluation image had a label: of its accuracy nothing is known."
    yield from _doubts(evaluation.verdict)
    leakage = evaluation.leakage
    if leakage is not None and leakage.more_than_chance:
        yield (
            f"{leakage.images:,} of the {evaluation.test_images:,} evaluation images look like "
            f"near copies of a training image, where {leakage.by_chance:.0f} may do so by chance. "
            "Copies flatter the results."
        )


def _doubts(verdict: Verdict) -> Iterator[str]:
    for name in verdict.doubts:
        yield f"No gain over the {_text(name)} is shown."


def _classifier_limits(noted: Mapping[str, Any], evaluation: ClassifierEvaluation) -> Iterator[str]:
    if not noted.get("abstain_below"):
        yield "It names one of its classes for every image, also for images of none of them."
    yield from _doubts(evaluation.verdict)
    few = [_text(one.name) for one in evaluation.classes if one.test_images < _FEW_OF_A_CLASS]
    if few:
        yield (
            f"Of these classes fewer than {_FEW_OF_A_CLASS} evaluation images have a label, so "
            f"that little is known of them: {', '.join(few)}."
        )
    missed = [
        _text(one.name)
        for one in evaluation.classes
        if one.recall is not None and one.recall < 0.5 and one.test_images >= _FEW_OF_A_CLASS
    ]
    if missed:
        yield f"Of these classes less than half of the images are found: {', '.join(missed)}."


def _common_limits(noted: Mapping[str, Any]) -> Iterator[str]:
    yield "All this was measured on images of the same source as those of the training."
    if "duplicate_cosine" in noted:  # it keeps a reference
        yield "How far other images are from these is what `tf-scl drift IMAGES MODEL` says."
    yield (
        "The intervals cover the choice of the evaluation images. Another training of the same "
        "settings gives another model, which can differ by more."
    )
    yield "Of what an image shows, the central square is seen, and no more."
    yield "Whether the images may be used, and whom they show, was not looked at."
    if noted.get("weights") != "float32":
        yield f"Weights are stored as {noted.get('weights')}."


def _limits(sentences: Iterable[str]) -> list[str]:
    return ["## Limits", "\n".join(f"- {one}" for one in sentences)]


def _of_the_labels(noted: Mapping[str, Any]) -> dict[str, str]:
    made = noted.get("classifier", {})
    rows = {
        "SHA-256 of the labels": made.get("labels_digest"),
        "digest of the classifier's code": made.get("code_digest"),
    }
    return {name: _text(value) for name, value in rows.items() if value}


def _made(
    config: Config, lineage: Lineage | None, more: Mapping[str, str] | None = None
) -> list[str]:
    defaults = Config().to_dict()
    changed = [
        (f"{section}.{name}", _text(value if isinstance(value, str) else json.dumps(value)))
        for section, values in config.to_dict().items()
        for name, value in values.items()
        if value != defaults[section][name]
    ]
    parts = ["## How it was made", "All settings are tf_scl's defaults."]
    if changed:
        parts[1:] = ["Settings that differ from tf_scl's defaults:"]
        parts += [_table(["setting", "value"], changed)]
    rows = {**(_origin(lineage) if lineage else {}), **(more or {})}
    return [*parts, *([_table(["", ""], rows.items())] if rows else [])]


def _origin(lineage: Lineage) -> dict[str, str]:
    code = lineage.code
    rows = {
        "versions": ", ".join(f"{name} {version}" for name, version in code.versions.items()),
        "digest of the encoder's code": code.digest,
        **({"git commit": code.commit} if code.commit else {}),
        **{f"{name} that trained the encoder": value for name, value in lineage.run.items()},
        **{f"SHA-256 of {path}": digest for path, digest in lineage.model_files.items()},
    }
    return {_text(name): _text(value) for name, value in rows.items()}


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _joined(*sections: Iterable[str]) -> str:
    return "\n\n".join(part for section in sections for part in section) + "\n"


def _text(value: object) -> str:
    """Text in which nothing is taken for a mark of Markdown."""
    return _MARKED.sub(r"\\\1", clean(value))
