"""Fixtures that every part of the suite may ask for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sdsafe._internal.locations import default_places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.settings import Settings
    from sdsafe.testing.authority import Authority

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


@pytest.fixture(scope="session")
def signed_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """State folder that one released picture (`signed_png`) was recorded in."""
    from sdsafe.testing.pipeline import signed_png as release

    state = tmp_path_factory.mktemp("signed")
    (state / "signed.png").write_bytes(release(state))
    return state


@pytest.fixture(scope="session")
def signed_png(signed_state: Path) -> Path:
    """A released picture, made without a diffusion model: everything after generation is real."""
    return signed_state / "signed.png"


@pytest.fixture(scope="session")
def signed_root(signed_state: Path) -> Path:
    """The root certificate that `signed_png` is trusted by."""
    return signed_state / "keys" / "root.pem"


@pytest.fixture
def auditor(tmp_path: Path) -> Settings:
    """Settings of somebody who has neither our state nor our configuration."""
    from sdsafe.settings import Settings

    env = {"HOME": str(tmp_path), "SDSAFE_HOME": str(tmp_path / "none")}
    return Settings.load(env, site=tmp_path / "none.toml")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("weights") is None:
        return
    if not (default_places(os.environ).models / "open-nsfw" / "open-nsfw.onnx").is_file():
        pytest.skip("classifier weights are not pulled: make weights")


@pytest.fixture(scope="session")
def _served_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: make system-packages")
    from sdsafe.testing.authority import serving

    with serving(tmp_path_factory.mktemp("time")) as authority:
        yield authority


@pytest.fixture
def time_authority(_served_authority: Authority) -> Authority:
    """A time-stamp authority on loopback that grants; a test may set its ``behaviour``."""
    _served_authority.behaviour = "grants"
    _served_authority.queries.clear()
    return _served_authority
