"""What a measurement was taken on, in one line."""

import os
import platform
from importlib.metadata import version


def machine(*packages):
    """Versions of installed packages and of Python, number of cores and their model."""
    versions = [f"{name} {version(name)}" for name in packages]
    versions.append(f"Python {platform.python_version()}")
    with open("/proc/cpuinfo") as file:
        cpu = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    return f"{', '.join(versions)}; {os.cpu_count()} cores of {cpu}"
