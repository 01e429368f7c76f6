"""TFX components of tf_scl: interfaces and thin executors; the work is in the library."""

from typing import Any

_ARTIFACTS = ("ClassifierBlessing", "ClassifierModel", "ImageLabels", "IngestionReport")


def __getattr__(name: str) -> Any:
    """Artifact types of ours, which Kubeflow's entry point looks up by their type name.

    Loaded when asked for: what checks a run before it begins loads nothing heavy.
    """
    if name in _ARTIFACTS:
        from components import artifacts

        return getattr(artifacts, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
