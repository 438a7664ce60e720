"""States built by hand, ledger entries, and a folder to keep them in."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pytest

from sdsafe.core.decisions import Decision, Effect, FiredRule, PolicyRef
from sdsafe.core.findings import CheckResult, CheckStatus, Finding, Severity, Span, Stage
from sdsafe.core.ids import AssetId
from sdsafe.core.places import Places
from sdsafe.core.plans import Plan
from sdsafe.core.receipts import EntryKind, LedgerEntry
from sdsafe.core.request import FileDigest, GenerationRequest, ModelRef, PromptDisclosure, Size
from sdsafe.core.softbinding import BindingKind, Detection, SoftBinding
from sdsafe.core.states import (
    Admitted,
    Asset,
    Cleared,
    Encoded,
    Execution,
    Generated,
    Marked,
    PromptOpening,
    Signed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

WORDS = ("quokka", "zeppelin", "marzipan")
"""Words of the test prompt that must not be found where they do not belong."""

_POLICY = PolicyRef(id="baseline", version="1", digest="ab" * 32)
_PIXELS = np.zeros((8, 8, 3), np.uint8)


class MakeSigned(Protocol):
    """Builds a signed state; every argument has a default that depends on ``number``."""

    def __call__(self, number: int = 1, *, store: bytes | None = None, fingerprint: bytes | None = None) -> Signed: ...


class MakeEntry(Protocol):
    """Builds a ledger entry that depends on ``number``."""

    def __call__(self, number: int = 1, kind: EntryKind = EntryKind.RELEASED, **changes: object) -> LedgerEntry: ...


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _asset_id(number: int) -> AssetId:
    return AssetId(hashlib.sha256(f"asset {number}".encode()).digest()[:8])


def _decision() -> Decision:
    rule = FiredRule(rule="term", policy="baseline", effect=Effect.ANNOTATE, because="a listed term", findings=(0,))
    return Decision(effect=Effect.ANNOTATE, policy=(_POLICY,), fired=(rule,))


def _check() -> CheckResult:
    finding = Finding(
        code="prompt.term",
        severity=Severity.INFORMATIONAL,
        stage=Stage.PROMPT,
        source="lexicon",
        source_version="1",
        category="test",
        score=0.25,
        span=Span(field="prompt", start=2, end=8),
        explanation=f"listed term {WORDS[0]}",
        data={"term": WORDS[0]},
    )
    return CheckResult(
        check="lexicon", version="1", status=CheckStatus.OK, stage=Stage.PROMPT, findings=(finding,), ms=0.5
    )


def _admitted(number: int) -> Admitted:
    request = GenerationRequest(
        prompt=f"a {WORDS[0]} on a {WORDS[1]}",
        negative_prompt=WORDS[2],
        model=ModelRef(repo="builtin:tiny", files=(FileDigest(name="unet", size=1, sha256="cd" * 32),)),
        seed=number,
        size=Size(width=64, height=64),
        steps=2,
        guidance=7.5,
        scheduler="ddim",
        parameters={"eta": 0.5, "clip_skip": 1},
    )
    return Admitted(
        request=request,
        asset_ids=(_asset_id(number),),
        opening=PromptOpening(mode=PromptDisclosure.FULL, salt=bytes(range(32))),
        decision=_decision(),
        checks=(_check(),),
        admitted_at="2026-11-22T07:00:00Z",
    )


def _generated(number: int) -> Generated:
    execution = Execution(
        model=ModelRef(repo="builtin:tiny", digest="ef" * 32),
        device="cpu",
        dtype="float32",
        scheduler="ddim",
        scheduler_digest="12" * 32,
        libraries={"torch": "2.13.0"},
        threads=2,
        ms=12.5,
    )
    return Generated(
        admitted=_admitted(number),
        index=0,
        asset_id=_asset_id(number),
        seed=number,
        pixels=_PIXELS,
        pixels_sha256=_hex(f"pixels {number}"),
        execution=execution,
    )


@pytest.fixture
def make_signed() -> MakeSigned:
    def build(number: int = 1, *, store: bytes | None = None, fingerprint: bytes | None = None) -> Signed:
        generated = _generated(number)
        cleared = Cleared(
            generated=generated,
            pixels=_PIXELS,
            decision=_decision(),
            export=_decision(),
            plan=Plan(demands=(), disclosure=PromptDisclosure.FULL),
            checks=(),
        )
        mark = SoftBinding(alg="dwtDctSvd", value=generated.asset_id.value, kind=BindingKind.WATERMARK)
        look = fingerprint if fingerprint is not None else hashlib.sha256(f"look {number}".encode()).digest()
        asset = Asset(data=f"file {number}".encode(), media_type="image/png", name=f"{generated.asset_id}.png")
        encoded = Encoded(
            marked=Marked(cleared=cleared, pixels=_PIXELS, watermark=mark, watermark_version="1"),
            asset=asset,
            readback=Detection(payload=mark.value, alg=mark.alg),
            fingerprints=(SoftBinding(alg="phash", value=look, kind=BindingKind.FINGERPRINT),),
        )
        manifest = store if store is not None else f"manifest {number} of a {WORDS[0]} on a {WORDS[1]}".encode()
        return Signed(encoded=encoded, asset=asset, manifest_store=manifest, manifest_label=f"urn:c2pa:{number}")

    return build


@pytest.fixture
def make_entry() -> MakeEntry:
    def build(number: int = 1, kind: EntryKind = EntryKind.RELEASED, **changes: object) -> LedgerEntry:
        erased = kind is EntryKind.ERASED
        entry = LedgerEntry(
            kind=kind,
            asset_id=str(_asset_id(number)),
            asset_sha256="" if erased else _hex(f"file {number}"),
            manifest_sha256="" if erased else _hex(f"manifest {number}"),
            policy_digests=(_POLICY.digest,),
            effect="annotate",
            record_sha256=_hex(f"record {number}"),
            recorded_at="2026-11-22T07:00:00Z",
        )
        return replace(entry, **changes)  # type: ignore[arg-type]

    return build


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(state=tmp_path / "state", cache=tmp_path / "cache")


@pytest.fixture
def unprivileged(places: Places) -> Callable[[], AbstractContextManager[None]]:
    """Run as a user who may read the state folder but not write it, even where the tests run as root."""

    @contextmanager
    def acting() -> Iterator[None]:
        files = [path for path in places.state.rglob("*") if path.is_file()]
        closed = [folder for folder in places.state.parents if not folder.stat().st_mode & 0o001]
        before = {path: path.stat().st_mode for path in (*files, *closed, places.state)}
        for path in files:
            path.chmod(0o444)
        for folder in closed:
            folder.chmod(before[folder] | 0o011)
        places.state.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(user)
            for path, mode in before.items():
                path.chmod(mode)

    return acting
