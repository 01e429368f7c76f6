"""Executor of ImageLabelGen."""

import logging
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.artifacts import LABELS_FILE
from tf_scl.data.input_pipeline import record_files
from tf_scl.dataclass_json import dumps
from tf_scl.files import write_file
from tf_scl.ingestion.summary import SPLITS
from tf_scl.labels.joined import describe, join_labels, labels_of_records, require_per_class
from tf_scl.labels.labels_file import FOLDERS, read_labels_file
from tf_scl.report.run_facts import read_ingestion

_log = logging.getLogger(__name__)


class Executor(base_executor.BaseExecutor):
    """Joins labels and images by name."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `labels.json`.

        Args:
            input_dict: "examples", "report".
            output_dict: "labels".
            exec_properties: "source", a path or `FOLDERS`; "least_per_class"; "digest" and
                "code_digest" are for TFX's cache.

        Raises:
            InputError: A file that is wrong, or a class with fewer labeled training images.
        """
        splits = {
            split: record_files(artifact_utils.get_split_uri(input_dict["examples"], split))
            for split in SPLITS
        }
        files = [path for of_split in splits.values() for path in of_split]
        source = exec_properties["source"]
        if source == FOLDERS:
            found = labels_of_records(files)
        else:
            report = artifact_utils.get_single_uri(input_dict["report"])
            images = read_ingestion(report, first=0).summary.source
            found = join_labels(read_labels_file(source), files, report, images)
        require_per_class(found, splits[SPLITS[0]], exec_properties["least_per_class"])
        _log.info("%s", describe(found))
        folder = artifact_utils.get_single_uri(output_dict["labels"])
        write_file(os.path.join(folder, LABELS_FILE), dumps(found))
