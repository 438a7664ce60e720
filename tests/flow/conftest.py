"""One real pipeline for the whole flow: embedded tiny model, real classifier, mark, signer and records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sdsafe.api import open_pipeline
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, ModelRef, Size
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.pipeline import Pipeline

REQUEST = GenerationRequest(
    prompt="a red house on green hills",
    model=ModelRef(repo="builtin:tiny"),
    seed=7,
    size=Size(width=256, height=256),
    steps=2,
)


@pytest.fixture(scope="session")
def request_() -> GenerationRequest:
    return REQUEST


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Settings:
    places = Places(state=tmp_path_factory.mktemp("state"), cache=model_cache)
    init_development(places.keys, name="flow test", password=None, force=False)
    empty = {"HOME": str(tmp_path_factory.mktemp("home"))}
    return replace(Settings.load(empty, site=places.state / "none.toml"), places=places, device="cpu")


@pytest.fixture(scope="session")
def root(settings: Settings) -> Path:
    return settings.places.keys / "root.pem"


@pytest.fixture(scope="session")
def pipeline(settings: Settings) -> Pipeline:
    return open_pipeline(settings)
