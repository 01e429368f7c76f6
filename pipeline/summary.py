"""What a person wants to know after a run, read from ML Metadata and the artifacts."""

import contextlib
import dataclasses
import functools
import os
import textwrap
from typing import Any

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata as tfx_metadata
from tfx.utils import path_utils

from components import last_blessed
from components.artifacts import CLASSIFIER_FILE, EVALUATION_FILE, KERAS_FILE
from components.classifier_trainer.executor import TRAINED
from components.inputs import read_labels
from tf_scl.classification.evaluation import ClassifierEvaluation
from tf_scl.dataclass_json import dumps, read_json
from tf_scl.evaluation.gate import (
    LAST_BLESSED,
    PIXELS,
    PRETRAINED,
    UNTRAINED,
    why_not_probed,
)
from tf_scl.evaluation.results import Evaluation
from tf_scl.files import write_file
from tf_scl.flags import with_flags
from tf_scl.ingestion import summary as ingest_summary
from tf_scl.ingestion.summary import IngestSummary
from tf_scl.labels.joined import describe
from tf_scl.report.files import HTML_FILE, JSON_FILE, read_report

SUMMARY_FILE = "summary.json"
_wrap = functools.partial(textwrap.wrap, width=100, break_long_words=False, break_on_hyphens=False)
_STATES = {
    metadata_store_pb2.Execution.CACHED: "cached",
    metadata_store_pb2.Execution.COMPLETE: "ran",
}


@dataclasses.dataclass(frozen=True)
class ClassifierSummary:
    """The classifier of a run.

    Attributes:
        evaluation: Scores, checks and verdict; None where none was trained, for the encoder was
            not blessed.
        pushed: Whether the classifier is served.
        model: Folder of the SavedModel, the pushed one if there is one; None likewise.
        keras_model: Path of the Keras model; None likewise.
    """

    evaluation: ClassifierEvaluation | None
    pushed: bool
    model: str | None
    keras_model: str | None


@dataclasses.dataclass(frozen=True)
class RunSummary:
    """What a run made, as `OUT/summary.json` holds it.

    Attributes:
        components: From component to "ran", "cached" or "failed".
        images: What became of the images.
        rejected_list: Path of the list of the images that were rejected.
        evaluation: Scores, checks and verdict.
        next_steps: What to do next.
        report: Path of the report.
        keras_model: Path of the Keras model.
        pushed: Whether the model is served.
        model: Folder of the SavedModel, the pushed one if there is one.
        classifier: None where none is asked for.
        labels: What was labeled, in words, where it is not by class folders; else None.
    """

    components: dict[str, str]
    images: IngestSummary
    rejected_list: str
    evaluation: Evaluation
    next_steps: tuple[str, ...]
    report: str
    keras_model: str
    pushed: bool
    model: str
    classifier: ClassifierSummary | None = None
    labels: str | None = None


def write(connection_config: metadata_store_pb2.ConnectionConfig, out: str) -> str:
    """Collects the last run, writes OUT/summary.json, returns it as text.

    Args:
        connection_config: Of ML Metadata.
        out: The run's folder.
    """
    summary = collect(connection_config)
    write_file(os.path.join(out, SUMMARY_FILE), dumps(summary))
    return render(summary)


def remove(out: str) -> None:
    """Removes the summary of an earlier run."""
    with contextlib.suppress(FileNotFoundError):
        os.remove(os.path.join(out, SUMMARY_FILE))


