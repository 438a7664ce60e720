"""A committed prompt is opened for one auditor, who needs none of our code to check it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sdsafe.core.places import Places
from sdsafe.core.report import Evidence
from sdsafe.core.request import GenerationRequest, PromptDisclosure, Size
from sdsafe.core.states import Asset, Recorded
from sdsafe.errors import ConfigurationError
from sdsafe.opening import check, opened, unsealed
from sdsafe.provenance.manifest.envelope import Opener, Recipient, seal
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.records.repository.sqlite import SqliteRepository
from sdsafe.testing.pipeline import fake_pipeline
from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from sdsafe.core.report import ManifestSummary
    from sdsafe.records.repository.record import PrivateRecord

PROMPT = "waves at \u00e9vening"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(state=tmp_path / "state", cache=tmp_path / "cache")


def release(places: Places, mode: PromptDisclosure = PromptDisclosure.COMMIT, **parts: Any) -> Recorded:
    request = GenerationRequest(prompt=PROMPT, negative_prompt="fog", seed=7, size=Size(width=256, height=256), steps=2)
    (made,) = fake_pipeline(places, disclosure=mode, **parts).run(request)
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


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """The command line of somebody who has nothing but files."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "nowhere"))

    def sdsafe(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["sdsafe", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            run_sdsafe()
        return int(end.value.code or 0)

    return sdsafe


def written_key(folder: Path, key: X25519PrivateKey | RSAPrivateKey, password: bytes | None = None) -> Path:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    path = folder / "auditor.key"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return path


@pytest.mark.parametrize("kind", ["x25519", "rsa"])
def test_an_auditor_opens_a_sealed_prompt_with_a_key_alone(
    places: Places,
    tmp_path: Path,
    command: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    repository_root: Path,
    kind: str,
) -> None:
    private = generate_private_key(65537, 2048) if kind == "rsa" else X25519PrivateKey.generate()
    made = release(places, PromptDisclosure.ENCRYPTED, recipient=Recipient(private.public_key()))
    picture, document, key = tmp_path / "a.png", tmp_path / "opened.json", written_key(tmp_path, private)
    picture.write_bytes(made.asset.data)
    assert command("disclose", picture, "--key", key, "-o", document) == 0
    assert document.stat().st_mode & 0o077 == 0
    assert command("disclose", picture, "--check", document) == 0
    assert PROMPT in capsys.readouterr().out
    examples = repository_root / "examples"
    assert (
        subprocess.run([sys.executable, examples / "check_disclosure.py", document, picture], check=False).returncode
        == 0
    )
    if kind == "x25519":
        opening = [sys.executable, str(examples / "open_sealed_prompt.py"), str(key), str(picture)]
        shown = subprocess.run(opening, check=True, capture_output=True, text=True).stdout
        assert f"prompt: {PROMPT}" in shown
    record = opened(summary_of(made.asset), record_of(places, made))
    assert record == json.loads(document.read_text(encoding="utf-8"))


def test_the_key_of_somebody_else_opens_nothing(
    places: Places, tmp_path: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    made = release(places, PromptDisclosure.ENCRYPTED, recipient=Recipient(X25519PrivateKey.generate().public_key()))
    picture, key = tmp_path / "a.png", written_key(tmp_path, X25519PrivateKey.generate())
    picture.write_bytes(made.asset.data)
    assert command("disclose", picture, "--key", key) == 1
    assert "sealed for another key" in capsys.readouterr().err
    assert command("disclose", picture, "--key", key, "--check", key) == 2
    committed = tmp_path / "b.png"
    committed.write_bytes(release(places).asset.data)
    assert command("disclose", committed, "--key", key) == 1
    assert "not sealed for anybody" in capsys.readouterr().err


def test_the_password_of_a_key_comes_from_a_file(places: Places, tmp_path: Path, command: Callable[..., int]) -> None:
    private = X25519PrivateKey.generate()
    made = release(places, PromptDisclosure.ENCRYPTED, recipient=Recipient(private.public_key()))
    picture, key, password = tmp_path / "a.png", written_key(tmp_path, private, b"secret"), tmp_path / "password"
    picture.write_bytes(made.asset.data)
    password.write_text("secret\n", encoding="utf-8")
    assert command("disclose", picture, "--key", key, "--password-file", password) == 0
    password.write_text("wrong\n", encoding="utf-8")
    assert command("disclose", picture, "--key", key, "--password-file", password) == 1


def test_who_sealed_other_words_than_were_committed_to_is_found_out(places: Places) -> None:
    opener = Opener(X25519PrivateKey.generate())
    summary = summary_of(release(places, PromptDisclosure.ENCRYPTED, recipient=opener.recipient).asset)
    prompt = summary.generation["prompt"]
    assert isinstance(prompt, dict)
    bound = {"asset_id": str(summary.asset_id), "commitment": str(prompt["commitment"])}
    other = seal({"prompt": "something else"}, bytes(32), opener.recipient, **bound)
    forged = replace(summary, generation={**summary.generation, "prompt": {**prompt, "envelope": other}})
    with pytest.raises(ConfigurationError) as caught:
        unsealed(forged, opener)
    assert caught.value.code == "disclosure.mismatch"


def test_nothing_is_made_where_nobody_could_open_it(places: Places) -> None:
    with pytest.raises(ConfigurationError) as caught:
        release(places, PromptDisclosure.ENCRYPTED)
    assert caught.value.code == "disclosure.no-recipient"
