"""Opening a pipeline: packs that must be signed are, and what is required is known to the spine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.api import open_pipeline
from sdsafe.errors import ConfigurationError
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

PACK = """
format: sdsafe.policy/1
id: house
version: 1.0.0
title: House
description: Of the house.
rules:
  - {id: note, stage: prompt, when: "true", effect: annotate, because: the house notes everything}
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    folder = tmp_path / "house"
    folder.mkdir()
    (folder / "policy.yaml").write_text(PACK, encoding="utf-8")
    return folder


def _settings(tmp_path: Path, **given: Any) -> Settings:
    env = {"HOME": str(tmp_path), "SDSAFE_HOME": str(tmp_path / "state")}
    settings = Settings.load(env, site=tmp_path / "none.toml", **given)
    if not (settings.places.keys / "chain.pem").exists():
        init_development(settings.places.keys, name="test", password=None, force=False)
    return settings


def test_an_unsigned_pack_judges_only_where_nobody_demands_signatures(tmp_path: Path, house: Path) -> None:
    packs = ("baseline", str(house))
    assert open_pipeline(_settings(tmp_path, policies=packs))
    with pytest.raises(ConfigurationError) as caught:
        open_pipeline(_settings(tmp_path, policies=packs, require_signed_packs=True))
    assert caught.value.code == "policy.no-keys"


def test_a_signed_pack_judges_until_it_is_changed(tmp_path: Path, house: Path) -> None:
    from sdsafe.gates.policy.signing import make_key, read_private_key, sign_pack

    private, public, _ = make_key()
    (tmp_path / "house.key").write_bytes(private)
    (tmp_path / "house.pub").write_bytes(public)
    sign_pack(house, read_private_key(tmp_path / "house.key", lambda: None))
    demanded = {
        "policies": ("baseline", str(house)),
        "require_signed_packs": True,
        "trusted_pack_keys": (tmp_path / "house.pub",),
    }
    assert open_pipeline(_settings(tmp_path, **demanded))
    (house / "policy.yaml").write_text(PACK.replace("annotate", "allow"), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        open_pipeline(_settings(tmp_path, **demanded))
    assert caught.value.code == "policy.changed"


def test_a_marketplace_without_a_pack_opens_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no policy pack 'nowhere'"):
        open_pipeline(_settings(tmp_path, intended_use="marketplace:nowhere"))
