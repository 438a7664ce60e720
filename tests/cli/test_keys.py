"""``sdsafe keys``, as a shell sees it: exit code, standard output, standard error."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest
from cryptography import x509

from sdsafe_cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, folder in (("HOME", "."), ("SDSAFE_HOME", "state"), ("SDSAFE_CACHE", "cache")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    for name in ("SDSAFE_CONFIG", "XDG_CONFIG_HOME", "SDSAFE_KEY_PASSWORD", "SDSAFE_SIGNER"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "state" / "keys"


@pytest.fixture
def sdsafe(keys: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    def call(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["sdsafe", "keys", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        out, err = capsys.readouterr()
        return Answer(int(ended.value.code or 0), out, err)

    return call


def test_init_then_check_then_show(sdsafe: Callable[..., Answer], keys: Path) -> None:
    made = sdsafe("init")
    assert made.code == 0
    assert str(keys / "root.pem") in made.out
    assert "not encrypted" in made.err
    checked = sdsafe("check")
    assert checked.code == 0
    assert "FAIL" not in checked.out
    shown = sdsafe("show")
    assert shown.code == 0
    assert len(shown.out.splitlines()) == 3
    assert "local development (sdsafe development CA)" in shown.out


def test_init_does_not_overwrite(sdsafe: Callable[..., Answer], keys: Path) -> None:
    sdsafe("init")
    before = (keys / "leaf.key").read_bytes()
    again = sdsafe("init")
    assert again.code == 1
    assert "--force" in again.err
    assert (keys / "leaf.key").read_bytes() == before
    forced = sdsafe("init", "--force")
    assert forced.code == 0
    assert "old root" in forced.out
    assert (keys / "leaf.key").read_bytes() != before


def test_json_names_its_schema(sdsafe: Callable[..., Answer], keys: Path) -> None:
    made = json.loads(sdsafe("init", "--json", "--name", "Example").out)
    assert made["schema"] == "sdsafe.keys.init/1"
    assert made["root"] == str(keys / "root.pem")
    checked = json.loads(sdsafe("check", "--json").out)
    assert checked["schema"] == "sdsafe.keys.check/1"
    assert checked["ok"] is True
    assert {"rule", "ok", "says", "must"} == set(checked["rules"][0])
    assert checked["assurance"] == {"level": None, "product": None}
    shown = json.loads(sdsafe("show", "--json").out)
    assert shown["schema"] == "sdsafe.keys.show/1"
    leaf = x509.load_pem_x509_certificate((keys / "chain.pem").read_bytes())
    assert shown["certificates"][0]["serial"] == f"{leaf.serial_number:x}"


def test_a_folder_of_ones_own(sdsafe: Callable[..., Answer], tmp_path: Path, keys: Path) -> None:
    assert sdsafe("init", "--folder", tmp_path / "elsewhere").code == 0
    assert not keys.exists()
    assert sdsafe("check").code == 1
    assert sdsafe("check", f"file:{tmp_path / 'elsewhere'}").code == 0


def test_without_a_credential_the_next_step_is_named(sdsafe: Callable[..., Answer]) -> None:
    for verb in ("check", "show"):
        answer = sdsafe(verb)
        assert answer.code == 1
        assert "sdsafe keys init" in answer.err
        assert answer.out == ""


def test_the_password_from_the_environment(
    sdsafe: Callable[..., Answer], keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDSAFE_KEY_PASSWORD", "open sesame")
    made = sdsafe("init")
    assert "not encrypted" not in made.err
    assert b"ENCRYPTED" in (keys / "leaf.key").read_bytes()
    assert sdsafe("check").code == 0
    monkeypatch.setenv("SDSAFE_KEY_PASSWORD", "wrong")
    refused = sdsafe("check")
    assert refused.code == 1
    assert "password" in refused.err
    assert "wrong" not in refused.err
    assert sdsafe("show").code == 0  # certificates are public


def test_the_password_from_a_file(sdsafe: Callable[..., Answer], keys: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("open sesame\n")
    assert sdsafe("init", "--password-file", tmp_path / "secret").code == 0
    assert sdsafe("check", f"file:{keys}?password-file={tmp_path / 'secret'}").code == 0
    assert sdsafe("check").code == 1


def test_no_password_on_the_command_line(sdsafe: Callable[..., Answer], keys: Path) -> None:
    sdsafe("init")
    refused = sdsafe("check", f"file:{keys}?password=hunter2")
    assert refused.code == 1
    assert "hunter2" not in refused.err
    assert sdsafe("init", "--password", "hunter2").code == 2


def test_a_broken_rule_is_named(sdsafe: Callable[..., Answer], keys: Path) -> None:
    sdsafe("init")
    leaf, issuing = x509.load_pem_x509_certificates((keys / "chain.pem").read_bytes())
    from cryptography.hazmat.primitives.serialization import Encoding

    (keys / "chain.pem").write_bytes(issuing.public_bytes(Encoding.PEM) + leaf.public_bytes(Encoding.PEM))
    checked = sdsafe("check")
    assert checked.code == 1
    failed = [line for line in checked.out.splitlines() if line.startswith("FAIL")]
    assert any("order" in line for line in failed)
    assert any("key-match" in line for line in failed)


def test_a_scheme_nobody_knows(sdsafe: Callable[..., Answer]) -> None:
    answer = sdsafe("check", "cloud:mine")
    assert answer.code == 1
    assert "cloud" in answer.err


@pytest.mark.parametrize("name", ["", "a" * 41])
def test_a_name_that_does_not_fit(sdsafe: Callable[..., Answer], keys: Path, name: str) -> None:
    assert sdsafe("init", "--name", name).code == 1
    assert not keys.exists()


class TestCheck:
    """What ``keys check`` says beyond the rules of every claim signer."""

    def test_advice_is_a_note_and_fails_only_where_that_is_asked(self, sdsafe: Callable[..., Answer]) -> None:
        sdsafe("init")
        answer = sdsafe("check")
        assert answer.code == 0
        notes = [line for line in answer.out.splitlines() if line.startswith("note")]
        assert [line.split()[1] for line in notes] == ["status:"]  # a development CA answers no questions
        assert sdsafe("check", "--strict").code == 1

    def test_the_end_is_a_note_as_early_as_one_likes(self, sdsafe: Callable[..., Answer]) -> None:
        sdsafe("init")
        assert "note renewal" not in sdsafe("check", "--days", "80").out
        answer = sdsafe("check", "--days", "100")
        assert answer.code == 0
        assert "note renewal: 'local development (sdsafe development CA)' ends at" in answer.out
        assert sdsafe("check", "--days", "0").code == 2

    @pytest.mark.parametrize("level", ["al1", "al2"])
    def test_a_development_credential_reaches_no_assurance_level(
        self, sdsafe: Callable[..., Answer], level: str
    ) -> None:
        sdsafe("init")
        answer = sdsafe("check", "--level", level)
        assert answer.code == 1
        broken = {line.split()[1].rstrip(":") for line in answer.out.splitlines() if line.startswith("FAIL")}
        assert {"al-level", "al-product", "al-policy", "al-status"} <= broken
        assert sdsafe("check", "--level", "al3").code == 2
