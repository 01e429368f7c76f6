"""What is noted of the machine and the hour that something was made with."""

import datetime
import importlib.metadata
import platform

import tf_scl

_PACKAGES = (
    *("tensorflow", "keras", "numpy", "scipy", "pillow"),
    *("scikit-learn", "apache-beam", "tfx"),
)


def installed_versions() -> dict[str, str]:
    """Returns the versions of Python, tf_scl and the packages it stands on that are installed."""
    versions = {"python": platform.python_version(), "tf_scl": tf_scl.__version__}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def now() -> str:
    """Returns the time as ISO 8601 in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