def collect(connection_config: metadata_store_pb2.ConnectionConfig) -> RunSummary:
    """Collects what the last run made.

    Raises:
        InputError: A JSON file of the run that is damaged.
    """
    with tfx_metadata.Metadata(connection_config) as handle:
        nodes = _last_run(handle.store)
    report = nodes["ImageExampleGen"]["outputs"]["report"].uri
    evaluation_dir = nodes["RepresentationEvaluator"]["outputs"]["evaluation"].uri
    model_run = nodes["Trainer"]["outputs"]["model_run"].uri
    pushed = nodes["Pusher"]["outputs"]["pushed_model"].custom_properties
    trained = path_utils.serving_model_path(nodes["Trainer"]["outputs"]["model"].uri)
    return RunSummary(
        components={name: node["state"] for name, node in nodes.items()},
        images=read_json(IngestSummary, os.path.join(report, ingest_summary.SUMMARY_FILE)),
        rejected_list=os.path.join(report, ingest_summary.REJECTED_FILE),
        evaluation=read_json(Evaluation, os.path.join(evaluation_dir, EVALUATION_FILE)),
        next_steps=read_report(os.path.join(evaluation_dir, JSON_FILE)).next_steps,
        report=os.path.join(evaluation_dir, HTML_FILE),
        keras_model=os.path.join(model_run, KERAS_FILE),
        pushed=bool(pushed["pushed"].int_value),
        model=pushed["pushed_destination"].string_value or trained,
        classifier=_classifier(nodes) if "ClassifierTrainer" in nodes else None,
        labels=_labels(nodes) if "ImageLabelGen" in nodes else None,
    )


def _labels(nodes: dict[str, dict[str, Any]]) -> str:
    return describe(read_labels(nodes["ImageLabelGen"]["outputs"]["labels"].uri))


def _classifier(nodes: dict[str, dict[str, Any]]) -> ClassifierSummary:
    made = nodes["ClassifierTrainer"]["outputs"]["classifier"]
    if not made.custom_properties[TRAINED].int_value:
        return ClassifierSummary(None, False, None, None)
    evaluation = nodes["ClassifierEvaluator"]["outputs"]["evaluation"].uri
    pushed = nodes["ClassifierPusher"]["outputs"]["pushed_model"].custom_properties
    return ClassifierSummary(
        read_json(ClassifierEvaluation, os.path.join(evaluation, EVALUATION_FILE)),
        bool(pushed["pushed"].int_value),
        pushed["pushed_destination"].string_value or path_utils.serving_model_path(made.uri),
        os.path.join(made.uri, CLASSIFIER_FILE),
    )


def render(summary: RunSummary) -> str:
    """Renders the summary as text of at most 100 columns, but for paths."""
    images = summary.images
    by_state: dict[str, list[str]] = {}
    for name, state in summary.components.items():
        by_state.setdefault(state, []).append(name)
    lines = ["", "=" * 78]
    for state, names in by_state.items():
        lines += [f"{state:<11} {', '.join(names)}"]
    lines += [f"images      {ingest_summary.describe(images)}"]
    if images.rejected:
        lines += [f"            each with its reason in {summary.rejected_list}"]
    single = [name for name, count in images.classes.items() if count == 1]
    if single:
        lines += [
            f"            one image only in: {', '.join(single)} (learned from, hardly evaluated)"
        ]
    lines += [f"labels      {summary.labels or _labeled(images)}"]
    lines += ["", *_accuracies(summary.evaluation), ""]
    lines += _verdict(summary)
    for text in summary.next_steps:
        lines += _wrap(f"- {with_flags(text)}", subsequent_indent="  ")
    lines += ["", f"report: {summary.report}", f"as a Keras model: {summary.keras_model}"]
    lines += ["", "Embed an image:", f"  {_line(summary.model, 'embedding')}"]
    if summary.classifier:
        lines += ["", *_describe_classifier(summary.classifier)]
    lines += ["=" * 78]
    return "\n".join(lines)


