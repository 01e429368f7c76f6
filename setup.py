"""Metadata is in pyproject.toml; this file is here for Beam's --setup_file."""

from setuptools import setup

setup()
