"""crJSON: C2PA's own form of a report, with our results in it, as the conformance program's tools read it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from sdsafe.provenance.manifest.conformance import conformance
from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, dict[str, Any]]]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "nowhere"))

    def run(*arguments: object) -> tuple[int, dict[str, Any]]:
        monkeypatch.setattr(sys, "argv", ["sdsafe", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            run_sdsafe()
        written = capsys.readouterr().out
        return int(end.value.code or 0), json.loads(written) if written else {}

    return run


def codes(document: dict[str, Any], severity: str) -> set[str]:
    return {each["code"] for each in document["manifests"][0]["validationResults"][severity]}


def test_the_signer_is_judged_by_our_lists(shown: Any, signed_png: Path, signed_root: Path) -> None:
    code, document = shown("verify", signed_png, "--trust", signed_root, "--crjson")
    assert code == 0
    assert codes(document, "failure") == set()
    assert {"signingCredential.trusted", "claimSignature.validated", "assertion.dataHash.match"} <= codes(
        document, "success"
    )
    assert document["jsonGenerator"]["name"] == "sdsafe"
    ours = document["org.sdsafe.report"]
    assert (ours["schema"], ours["verdict"]) == ("sdsafe.report/1", "trusted")


def test_nobody_is_trusted_without_a_list_and_nobody_refused(shown: Any, signed_png: Path) -> None:
    code, document = shown("inspect", signed_png, "--crjson")
    assert code == 0
    assert codes(document, "failure") == set()
    assert "signingCredential.trusted" not in codes(document, "success")
    assert "signingCredential.untrusted" in codes(document, "informational")


def test_the_time_of_validation_is_the_one_that_was_asked_for(shown: Any, signed_png: Path, signed_root: Path) -> None:
    asked = ("--trust", signed_root, "--at", "2040-01-01", "--crjson")
    code, document = shown("verify", signed_png, *asked)
    assert code == 4
    assert codes(document, "failure") == {"signingCredential.expired"}
    assert document["manifests"][0]["validationResults"]["validationTime"] == "2040-01-01T00:00:00Z"


def test_what_the_library_lets_pass_is_a_failure(shown: Any, signed_png: Path, tmp_path: Path) -> None:
    data = signed_png.read_bytes()
    at = data.index(b"caBX")
    end = at + 4 + int.from_bytes(data[at - 4 : at])
    (tmp_path / "crc.png").write_bytes(data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :])
    code, document = shown("verify", tmp_path / "crc.png", "--crjson")
    assert code == 4
    assert codes(document, "failure")


def test_the_rubric_reads_it(shown: Any, signed_png: Path) -> None:
    _, document = shown("inspect", signed_png, "--crjson")
    assert all(each.passed for each in conformance(document["manifests"][0]))


def test_a_file_without_a_manifest_has_none(shown: Any, signed_png: Path, tmp_path: Path) -> None:
    Image.open(signed_png).save(tmp_path / "plain.png")
    code, document = shown("verify", tmp_path / "plain.png", "--crjson")
    assert code == 5
    assert document["manifests"] == []
    assert document["org.sdsafe.report"]["verdict"] == "unknown"
    (tmp_path / "cut.png").write_bytes(signed_png.read_bytes()[:1500])
    code, document = shown("verify", tmp_path / "cut.png", "--crjson")
    assert (code, document["manifests"]) == (4, [])


def test_many_files_have_lines_instead(shown: Any, signed_png: Path) -> None:
    assert shown("verify", signed_png, signed_png, "--crjson")[0] == 2
