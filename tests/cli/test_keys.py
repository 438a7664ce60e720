"""``sdsafe keys``, as a shell sees it: exit code, standard output, standard error."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from sdsafe._internal.clock import now
from sdsafe._internal.prompting import set_prompt
from sdsafe.core.places import Places
from sdsafe.errors import SigningError
from sdsafe.provenance.signing.local import FileSigner
from sdsafe_cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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


def _answered(request: x509.CertificateSigningRequest) -> bytes:
    """What an authority answers: the leaf as the request asks, and its own certificate; PEM, leaf first."""
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority")])
    ski = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    own = (
        _dated(name, x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a root")]), key.public_key(), 900)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(ski, critical=False)
        .sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384())
    )
    leaf = _dated(request.subject, name, request.public_key(), 90)
    for each in request.extensions:
        leaf = leaf.add_extension(each.value, critical=each.critical)
    aki = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski)
    issued = leaf.add_extension(aki, critical=False).sign(key, hashes.SHA384())
    return issued.public_bytes(Encoding.PEM) + own.public_bytes(Encoding.PEM)


def _dated(subject: x509.Name, issuer: x509.Name, public: Any, days: int) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    begins = now() - timedelta(hours=1)
    return builder.serial_number(5).not_valid_before(begins).not_valid_after(begins + timedelta(days=days))


class TestRequest:
    """``keys csr``, from no key at all to one that an authority vouches for."""

    def test_from_nothing_to_a_credential_that_signs(
        self, sdsafe: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SDSAFE_KEY_PASSWORD", "open sesame")
        folder, request = tmp_path / "prod", tmp_path / "request.pem"
        uri = f"file:{folder}"
        made = sdsafe("csr", uri, "--make-key", "es384", "--organisation", "Example", "--country", "DE", "-o", request)
        assert made.code == 0, made.err
        assert "not encrypted" not in made.err
        assert [each.name for each in folder.iterdir()] == ["leaf.key"]
        assert "PRIVATE" not in request.read_text()
        (folder / "chain.pem").write_bytes(_answered(x509.load_pem_x509_csr(request.read_bytes())))
        checked = sdsafe("check", uri)
        assert checked.code == 0, checked.out
        signer = FileSigner.configure(Places(state=tmp_path, cache=tmp_path), {"path": str(folder)})
        assert signer.alg == "es384"
        assert "Example" in sdsafe("show", uri).out

    def test_a_key_that_is_there_asks_again(self, sdsafe: Callable[..., Answer], keys: Path) -> None:
        """To renew: the same key, or with --make-key in another folder a new one."""
        sdsafe("init")
        asked = sdsafe("csr", "--organisation", "Example", "--common-name", "Maker")
        assert asked.code == 0
        request = x509.load_pem_x509_csr(asked.out.encode())
        assert request.subject.rfc4514_string() == "CN=Maker,O=Example"
        leaf = x509.load_pem_x509_certificate((keys / "chain.pem").read_bytes())
        assert request.public_key() == leaf.public_key()
        assert "--country" in asked.err

    def test_json_names_its_schema(self, sdsafe: Callable[..., Answer]) -> None:
        sdsafe("init")
        told = json.loads(sdsafe("csr", "--organisation", "Example", "--json").out)
        assert told["schema"] == "sdsafe.keys.csr/1"
        assert x509.load_pem_x509_csr(told["request"].encode()).is_signature_valid
        assert len(told["public_key_sha256"]) == 64

    def test_nothing_is_overwritten(self, sdsafe: Callable[..., Answer], keys: Path, tmp_path: Path) -> None:
        sdsafe("init")
        before = (keys / "leaf.key").read_bytes()
        refused = sdsafe("csr", "--organisation", "Example", "--make-key", "es256")
        assert refused.code == 1
        assert "there is a key already" in refused.err
        (tmp_path / "request.pem").write_text("mine")
        assert sdsafe("csr", "--organisation", "Example", "-o", tmp_path / "request.pem").code == 2
        assert (tmp_path / "request.pem").read_text() == "mine"
        assert sdsafe("csr", "--organisation", "Example", "-o", tmp_path / "request.pem", "--force").code == 0
        assert (tmp_path / "request.pem").read_text().startswith("-----BEGIN CERTIFICATE REQUEST")
        assert (keys / "leaf.key").read_bytes() == before

    def test_what_does_not_fit_is_said_before_a_key_is_made(
        self, sdsafe: Callable[..., Answer], tmp_path: Path
    ) -> None:
        refused = sdsafe(
            "csr", f"file:{tmp_path / 'x'}", "--make-key", "es256", "--organisation", "Example", "--country", "Germany"
        )
        assert refused.code == 1
        assert "two letters" in refused.err
        assert not (tmp_path / "x").exists()

    def test_without_a_key_the_next_step_is_named(self, sdsafe: Callable[..., Answer]) -> None:
        refused = sdsafe("csr", "--organisation", "Example")
        assert refused.code == 1
        assert "does not exist" in refused.err
        assert sdsafe("csr", "vault:k", "--organisation", "Example", "--make-key", "es256").code == 2
        assert sdsafe("csr").code == 2


class TestPrompt:
    """A person at a terminal is asked, last of all; nobody else ever is."""

    @pytest.fixture(autouse=True)
    def _nobody_afterwards(self) -> Iterator[None]:
        yield
        set_prompt(None)

    @pytest.fixture
    def locked(self, sdsafe: Callable[..., Answer], keys: Path, tmp_path: Path) -> Path:
        (tmp_path / "secret").write_text("open sesame")
        sdsafe("init", "--password-file", tmp_path / "secret")
        return keys

    def test_whoever_sits_there_opens_the_key(self, locked: Path, tmp_path: Path) -> None:
        asked: list[str] = []

        def answer(question: str) -> str:
            asked.append(question)
            return "open sesame"

        set_prompt(answer)
        places = Places(state=locked.parent, cache=tmp_path)
        assert FileSigner.configure(places, {}).alg == "es256"
        assert asked == ["Password of leaf.key"]

    def test_the_environment_goes_before(self, locked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SDSAFE_KEY_PASSWORD", "open sesame")
        set_prompt(lambda _: pytest.fail("asked"))
        assert FileSigner.configure(Places(state=locked.parent, cache=tmp_path), {}).alg == "es256"

    def test_no_answer_is_no_password(self, locked: Path, tmp_path: Path) -> None:
        set_prompt(lambda _: "")
        with pytest.raises(SigningError, match="no password was given"):
            FileSigner.configure(Places(state=locked.parent, cache=tmp_path), {})

    def test_a_terminal_is_one_on_both_sides(
        self, locked: Path, sdsafe: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The command line asks where a person sees the question and can answer it."""
        assert (locked / "leaf.key").is_file()
        monkeypatch.setattr("click.prompt", lambda *_, **__: "open sesame")
        assert sdsafe("check").code == 1
        for stream in ("stdin", "stderr"):
            monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
        assert sdsafe("check").code == 0
