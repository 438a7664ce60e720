"""What ``sdsafe doctor`` says of the credential, with the options that settings give a signer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sdsafe.core.places import Places
from sdsafe.diagnosis import Examined, diagnose
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.delenv("SDSAFE_KEY_PASSWORD", raising=False)
    return Places(state=tmp_path / "state", cache=tmp_path / "cache")


def _said(settings: Settings) -> Examined:
    return next(each for each in diagnose(settings) if each.name == "signing credential")


def test_options_of_the_signer_count(places: Places, tmp_path: Path) -> None:
    init_development(places.keys, name="Example", password=b"open sesame", force=False)
    (tmp_path / "secret").write_text("open sesame\n")
    assert not _said(Settings(places=places)).ok
    found = _said(Settings(places=places, options={"file": {"password-file": str(tmp_path / "secret")}}))
    assert found.ok, found
    assert found.detail == "es256, chain of 2"


def test_a_missing_credential_names_the_next_step(places: Places) -> None:
    found = _said(Settings(places=places))
    assert not found.ok
    assert "sdsafe keys init" in found.hint