def _describe_classifier(classifier: ClassifierSummary) -> list[str]:
    evaluation = classifier.evaluation
    if evaluation is None:
        return ["No classifier: the encoder was not blessed."]
    lines = [
        f"Classifier of {len(evaluation.classes)} classes, from {evaluation.train_images:,} labels"
    ]
    if evaluation.score is not None:
        low, high = (f"{100 * end:.1f}" for end in evaluation.score.interval)
        lines += [
            f"accuracy    {100 * evaluation.score.accuracy:.1f} % ({low} to {high}) on "
            f"{evaluation.test_images:,} labeled images that were not trained on",
            f"            calibration error {100 * (evaluation.calibration_error or 0):.1f} points",
        ]
        worst = [one for one in evaluation.classes if one.recall is not None and one.recall < 0.5]
        if worst:
            names = ", ".join(f"{one.name} ({one.test_images})" for one in worst)
            lines += _wrap(f"            less than half are found of: {names}")
    reason = _wrap(with_flags(evaluation.verdict.reason))
    if classifier.pushed:
        lines += [f"blessed and pushed: {classifier.model}", *reason]
    else:
        lines += ["NOT blessed, not pushed", *reason, f"unblessed model: {classifier.model}"]
    lines += [f"as a Keras model: {classifier.keras_model}"]
    return [*lines, "", "Classify an image:", f"  {_line(str(classifier.model), 'label')}"]


def _labeled(images: IngestSummary) -> str:
    kept, labeled = sum(images.kept.values()), sum(images.classes.values())
    if not labeled:
        return "none"
    return f"{labeled:,} of the {kept:,} images, in {len(images.classes):,} classes"


def _line(model: str, output: str) -> str:
    """One line of Python that prints what a SavedModel answers to image.png."""
    return (
        f"import tensorflow as tf; model = tf.saved_model.load({model!r}); "
        'print(model.signatures["serving_default"]'
        f'(tf.constant([open("image.png", "rb").read()]))["{output}"])'
    )


def _accuracies(evaluation: Evaluation) -> list[str]:
    results = evaluation.representations
    encoder = results[PRETRAINED]
    few, whole = encoder.few_shot_probe, encoder.linear_probe
    if not encoder.finite:
        return ["The features are NaN or infinite: nothing could be measured."]
    if few is None or whole is None:
        return [
            why_not_probed(evaluation),
            f"effective rank of the features: {encoder.effective_rank:.1f} of {encoder.dimension}",
        ]
    lines = [
        f"Linear probe: accuracy on {evaluation.labeled_test_images:,} labeled images that were "
        "not trained on",
        f"{'':20}{few.labels_per_class:>6} labels per class{whole.labels:>10,} labels"
        f"{'kNN':>9}{'eff. rank':>12}",
    ]
    for name in (PRETRAINED, LAST_BLESSED, UNTRAINED, PIXELS):
        result = results.get(name)
        # There may be no predecessor, or one whose features are not finite.
        if result and result.few_shot_probe and result.linear_probe and result.knn:
            few = result.few_shot_probe
            lines.append(
                f"{name:20}{f'{100 * few.accuracy:.1f} ± {100 * few.std:.1f} %':>23}"
                f"{100 * result.linear_probe.accuracy:>15.1f} %"
                f"{100 * result.knn.accuracy:>7.1f} %{result.effective_rank:>12.1f}"
            )
    return lines


def _verdict(summary: RunSummary) -> list[str]:
    reason = _wrap(with_flags(summary.evaluation.verdict.reason))
    if summary.pushed:
        return [f"blessed and pushed: {summary.model}", *reason]
    return ["NOT blessed, not pushed", *reason, f"unblessed model: {summary.model}"]


def _last_run(store: MetadataStore) -> dict[str, dict[str, Any]]:
    """Dict from component to its state and output artifacts, in the order they ran."""
    runs = store.get_contexts_by_type("pipeline_run")
    last = max(runs, key=lambda run: run.id)
    nodes = {}
    executions = store.get_executions_by_context(last.id)
    for execution in sorted(executions, key=lambda one: one.id):
        contexts = store.get_contexts_by_execution(execution.id)
        node = next(one.name for one in contexts if one.type == "node").split(".")[-1]
        if node in (last_blessed.NODE, last_blessed.CLASSIFIER_NODE):  # looks up, and makes nothing
            continue
        events = store.get_events_by_execution_ids([execution.id])
        outputs = {
            event.path.steps[0].key: store.get_artifacts_by_id([event.artifact_id])[0]
            for event in events
            if event.type == metadata_store_pb2.Event.OUTPUT
        }
        state = _STATES.get(execution.last_known_state, "failed")
        nodes[node] = {"state": state, "outputs": outputs}
    return nodes
