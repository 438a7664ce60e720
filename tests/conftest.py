"""Fixtures that every part of the suite may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sdsafe._internal.locations import default_places

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository_root() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Third-party test data; tests that use it skip where it is absent."""
    folder = Path(os.environ.get("SDSAFE_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("third-party test data is not here (set SDSAFE_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def model_cache() -> Path:
    """The cache that `make weights` fills; tests marked `weights` skip where it is empty."""
    return default_places(os.environ).cache


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("weights") is None:
        return
    if not (default_places(os.environ).models / "open-nsfw" / "open-nsfw.onnx").is_file():
        pytest.skip("classifier weights are not pulled: make weights")
