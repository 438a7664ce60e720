"""A committed prompt is opened for one auditor, who needs none of our code to check it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sdsafe.core.places import Places
from sdsafe.core.report import Evidence
from sdsafe.core.request import GenerationRequest, PromptDisclosure, Size
from sdsafe.core.states import Asset, Recorded
from sdsafe.errors import ConfigurationError
from sdsafe.opening import check, opened
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.records.repository.sqlite import SqliteRepository
from sdsafe.testing.pipeline import fake_pipeline
from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.core.report import ManifestSummary
    from sdsafe.records.repository.record import PrivateRecord

PROMPT = "waves at \u00e9vening"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(state=tmp_path / "state", cache=tmp_path / "cache")


def release(places: Places, mode: PromptDisclosure = PromptDisclosure.COMMIT) -> Recorded:
    request = GenerationRequest(prompt=PROMPT, negative_prompt="fog", seed=7, size=Size(width=256, height=256), steps=2)
    (made,) = fake_pipeline(places, disclosure=mode).run(request)
    assert isinstance(made, Recorded)
    return made


def summary_of(asset: Asset) -> ManifestSummary:
    summary = ManifestProbe().examine(asset, Evidence()).summary
    assert summary is not None
    return summary


def record_of(places: Places, made: Recorded) -> PrivateRecord:
    repository = SqliteRepository.open_existing(places)
    assert repository is not None
    return repository.opening(made.asset_id)


def test_what_is_opened_checks_and_shows_every_text(places: Places) -> None:
    made = release(places)
    document = json.dumps(opened(summary_of(made.asset), record_of(places, made))).encode()
    assert check(document, summary_of(made.asset)) == {"prompt": PROMPT, "negative_prompt": "fog"}
    assert PROMPT.encode() not in made.asset.data


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"texts": {"prompt": "waves"}}, "disclosure.mismatch"),
        ({"salt": "00" * 32}, "disclosure.mismatch"),
        ({"salt": "00"}, "disclosure.format"),
        ({"salt": "x"}, "disclosure.format"),
        ({"texts": ["waves"]}, "disclosure.format"),
        ({"schema": "other/1"}, "disclosure.format"),
    ],
    ids=["texts", "salt", "short", "hex", "list", "schema"],
)
def test_another_document_opens_nothing(places: Places, change: dict[str, object], code: str) -> None:
    made = release(places)
    document = opened(summary_of(made.asset), record_of(places, made)) | change
    with pytest.raises(ConfigurationError) as caught:
        check(json.dumps(document).encode(), summary_of(made.asset))
    assert caught.value.code == code


def test_a_document_opens_no_other_file(places: Places) -> None:
    first, second = release(places), release(places)
    document = json.dumps(opened(summary_of(first.asset), record_of(places, first))).encode()
    with pytest.raises(ConfigurationError) as caught:
        check(document, summary_of(second.asset))
    assert caught.value.code == "disclosure.mismatch"
    with pytest.raises(ConfigurationError):
        opened(summary_of(second.asset), replace(record_of(places, second), salt=bytes(32)))


@pytest.mark.parametrize("mode", [PromptDisclosure.FULL, PromptDisclosure.OMIT])
def test_what_commits_to_nothing_cannot_be_opened(places: Places, mode: PromptDisclosure) -> None:
    made = release(places, mode)
    with pytest.raises(ConfigurationError) as caught:
        opened(summary_of(made.asset), record_of(places, made))
    assert caught.value.code == "disclosure.none"


def test_the_command_and_twenty_lines_of_somebody_else_agree(
    places: Places,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    repository_root: Path,
) -> None:
    made = release(places)
    picture, document = tmp_path / "a.png", tmp_path / "opened.json"
    picture.write_bytes(made.asset.data)
    monkeypatch.setenv("SDSAFE_HOME", str(places.state))
    monkeypatch.setenv("HOME", str(tmp_path))

    def sdsafe(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["sdsafe", *arguments])
        with pytest.raises(SystemExit) as end:
            run_sdsafe()
        return int(end.value.code or 0)

    assert sdsafe("disclose", str(picture), "-o", str(document)) == 0
    assert document.stat().st_mode & 0o077 == 0
    assert sdsafe("disclose", str(picture), "--check", str(document)) == 0
    assert PROMPT in capsys.readouterr().out
    script = repository_root / "examples" / "check_disclosure.py"
    assert subprocess.run([sys.executable, script, document, picture], check=False).returncode == 0
    document.write_text(document.read_text(encoding="utf-8").replace("waves", "tides"), encoding="utf-8")
    assert sdsafe("disclose", str(picture), "--check", str(document)) == 4
    assert subprocess.run([sys.executable, script, document, picture], check=False).returncode == 1
