"""``sdsafe policy keygen``, ``sign`` and ``verify`` through the shell's eyes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from sdsafe_cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., tuple[int, str, str]]

PACK = """\
format: sdsafe.policy/1
id: house
version: 1.0.0
title: House rules
description: Only words; rules come from elsewhere.
terms:
  - {category: rain, terms: [umbrella]}
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "house"
    folder.mkdir()
    (folder / "policy.yaml").write_text(PACK, encoding="utf-8")
    return folder


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SDSAFE_CONFIG", raising=False)
    monkeypatch.delenv("SDSAFE_KEY_PASSWORD", raising=False)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sdsafe", "policy", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            run()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return call


def test_from_keys_to_a_verified_pack(policy: Command, pack: Path, tmp_path: Path) -> None:
    code, out, err = policy("keygen", "office")
    keys = tmp_path / "state" / "keys"
    assert code == 0
    assert "not encrypted" in err
    assert (keys / "office.key").stat().st_mode & 0o077 == 0
    key_id = out.split()[2]
    code, out, _ = policy("sign", pack, "--key", keys / "office.key", "--json")
    document = json.loads(out)
    assert (code, document["schema"], document["key"]) == (0, "sdsafe.policy-signed/1", key_id)
    code, out, _ = policy("verify", pack, "--key", keys / "office.pub")
    assert code == 0
    assert f"is signed by {key_id}" in out


def test_a_changed_pack_is_a_fault_that_says_what_next(policy: Command, pack: Path, tmp_path: Path) -> None:
    policy("keygen")
    keys = tmp_path / "state" / "keys"
    policy("sign", pack, "--key", keys / "policy.key")
    (pack / "policy.yaml").write_text(PACK.replace("umbrella", "parasol"), encoding="utf-8")
    code, out, err = policy("verify", pack, "--key", keys / "policy.pub")
    assert (code, out) == (1, "")
    assert "changed since" in err
    assert "policy diff" in err
    assert "Traceback" not in err


def test_keys_are_not_overwritten_by_accident(policy: Command, tmp_path: Path) -> None:
    assert policy("keygen", "--folder", tmp_path)[0] == 0
    before = (tmp_path / "policy.key").read_bytes()
    code, _, err = policy("keygen", "--folder", tmp_path)
    assert code == 1
    assert "exists already" in err
    assert (tmp_path / "policy.key").read_bytes() == before
    assert policy("keygen", "--folder", tmp_path, "--force")[0] == 0
    assert (tmp_path / "policy.key").read_bytes() != before


def test_an_encrypted_key_asks_for_its_password(
    policy: Command, pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("correct\n", encoding="utf-8")
    (tmp_path / "wrong").write_text("wrong\n", encoding="utf-8")
    code, _, err = policy("keygen", "--folder", tmp_path, "--password-file", tmp_path / "password")
    assert (code, err) == (0, "")
    assert policy("sign", pack, "--key", tmp_path / "policy.key", "--password-file", tmp_path / "password")[0] == 0
    code, _, err = policy("sign", pack, "--key", tmp_path / "policy.key", "--password-file", tmp_path / "wrong")
    assert code == 1
    assert "password" in err
    monkeypatch.setenv("SDSAFE_KEY_PASSWORD", "correct")
    assert policy("sign", pack, "--key", tmp_path / "policy.key")[0] == 0


def test_the_schema_is_one_json_document(policy: Command) -> None:
    for of in ("pack", "cases"):
        code, out, _ = policy("schema", "--of", of)
        assert code == 0
        assert json.loads(out)["$schema"].endswith("2020-12/schema")
