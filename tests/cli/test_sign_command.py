"""``sdsafe sign``: a photograph of elsewhere, as a person would have it signed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe import api, plugins
from sdsafe._internal import images
from sdsafe.generation.keeping import Keeper
from sdsafe.testing.pipeline import fake_pipeline
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.settings import Settings

    Sdsafe = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sdsafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Sdsafe) -> Sdsafe:
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(images.encode(sample_picture(5), "image/jpeg"))

    def open_keeper(settings: Settings, *, unsafe: object = None) -> Any:
        assert unsafe is None
        mark = plugins.load("sdsafe.watermarkers", "lattice", settings.places)
        return fake_pipeline(settings.places, generator=Keeper(), watermarker=mark)

    monkeypatch.setattr(api, "open_keeper", open_keeper)

    return typed


def test_a_photo_is_signed_and_verifies(sdsafe: Sdsafe, tmp_path: Path) -> None:
    said = ("--source-type", "digitalCapture", "--creator", "Ada Example", "--title", "A harbour")
    code, out, err = sdsafe("sign", "photo.jpg", "-o", "signed.jpg", *said, "--json")
    assert code == 0, err
    assert json.loads(out)["schema"] == "sdsafe.sign/1"
    code, out, _ = sdsafe("verify", "signed.jpg", "--watermark", "--json")
    assert code == 0
    assert '"soft_binding": "match"' in out


def test_bytes_stay_where_no_mark_is_wanted(sdsafe: Sdsafe, tmp_path: Path) -> None:
    from sdsafe.provenance.manifest.container import without_store

    assert sdsafe("sign", "photo.jpg", "-o", "signed.jpg", "--no-watermark")[0] == 0
    assert without_store((tmp_path / "signed.jpg").read_bytes()) == (tmp_path / "photo.jpg").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--source-type", "photo"), "no source type 'photo'"),
        (("--title", ""), "texts of one line"),
        (("-o", "x.gif"), "the ending has to be one of"),
    ],
)
def test_what_cannot_be_said_or_written_is_refused(sdsafe: Sdsafe, arguments: tuple[str, ...], says: str) -> None:
    code, _, err = sdsafe("sign", "photo.jpg", "-o", "signed.jpg", *arguments)
    assert code == 2
    assert says in err
