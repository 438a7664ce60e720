"""Versions of installed packages, looked up once: reading a package's metadata takes milliseconds."""

from __future__ import annotations

from functools import cache
from importlib import metadata

__all__ = ["version"]


@cache
def version(package: str) -> str:
    """Return the version of an installed package.

    Raises:
        importlib.metadata.PackageNotFoundError: It is not installed.
    """
    return metadata.version(package)
