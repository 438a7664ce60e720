"""A prompt that is not disclosed is nowhere: not in files, ledger, records, logs, errors or temporary folders.

Everything is searched as it is and after undoing base64, hexadecimal and zlib, wherever these begin.
"""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import re
import sys
import tempfile
import traceback
import zlib
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from PIL import Image, PngImagePlugin

from sdsafe.api import open_validator, save_to
from sdsafe.core.canonical import canonical_json
from sdsafe.core.decisions import Decision, Effect, FiredRule, PolicyRef
from sdsafe.core.findings import Finding, Severity, Span
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, ModelRef, PromptDisclosure, Size
from sdsafe.core.states import Recorded, Refused
from sdsafe.errors import (
    AssetError,
    GenerationError,
    LedgerError,
    RepositoryError,
    RequestError,
    SdsafeError,
    SigningError,
    WatermarkError,
)
from sdsafe.generation._diffusers import DiffusersGenerator
from sdsafe.pipeline import Parts, Pipeline
from sdsafe.provenance.manifest.envelope import Recipient
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.records.repository.sqlite import SqliteRepository
from sdsafe.records.sealing import vault
from sdsafe.settings import Settings
from sdsafe.testing.fakes import LsbWatermarker
from sdsafe.testing.pipeline import fake_parts
from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from sdsafe.core.context import JudgementContext
    from sdsafe.core.findings import CheckResult, Stage
    from sdsafe.core.states import Generated

WORDS = ("quincunx", "zugzwang", "velleity", "syzygy")
PROMPT = f"a {WORDS[0]} of lamps and a {WORDS[1]}"
NEGATIVE = f"{WORDS[2]}, {WORDS[3]}"
CANARY = "sdsafe-canary-refuse-me"
REQUEST = GenerationRequest(prompt=PROMPT, negative_prompt=NEGATIVE, seed=7, size=Size(width=256, height=256), steps=1)
HIDDEN = [PromptDisclosure.ENCRYPTED, PromptDisclosure.COMMIT, PromptDisclosure.OMIT]
AUDITOR = Recipient(X25519PrivateKey.from_private_bytes(bytes(range(32))).public_key())

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}){8,}")
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")


