"""Fakes that fill the slots of ``sdsafe.protocols``: deterministic, fast, and without any model.

They are not mocks: each does at its slot what the slot demands and passes the contract suite of that slot.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from sdsafe.bindings.watermark import payload
from sdsafe.core.digests import pixels_sha256, sha256_hex
from sdsafe.core.findings import Finding, Severity, Span, Stage
from sdsafe.core.ids import ASSET_ID_BYTES, AssetId
from sdsafe.core.pixels import is_pixels
from sdsafe.core.request import Size
from sdsafe.core.softbinding import BindingKind, Detection
from sdsafe.core.states import Generated
from sdsafe.errors import AssetError, CancelledError, RequestError, WatermarkError
from sdsafe.protocols import StoredManifest, Unavailable
from sdsafe.testing.samples import sample_execution, sample_picture, sample_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import GenerationRequest, InputImage
    from sdsafe.core.softbinding import SoftBinding
    from sdsafe.core.states import Admitted, Signed
    from sdsafe.protocols import Watch

__all__ = [
    "Behaviour",
    "FakeGenerator",
    "FakeOutputCheck",
    "FakePromptCheck",
    "GridFingerprinter",
    "LsbWatermarker",
    "MemoryRepository",
]

_MULTIPLE = 8
_LARGEST_SIDE = 4096


class FakeGenerator:
    """Makes waves over gradients from seed and prompt: the same request and seed give the same pixels."""

    def __init__(self, *, side: int = 256) -> None:
        """Set the side of the square picture that a request without a size gets."""
        self._side = side

    def resolve(self, request: GenerationRequest, /) -> GenerationRequest:
        """Fill in what was left open; a side that is no multiple of 8, and any extra parameter, is refused."""
        size = request.size or Size(width=self._side, height=self._side)
        if any(side % _MULTIPLE or not 0 < side <= _LARGEST_SIDE for side in (size.width, size.height)):
            raise RequestError(f"size {size}: both sides must be multiples of {_MULTIPLE}", code="request.size")
        if request.parameters:
            raise RequestError(f"unknown parameters: {', '.join(sorted(request.parameters))}", code="request.parameter")
        if request.count < 1:
            raise RequestError(f"count is {request.count}, expected at least 1", code="request.count")
        standard = sample_request()
        return replace(
            request,
            model=standard.model,
            size=size,
            steps=standard.steps if request.steps is None else request.steps,
            guidance=standard.guidance if request.guidance is None else request.guidance,
            scheduler=request.scheduler or standard.scheduler,
        )

    def generate(self, admitted: Admitted, /, watch: Watch | None = None) -> Iterator[Generated]:
        """Yield one picture per asset id, the i-th from ``seed + i``."""
        request = admitted.request
        size, steps = request.size, request.steps or 1
        if size is None or request.seed is None:
            raise RequestError("the request was not resolved", code="request.unresolved")
        for index, asset_id in enumerate(admitted.asset_ids):
            for step in range(1, steps + 1):
                if watch is not None:
                    watch.step(index, step, steps)
                    if watch.cancelled():
                        raise CancelledError("generation was cancelled")
            seed = request.seed + index
            pixels = sample_picture(seed, height=size.height, width=size.width, text=request.prompt)
            yield Generated(
                admitted=admitted,
                index=index,
                asset_id=asset_id,
                seed=seed,
                pixels=pixels,
                pixels_sha256=pixels_sha256(pixels),
                execution=sample_execution(request.model),
            )


class Behaviour(StrEnum):
    """What a fake check does when it is asked."""

    WORK = "work"
    FAIL = "fail"
    """Raise an exception of no particular kind."""
    HANG = "hang"
    """Answer only after ``FakeOutputCheck.seconds``, or when ``wake`` is set."""
    NAN = "nan"
    """Score not-a-number."""
    EMPTY = "empty"
    """Return no findings."""
    UNAVAILABLE = "unavailable"
    """Say that it cannot look here."""


@dataclass(kw_only=True)
class FakeOutputCheck:
    """An output check that reports a score that the test sets, or misbehaves as the test sets."""

    name: str = "fake-output-check"
    version: str = "1"
    category: str = "__test__"
    score: float = 0.0
    behaviour: Behaviour = Behaviour.WORK
    seconds: float = 60.0

    def __post_init__(self) -> None:
        """Make the event that ends ``Behaviour.HANG`` early."""
        self.wake = threading.Event()

    def check(self, generated: Generated, /) -> Iterable[Finding]:
        """Return one scored finding, or behave as set."""
        return self._look(generated.pixels, Stage.OUTPUT)

    def check_input(self, image: InputImage, /) -> Iterable[Finding]:
        """Do the same for a picture that goes in."""
        return self._look(image.pixels, Stage.INPUT)

    def _look(self, pixels: Pixels, stage: Stage) -> Iterable[Finding]:
        if not is_pixels(pixels):
            raise TypeError("not pixels")
        if self.behaviour is Behaviour.FAIL:
            raise RuntimeError("the fake check was told to fail")
        if self.behaviour is Behaviour.UNAVAILABLE:
            raise Unavailable("the weights of the fake check were not pulled")
        if self.behaviour is Behaviour.EMPTY:
            return ()
        if self.behaviour is Behaviour.HANG:
            self.wake.wait(self.seconds)
        score = float("nan") if self.behaviour is Behaviour.NAN else self.score
        return (
            Finding(
                code=f"{stage}.fake",
                severity=Severity.INFORMATIONAL,
                stage=stage,
                source=self.name,
                source_version=self.version,
                category=self.category,
                score=score,
            ),
        )


@dataclass(kw_only=True)
class FakePromptCheck:
    """A prompt check that finds literal terms in every text of a request, or misbehaves as the test sets."""

    name: str = "fake-prompt-check"
    version: str = "1"
    category: str = "__test__"
    terms: tuple[str, ...] = ("sentinel-term",)
    behaviour: Behaviour = Behaviour.WORK

    def check(self, request: GenerationRequest, /) -> Iterable[Finding]:
        """Return a finding with its span for every occurrence, or behave as set."""
        if self.behaviour is Behaviour.FAIL:
            raise RuntimeError("the fake check was told to fail")
        if self.behaviour is Behaviour.UNAVAILABLE:
            raise Unavailable("the terms of the fake check are missing")
        if self.behaviour is Behaviour.EMPTY:
            return ()
        return tuple(
            Finding(
                code="prompt.fake",
                severity=Severity.FAILURE,
                stage=Stage.PROMPT,
                source=self.name,
                source_version=self.version,
                category=self.category,
                score=float("nan") if self.behaviour is Behaviour.NAN else 1.0,
                span=Span(field=field, start=at, end=at + len(term)),
            )
            for field, text in request.texts()
            for term in self.terms
            for at in _occurrences(text, term)
        )


def _occurrences(text: str, term: str) -> Iterator[int]:
    at = text.find(term)
    while at >= 0:
        yield at
        at = text.find(term, at + 1)


class LsbWatermarker:
    """**Test only.** The framed asset id in the lowest bit of green, from the top left: any edit removes it."""

    alg = "test.lsb"
    version = "1"
    capacity_bits = 8 * ASSET_ID_BYTES

    def embed(self, images: Sequence[Pixels], payloads: Sequence[bytes], /) -> list[Pixels]:
        """Return marked copies; ``WatermarkError`` for fewer than 96 pixels or a wrong payload."""
        if len(images) != len(payloads) or any(len(each) != ASSET_ID_BYTES for each in payloads):
            raise WatermarkError("one payload of 8 bytes is needed per image", code="watermark.payload")
        return [self._embedded(image, AssetId(bytes(each))) for image, each in zip(images, payloads, strict=True)]

    def detect(self, images: Sequence[Pixels], /) -> list[Detection]:
        """Return the payload of each image whose check holds."""
        found = []
        for image in images:
            bits = image[..., 1].ravel()[: payload.FRAME_BITS] & 1
            asset_id = payload.unpack(np.packbits(bits).tobytes())
            value = None if asset_id is None else asset_id.value
            found.append(Detection(payload=value, alg=self.alg, p_value=payload.FALSE_POSITIVE))
        return found

    def _embedded(self, image: Pixels, asset_id: AssetId) -> Pixels:
        if not is_pixels(image) or image.shape[0] * image.shape[1] < payload.FRAME_BITS:
            raise WatermarkError("the picture has fewer than 96 pixels", code="watermark.too-small")
        marked = image.copy()
        green = marked[..., 1].ravel()
        bits = np.unpackbits(np.frombuffer(payload.pack(asset_id), np.uint8))
        green[: payload.FRAME_BITS] = green[: payload.FRAME_BITS] & 0xFE | bits
        marked[..., 1] = green.reshape(image.shape[:2])
        return marked


class GridFingerprinter:
    """**Test only.** One bit per cell of a 16x16 grid: brighter than the median cell, or not."""

    alg = "test.grid-16"
    threshold = 31 / 256

    def compute(self, image: Pixels, /) -> bytes:
        """Return 32 bytes; ``AssetError`` for anything but pixels."""
        if not is_pixels(image):
            raise AssetError("not an (H, W, 3) uint8 array", code="asset.not-pixels")
        gray = image.astype(np.float64).mean(axis=2)
        rows, columns = (np.linspace(0, side, 17).astype(int) for side in gray.shape)
        sums = np.add.reduceat(np.add.reduceat(gray, rows[:16], axis=0), columns[:16], axis=1)
        cells = sums / np.outer(*(np.maximum(np.diff(edges), 1) for edges in (rows, columns)))
        return np.packbits((cells > np.median(cells)).ravel()).tobytes()

    def distance(self, a: bytes, b: bytes, /) -> float:
        """Return the share of bits that differ; fingerprints of another length are as far as can be."""
        if len(a) != len(b) or not a:
            return 1.0
        return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_count() / (8 * len(a))


class MemoryRepository:
    """A manifest repository in memory: nothing is encrypted, nothing survives the process."""

    def __init__(self) -> None:
        """Begin empty."""
        self._stored: dict[AssetId, StoredManifest] = {}
        self.delivered: set[AssetId] = set()

    def put(self, signed: Signed, /) -> str:
        """Store the manifest; return a digest that stands for that of the private record."""
        generated = signed.encoded.marked.cleared.generated
        self._stored[generated.asset_id] = StoredManifest(
            asset_id=generated.asset_id,
            manifest_store=signed.manifest_store,
            asset_sha256=sha256_hex(signed.asset.data),
            media_type=signed.asset.media_type,
            bindings=signed.encoded.soft_bindings,
            recorded_at=generated.admitted.admitted_at,
        )
        return hashlib.sha256(b"private record of " + generated.asset_id.value).hexdigest()

    def discard(self, asset_id: AssetId, /) -> None:
        """Forget the asset; a no-op for unknown ids."""
        self._stored.pop(asset_id, None)

    def mark_delivered(self, asset_id: AssetId, /) -> None:
        """Note the delivery."""
        self.delivered.add(asset_id)

    def undelivered(self) -> tuple[AssetId, ...]:
        """Return nothing: what is in memory dies with its process."""
        return ()

    def has(self, asset_id: AssetId, /) -> bool:
        """Say whether the id is taken."""
        return asset_id in self._stored

    def find(self, binding: SoftBinding, /, *, within: float = 0.0) -> Iterator[StoredManifest]:
        """Yield what the binding leads to, nearest first."""
        hits = []
        for stored in self._stored.values():
            for own in stored.bindings:
                if (own.alg, own.kind) != (binding.alg, binding.kind):
                    continue
                if binding.kind is BindingKind.WATERMARK:
                    if own.value == binding.value:
                        hits.append((0.0, stored))
                elif (distance := _hamming(own.value, binding.value)) <= within:
                    hits.append((distance, replace(stored, distance=distance)))
        yield from (stored for _, stored in sorted(hits, key=lambda hit: hit[0]))


def _hamming(a: bytes, b: bytes) -> float:
    return GridFingerprinter().distance(a, b)
