"""Pictures and states for tests: every state of the spine, built without running it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from sdsafe._internal import images
from sdsafe.core.decisions import Decision, Effect, PolicyRef
from sdsafe.core.digests import pixels_sha256
from sdsafe.core.ids import AssetId
from sdsafe.core.plans import Plan
from sdsafe.core.request import GenerationRequest, ModelRef, PromptDisclosure, Size
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
    from collections.abc import Sequence

    from sdsafe.core.pixels import Pixels

__all__ = [
    "sample_admitted",
    "sample_decision",
    "sample_execution",
    "sample_generated",
    "sample_picture",
    "sample_request",
    "sample_signed",
]

SAMPLE_ID = AssetId(b"sample-1")
"""The asset id that samples carry unless another is given."""

_WHEN = "2026-01-02T03:04:05Z"
_WAVES = 24


def sample_picture(seed: int = 0, *, height: int = 256, width: int = 256, text: str = "") -> Pixels:
    """Return a picture of waves over a gradient, with a little noise: smooth and textured, unlike any other seed's.

    Args:
        seed: Any non-negative integer.
        height: In pixels.
        width: In pixels.
        text: Another part of the seed, such as a prompt.
    """
    words = np.frombuffer(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), np.uint32)
    random = np.random.default_rng([seed, *words.tolist()])
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / max(width, 1), y / max(height, 1)
    shade = np.zeros((height, width), np.float32)
    for frequency_x, frequency_y, phase, weight in random.uniform((-9, -9, 0, 0.2), (9, 9, 7, 1), (_WAVES, 4)):
        shade += weight * np.sin(2 * np.pi * (frequency_x * x + frequency_y * y) + phase).astype(np.float32)
    tint = random.uniform(-30, 30, (2, 3)).astype(np.float32)
    colour = 128 + x[..., None] * tint[0] + y[..., None] * tint[1] + shade[..., None] * np.float32(14)
    noisy = colour + random.normal(0, 2, (height, width, 3)).astype(np.float32)
    picture: Pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return picture


def sample_request(prompt: str = "a red house on green hills", *, size: Size | None = None) -> GenerationRequest:
    """Return a resolved request: nothing in it is None that ``Generator.resolve`` fills in."""
    return GenerationRequest(
        prompt=prompt,
        model=ModelRef(repo="fake:waves", revision="1", digest="0" * 64, license="Apache-2.0"),
        seed=7,
        size=size or Size(width=256, height=256),
        steps=2,
        guidance=1.0,
        scheduler="fake",
    )


def sample_decision(effect: Effect = Effect.ALLOW) -> Decision:
    """Return a decision of one pack without fired rules."""
    return Decision(effect=effect, policy=(PolicyRef(id="sample", version="1", digest="1" * 64),))


def sample_admitted(
    request: GenerationRequest | None = None, *, asset_ids: Sequence[AssetId] = (SAMPLE_ID,)
) -> Admitted:
    """Return an admitted request, its prompt disclosed in full."""
    return Admitted(
        request=request or sample_request(),
        asset_ids=tuple(asset_ids),
        opening=PromptOpening(mode=PromptDisclosure.FULL, salt=bytes(32)),
        decision=sample_decision(),
        checks=(),
        admitted_at=_WHEN,
    )


def sample_execution(model: ModelRef | None = None) -> Execution:
    """Return what a run without a model says about itself."""
    return Execution(
        model=model or sample_request().model,
        device="cpu",
        dtype="uint8",
        scheduler="fake",
        scheduler_digest="2" * 64,
        libraries={"numpy": np.__version__},
        threads=1,
        ms=0.0,
    )


def sample_generated(pixels: Pixels | None = None, *, admitted: Admitted | None = None) -> Generated:
    """Return a generated image; default: ``sample_picture()``."""
    chosen = sample_picture() if pixels is None else pixels
    given = admitted or sample_admitted()
    return Generated(
        admitted=given,
        index=0,
        asset_id=given.asset_ids[0],
        seed=given.request.seed or 0,
        pixels=chosen,
        pixels_sha256=pixels_sha256(chosen),
        execution=sample_execution(given.request.model),
    )


def sample_signed(
    pixels: Pixels | None = None,
    *,
    asset_id: AssetId = SAMPLE_ID,
    watermark_alg: str = "test.lsb",
    fingerprints: Sequence[SoftBinding] = (),
    manifest_store: bytes = b"sample manifest store",
) -> Signed:
    """Return a state that a repository takes; its manifest store is **not** a C2PA manifest unless one is given.

    Args:
        pixels: The final pixels, as released; default: ``sample_picture()``. No mark is written.
        asset_id: The id of the asset and of its watermark.
        watermark_alg: Under which name the watermark is recorded.
        fingerprints: As recorded.
        manifest_store: As recorded.
    """
    generated = sample_generated(pixels, admitted=sample_admitted(asset_ids=(asset_id,)))
    cleared = Cleared(
        generated=generated,
        pixels=generated.pixels,
        decision=sample_decision(),
        export=sample_decision(),
        plan=Plan(demands=(), disclosure=PromptDisclosure.FULL),
        checks=(),
    )
    marked = Marked(
        cleared=cleared,
        pixels=generated.pixels,
        watermark=SoftBinding(alg=watermark_alg, value=asset_id.value, kind=BindingKind.WATERMARK),
        watermark_version="1",
    )
    asset = Asset(data=images.encode(generated.pixels), media_type="image/png", name=f"{asset_id}.png")
    encoded = Encoded(
        marked=marked,
        asset=asset,
        readback=Detection(payload=asset_id.value, alg=watermark_alg),
        fingerprints=tuple(fingerprints),
    )
    return Signed(encoded=encoded, asset=asset, manifest_store=manifest_store, manifest_label="urn:c2pa:sample")