def layers(data: bytes, depth: int = 2) -> Iterator[bytes]:
    """Yield the bytes, and whatever they hold under base64, hexadecimal or zlib, ``depth`` times over."""
    yield data
    if not depth:
        return
    inner: list[bytes] = []
    for found in _BASE64.finditer(data):
        run = found[0].translate(bytes.maketrans(b"-_", b"+/"))
        for start in range(4):  # where in the run it begins is not known
            piece = run[start:]
            inner.append(base64.b64decode(piece[: len(piece) // 4 * 4]))
    inner += [bytes.fromhex(found[0].decode()) for found in _HEX.finditer(data)]
    for found in _ZLIB.finditer(data):
        with suppress(zlib.error):
            inner.append(zlib.decompressobj().decompress(data[found.start() :], 1 << 20))
    for each in inner:
        yield from layers(each, depth - 1)


def assert_silent(data: bytes, where: str, words: Sequence[str] = WORDS, also: Iterable[bytes] = ()) -> None:
    sought = [word.encode(encoding) for word in words for encoding in ("utf-8", "utf-16-le")] + list(also)
    joined = b"\n".join(layer.lower() for layer in layers(data))
    for each in sought:
        assert each.lower() not in joined, f"{each!r} is in {where}"


def assert_folder_is_silent(folder: Path, words: Sequence[str] = WORDS, also: Iterable[bytes] = ()) -> int:
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in folder.rglob("*"):
        assert not any(word in path.name for word in words)
    for path in files:
        assert_silent(path.read_bytes(), str(path.relative_to(folder)), words, also)
    return len(files)


def digests(*texts: str) -> list[bytes]:
    """Return unsalted digests of texts: with a short prompt, they are the prompt."""
    bodies = [text.encode() for text in texts]
    bodies += [canonical_json({"prompt": PROMPT, "negative_prompt": NEGATIVE}), canonical_json(PROMPT)]
    raw = [hashlib.new(name, body).digest() for body in bodies for name in ("sha256", "sha1", "md5")]
    return raw + [each.hex().encode() for each in raw]


class TestTheSearch:
    """It would be easy to find nothing with a search that cannot see."""

    @pytest.mark.parametrize(
        "wrap",
        [
            bytes,
            lambda data: b"x" * 7 + base64.b64encode(data) + b"\n",
            lambda data: base64.urlsafe_b64encode(b"12" + data),
            lambda data: b"\0" + zlib.compress(data),
            lambda data: b'{"a": "' + base64.b64encode(zlib.compress(data, 9)) + b'"}',
            lambda data: data.hex().encode(),
            lambda data: data.upper(),
            lambda data: data.decode().encode("utf-16-le"),
        ],
    )
    def test_it_finds_a_word_under(self, wrap: Callable[[bytes], bytes]) -> None:
        with pytest.raises(AssertionError, match="is in here"):
            assert_silent(wrap(f"some {WORDS[0]} text".encode()), "here")

    def test_it_finds_a_word_in_a_compressed_chunk(self) -> None:
        info = PngImagePlugin.PngInfo()
        info.add_itxt("Description", PROMPT, zip=True)
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
        assert WORDS[0].encode() not in buffer.getvalue()
        with pytest.raises(AssertionError, match="quincunx"):
            assert_silent(buffer.getvalue(), "a file")


class Talkative:
    """A check of both stages that repeats the prompt in every finding, as an explanation may."""

    name = "talkative"
    version = "1"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def check(self, subject: GenerationRequest | Generated, /) -> tuple[Finding, ...]:
        del subject
        return (
            Finding(
                code="test.talk",
                severity=Severity.INFORMATIONAL,
                stage=self._stage,
                source=self.name,
                source_version="1",
                category="test",
                score=0.5,
                span=Span(field="prompt", start=2, end=10),
                explanation=f"the listed term {WORDS[0]} in {PROMPT}",
                data={"term": WORDS[0], "text": NEGATIVE},
            ),
        )


class Quoting:
    """A policy that lets everything pass and says why with words of the prompt."""

    refs = (PolicyRef(id="quoting", version="1", digest="ab" * 32),)

    def judge(self, stage: Stage, context: JudgementContext, _results: Sequence[CheckResult], /) -> Decision:
        because = f"{context.request.prompt} at {stage.value}"
        rule = FiredRule(rule="quote", policy="quoting", effect=Effect.ANNOTATE, because=because)
        return Decision(
            effect=Effect.ANNOTATE, policy=self.refs, fired=(rule,), errors=(because,), undecided=(because,)
        )

    preview = judge


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A state folder, and everything that a process might write to beside it."""
    for name, folder in (("TMPDIR", "tmp"), ("HOME", "home"), ("XDG_CACHE_HOME", "home/.cache")):
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    return Places(state=tmp_path / "state", cache=tmp_path / "cache")


@pytest.fixture
def parts(places: Places) -> Parts:
    from sdsafe.core.findings import Stage

    return fake_parts(
        places,
        watermarker=LsbWatermarker(),
        prompt_checks=(Talkative(Stage.PROMPT),),
        output_checks=(Talkative(Stage.OUTPUT),),
        policy=Quoting(),
    )


def _released(parts: Parts, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Recorded:
    caplog.set_level(logging.DEBUG)
    (outcome,) = Pipeline(parts).run(REQUEST, deliver=save_to(tmp_path / "out" / "a.png"))
    assert isinstance(outcome, Recorded)
    return outcome


@pytest.mark.parametrize("mode", HIDDEN)
def test_a_hidden_prompt_is_nowhere(
    parts: Parts, tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: PromptDisclosure
) -> None:
    outcome = _released(replace(parts, disclosure=mode, recipient=AUDITOR), tmp_path, caplog)
    salt = outcome.generated.admitted.opening.salt
    secrets = [*digests(PROMPT, NEGATIVE, *WORDS), salt, salt.hex().encode()]
    assert assert_folder_is_silent(tmp_path, also=secrets) > 8  # file, ledger, repository, keys, ...
    assert_silent(outcome.signed.manifest_store, "the manifest store", also=secrets)
    assert_silent(outcome.receipt.body, "the ledger entry", also=secrets)
    assert_silent(caplog.text.encode(), "the log")
    assert_silent(repr(outcome.receipt).encode(), "the receipt")


def test_a_disclosed_prompt_is_in_the_file_and_in_nothing_else(
    parts: Parts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = _released(parts, tmp_path, caplog)
    with pytest.raises(AssertionError):
        assert_silent(outcome.asset.data, "the file")
    (tmp_path / "out" / "a.png").unlink()
    assert_folder_is_silent(tmp_path)
    assert_silent(outcome.receipt.body, "the ledger entry", also=digests(PROMPT, NEGATIVE))
    assert_silent(caplog.text.encode(), "the log")


@pytest.mark.parametrize("mode", PromptDisclosure)
def test_a_refused_prompt_leaves_no_trace(
    places: Places, tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: PromptDisclosure
) -> None:
    caplog.set_level(logging.DEBUG)
    parts = fake_parts(places, watermarker=LsbWatermarker(), disclosure=mode, recipient=AUDITOR)
    Pipeline(parts).run(replace(REQUEST, prompt="waves", negative_prompt=None))  # so that there are records
    before = sorted(path.name for path in places.state.rglob("*"))
    (outcome,) = Pipeline(parts).run(replace(REQUEST, prompt=f"{PROMPT} {CANARY}"))
    assert isinstance(outcome, Refused)
    assert sorted(path.name for path in places.state.rglob("*")) == before
    assert_folder_is_silent(tmp_path, (*WORDS, CANARY), digests(PROMPT, f"{PROMPT} {CANARY}"))
    assert_silent(caplog.text.encode(), "the log", (*WORDS, CANARY))
    for word in WORDS:  # the caller is told which rule, and where: not the whole text again
        assert word not in outcome.message


class _Failing:
    """A part that raises a foreign or typed error in one of its methods."""

    def __init__(self, part: Any, method: str, error: Exception) -> None:
        self._part, self._method, self._error = part, method, error

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            return self._fail
        return getattr(self._part, name)

    def _fail(self, *_: object, **__: object) -> NoReturn:
        raise self._error


FAILURES: dict[str, tuple[str, str, SdsafeError]] = {
    "generator": ("generator", "generate", GenerationError("no picture")),
    "watermark": ("watermarker", "embed", WatermarkError("no mark")),
    "readback": ("watermarker", "detect", WatermarkError("no reading")),
    "signer": ("signer", "sign", SigningError("no signature")),
    "repository": ("repository", "put", RepositoryError("no record")),
    "ledger": ("ledger", "append", LedgerError("no entry")),
    "delivered": ("repository", "mark_delivered", RepositoryError("no note")),
}


@pytest.mark.parametrize("what", FAILURES)
def test_errors_of_any_stage_hold_no_prompt(
    parts: Parts, tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    slot, method, error = FAILURES[what]
    caplog.set_level(logging.DEBUG)
    failing: dict[str, Any] = {slot: _Failing(getattr(parts, slot), method, error)}
    broken = replace(parts, **failing)
    with pytest.raises(SdsafeError) as caught:
        Pipeline(replace(broken, disclosure=PromptDisclosure.COMMIT)).run(REQUEST)
    assert_silent("".join(traceback.format_exception(caught.value)).encode(), "the traceback")
    assert_silent(caplog.text.encode(), "the log")
    assert_folder_is_silent(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": f"{PROMPT}\x00"},
        {"prompt": f"{PROMPT}\ud800"},
        {"prompt": PROMPT * 5000},
        {"prompt_3": PROMPT},
        {"size": Size(width=255, height=256)},
        {"parameters": {"prompt_embeds": PROMPT}},
        {"parameters": {"eta": PROMPT}},
        {"scheduler": "none-such"},
        {"model": ModelRef(repo="builtin:none-such")},
    ],
)
def test_errors_of_a_bad_request_hold_no_prompt(
    parts: Parts, caplog: pytest.LogCaptureFixture, changes: dict[str, Any]
) -> None:
    caplog.set_level(logging.DEBUG)
    real = replace(parts, generator=DiffusersGenerator(device="cpu", threads=1))
    with pytest.raises(RequestError) as caught:
        Pipeline(real).run(replace(REQUEST, **changes))
    assert_silent("".join(traceback.format_exception(caught.value)).encode(), "the traceback")
    assert_silent(f"{caught.value.hint}{caplog.text}".encode(), "hint or log")


@pytest.mark.slow
def test_a_model_that_quotes_the_prompt_in_its_errors_is_not_repeated(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from diffusers import StableDiffusionPipeline

    def fail(_self: object, prompt: str, *_args: object, **_kwargs: object) -> NoReturn:
        raise ValueError(prompt)

    monkeypatch.setattr(StableDiffusionPipeline, "check_inputs", fail)
    caplog.set_level(logging.DEBUG)
    real = replace(parts, generator=DiffusersGenerator(device="cpu", threads=1))
    with pytest.raises(GenerationError) as caught:
        Pipeline(real).run(REQUEST)
    assert_silent("".join(traceback.format_exception(caught.value)).encode(), "the traceback")


def test_a_file_that_cannot_be_written_tells_no_prompt(parts: Parts, tmp_path: Path) -> None:
    (tmp_path / "out" / "a.png").write_bytes(b"mine")
    with pytest.raises(AssetError) as caught:
        Pipeline(replace(parts, disclosure=PromptDisclosure.OMIT)).run(
            REQUEST, deliver=save_to(tmp_path / "out" / "a.png")
        )
    assert_silent("".join(traceback.format_exception(caught.value)).encode(), "the traceback")
    assert_folder_is_silent(tmp_path)


class TestErasure:
    def test_it_makes_the_prompt_unrecoverable_from_the_state_folder(
        self, parts: Parts, places: Places, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        outcome = _released(parts, tmp_path, caplog)
        kept = SqliteRepository(places)
        with kept._reading() as tables:
            assert tables is not None
            number = tables.number(outcome.asset_id)
            assert number is not None
            sealed = {purpose: tables.blob(number, purpose) for purpose in ("record", "manifest")}
        assert dict(kept.opening(outcome.asset_id).texts) == {"prompt": PROMPT, "negative_prompt": NEGATIVE}
        key = _key_among(places.state, outcome, sealed["record"])
        assert key is not None  # the search below does find a key that is there

        kept.erase(outcome.asset_id)
        assert _key_among(places.state, outcome, sealed["record"]) is None
        for path in places.state.rglob("*"):
            if path.is_file():
                assert key not in path.read_bytes()
                assert key.hex().encode() not in path.read_bytes()
        with pytest.raises(RepositoryError) as caught:
            kept.opening(outcome.asset_id)
        assert caught.value.code == "repository.erased"
        assert list(kept.find(outcome.signed.encoded.marked.watermark)) == []
        (tmp_path / "out" / "a.png").unlink()
        assert_folder_is_silent(tmp_path)

    def test_others_are_left(self, parts: Parts, places: Places, tmp_path: Path) -> None:
        first, second = Pipeline(parts).run(replace(REQUEST, count=2))
        assert isinstance(first, Recorded)
        assert isinstance(second, Recorded)
        kept = SqliteRepository(places)
        kept.erase(first.asset_id)
        assert kept.opening(second.asset_id).texts["prompt"] == PROMPT


def _key_among(folder: Path, outcome: Recorded, sealed: bytes) -> bytes | None:
    """Try every 32 bytes that stand anywhere in the folder as the key of a sealed record."""
    for path in sorted(folder.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        for start in range(len(data) - vault.KEY_BYTES + 1):
            candidate = data[start : start + vault.KEY_BYTES]
            if not any(candidate):
                continue
            with suppress(RepositoryError):
                vault.unseal(candidate, outcome.asset_id, "record", sealed)
                return candidate
    return None


@pytest.mark.slow
class TestCommandLine:
    """The real model, behind the command line."""

    @pytest.fixture
    def sdsafe(
        self, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> Callable[..., tuple[int, str, str]]:
        (tmp_path / "settings.toml").write_text("[options.diffusers]\nthreads = 1\n")
        monkeypatch.setenv("SDSAFE_HOME", str(places.state))
        monkeypatch.setenv("SDSAFE_CACHE", str(places.cache))
        monkeypatch.setenv("SDSAFE_CONFIG", str(tmp_path / "settings.toml"))
        init_development(places.keys, name="privacy test", password=None, force=False)

        def call(*arguments: str) -> tuple[int, str, str]:
            monkeypatch.setattr(sys, "argv", ["sdsafe", *arguments])
            capfd.readouterr()
            with pytest.raises(SystemExit) as ended:
                run_sdsafe()
            out, err = capfd.readouterr()
            return int(ended.value.code or 0), out, err

        return call

    @pytest.mark.parametrize("mode", HIDDEN)
    def test_a_hidden_prompt_is_nowhere(
        self,
        sdsafe: Callable[..., tuple[int, str, str]],
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        mode: PromptDisclosure,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        ordinary = ("--model", "builtin:tiny", "--size", "256x256", "--steps", "1", "--device", "cpu")
        public = AUDITOR.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / "auditor.pem").write_bytes(public)
        sealed = ("--disclose-to", str(tmp_path / "auditor.pem"))
        hidden = (
            "--negative-prompt",
            NEGATIVE,
            "--prompt-disclosure",
            mode.value,
            "--unsafe-unchecked",
            *ordinary,
            *sealed,
        )
        code, out, err = sdsafe("generate", PROMPT, "-o", "out/a.png", *hidden)
        assert code == 0, err
        asset_id = re.search(r"[0-9a-f]{16}", out)
        assert asset_id is not None
        for text in (out, err, caplog.text):
            assert_silent(text.encode(), "the terminal or the log")
        assert_folder_is_silent(tmp_path, also=digests(PROMPT, NEGATIVE))
        code, out, _ = sdsafe("records", "show", asset_id[0])
        assert PROMPT in out  # who may see it, can
        assert sdsafe("records", "erase", asset_id[0], "--yes")[0] == 0
        code, out, err = sdsafe("records", "show", asset_id[0])
        assert code == 1
        assert_silent((out + err).encode(), "what is left")

    def test_a_refused_prompt_is_told_to_the_user_and_to_nobody_else(
        self, sdsafe: Callable[..., tuple[int, str, str]], tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        code, _, _ = sdsafe("generate", f"{PROMPT} {CANARY}", "-o", "out/a.png", "--unsafe-unchecked")
        assert code == 3
        assert_silent(caplog.text.encode(), "the log", (*WORDS, CANARY))
        assert_folder_is_silent(tmp_path, (*WORDS, CANARY), digests(PROMPT, f"{PROMPT} {CANARY}"))


def test_inspecting_a_file_whose_prompt_is_hidden_shows_none(
    parts: Parts, places: Places, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = _released(replace(parts, disclosure=PromptDisclosure.COMMIT), tmp_path, caplog)
    settings = Settings.load({"HOME": str(tmp_path)}, site=tmp_path / "none.toml", places=places)
    report = open_validator(settings).inspect(outcome.asset)
    assert_silent(repr(report).encode(), "the report")
