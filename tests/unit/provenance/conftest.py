"""A hand-made way of the data up to ``Encoded``, and credentials to sign it with."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from PIL import Image

from sdsafe.core.decisions import Decision, Effect, FiredRule, PolicyRef
from sdsafe.core.digests import pixels_sha256
from sdsafe.core.findings import CheckResult, CheckStatus, Finding, Severity, Span, Stage
from sdsafe.core.ids import AssetId
from sdsafe.core.places import Places
from sdsafe.core.plans import Plan
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
)
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.definition import define
from sdsafe.provenance.manifest.envelope import Recipient, with_sealed_prompt
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.provenance.signing.local import FileSigner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.protocols import Signer

SALT = bytes(range(32))
AUDITOR = Recipient(X25519PrivateKey.from_private_bytes(SALT).public_key())
WHEN = "2026-11-22T07:00:00Z"


def _png(size: int, seed: int) -> tuple[bytes, np.ndarray]:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue(), pixels


@pytest.fixture(scope="session")
def request_() -> GenerationRequest:
    return GenerationRequest(
        prompt="a zeppelin over quiet marshland",
        negative_prompt="xylophone",
        model=ModelRef(repo="owner/model", revision="0123abcd"),
        seed=9007199254740991,
        size=Size(width=64, height=64),
        steps=30,
        guidance=7.5,
        scheduler="EulerDiscreteScheduler",
        intended_use="internal",
        parameters={"eta": 0.25, "clip_skip": 2, "style_text": "watercolour"},
    )


@pytest.fixture(scope="session")
def make_encoded(request_: GenerationRequest) -> Callable[..., Encoded]:
    """Return a function that makes an ``Encoded``; keyword arguments replace parts of it."""

    def make(
        *,
        disclosure: PromptDisclosure = PromptDisclosure.FULL,
        size: int = 64,
        seed: int = 1,
        request: GenerationRequest = request_,
        execution: dict[str, Any] | None = None,
        cleared: dict[str, Any] | None = None,
    ) -> Encoded:
        data, pixels = _png(size, seed)
        policy = (PolicyRef(id="baseline", version="1.2.0", digest="ab" * 32),)
        prompt_finding = Finding(
            code="prompt.term",
            severity=Severity.INFORMATIONAL,
            stage=Stage.PROMPT,
            source="lexicon",
            source_version="1",
            category="aircraft",
            score=1.0,
            span=Span(field="prompt", start=2, end=10),
            explanation="the term 'zeppelin' is listed",
            data={"term": "zeppelin"},
        )
        rule = FiredRule(
            rule="baseline.note",
            policy="baseline",
            effect=Effect.ANNOTATE,
            because="zeppelin is noted",
            citation="Example Act, article 5",
        )
        admitted = Admitted(
            request=request,
            asset_ids=(AssetId(bytes(range(8))),),
            opening=PromptOpening(mode=disclosure, salt=SALT),
            decision=Decision(effect=Effect.ANNOTATE, policy=policy, fired=(rule,)),
            checks=(
                CheckResult(
                    check="lexicon",
                    version="1",
                    status=CheckStatus.OK,
                    stage=Stage.PROMPT,
                    findings=(prompt_finding,),
                ),
            ),
            admitted_at="2026-11-22T06:59:58Z",
        )
        ran: dict[str, Any] = {
            "model": replace(
                request.model,
                digest="cd" * 32,
                license="apache-2.0",
                pipeline="StableDiffusionPipeline",
                files=(FileDigest(name="unet/diffusion_pytorch_model.safetensors", size=12345, sha256="ef" * 32),),
            ),
            "device": "cpu",
            "dtype": "float32",
            "scheduler": "EulerDiscreteScheduler",
            "scheduler_digest": "12" * 32,
            "libraries": {"torch": "2.13.0", "diffusers": "0.42.1"},
            "threads": 2,
            "ms": 1234.5,
        }
        generated = Generated(
            admitted=admitted,
            index=0,
            asset_id=admitted.asset_ids[0],
            seed=request.seed or 0,
            pixels=pixels,
            pixels_sha256=pixels_sha256(pixels),
            execution=Execution(**(ran | (execution or {}))),
        )
        seen = Finding(
            code="output.score",
            severity=Severity.INFORMATIONAL,
            stage=Stage.OUTPUT,
            source="open-nsfw",
            source_version="1",
            category="nudity",
            score=0.0125,
        )
        let_out: dict[str, Any] = {
            "decision": Decision(effect=Effect.ALLOW, policy=policy),
            "export": Decision(effect=Effect.ALLOW, policy=policy),
            "plan": Plan(demands=(), disclosure=disclosure),
            "checks": (
                CheckResult(
                    check="open-nsfw", version="1", status=CheckStatus.OK, stage=Stage.OUTPUT, findings=(seen,)
                ),
            ),
        }
        marked = Marked(
            cleared=Cleared(generated=generated, pixels=pixels, **(let_out | (cleared or {}))),
            pixels=pixels,
            watermark=SoftBinding(alg="dwtDctSvd", value=generated.asset_id.value, kind=BindingKind.WATERMARK),
            watermark_version="1",
        )
        encoded = Encoded(
            marked=marked,
            asset=Asset(data=data, media_type="image/png", name=f"{generated.asset_id}.png"),
            readback=Detection(payload=generated.asset_id.value, alg="dwtDctSvd"),
            fingerprints=(SoftBinding(alg="phash", value=b"\x0f" * 32, kind=BindingKind.FINGERPRINT),),
        )
        return with_sealed_prompt(encoded, AUDITOR)

    return make


@pytest.fixture(scope="session")
def encoded(make_encoded: Callable[..., Encoded]) -> Encoded:
    return make_encoded()


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    places = Places(state=tmp_path_factory.mktemp("state"), cache=tmp_path_factory.mktemp("cache"))
    init_development(places.keys, name="unit test", password=None, force=False)
    return places


@pytest.fixture(scope="session")
def signer(places: Places) -> FileSigner:
    return FileSigner.configure(places, {})


@pytest.fixture(scope="session")
def root_pem(places: Places) -> bytes:
    return (places.keys / "root.pem").read_bytes()


@pytest.fixture(scope="session")
def root_path(places: Places) -> Path:
    return places.keys / "root.pem"


@pytest.fixture(scope="session")
def sign(signer: FileSigner) -> Callable[..., tuple[Asset, bytes]]:
    """Return a function from ``Encoded`` to (signed asset, manifest store)."""

    def signed(encoded: Encoded, by: Signer = signer) -> tuple[Asset, bytes]:
        definition = define(encoded, generator="sdsafe", version="0.1.0", when=WHEN, title=encoded.asset.name)
        data, store = _c2pa.sign(encoded.asset, definition, by)
        return replace(encoded.asset, data=data), store

    return signed


@pytest.fixture(scope="session")
def signed(sign: Callable[..., tuple[Asset, bytes]], encoded: Encoded) -> Asset:
    return sign(encoded)[0]
