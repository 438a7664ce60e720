"""Where a picture that goes in comes from: by its manifest, or, where that was removed, by its mark or fingerprint."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sdsafe.bindings.fingerprint.probe import FingerprintProbe
from sdsafe.bindings.watermark.probe import WatermarkProbe
from sdsafe.core.report import Evidence, ManifestState, SoftState
from sdsafe.core.request import Origin
from sdsafe.core.states import Asset
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.probe import ManifestProbe, RecoveryProbe
from sdsafe.provenance.manifest.tree import grow
from sdsafe.provenance.metadata.embedding import EMBEDDABLE, read
from sdsafe.provenance.metadata.model import DigitalSourceType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.request import GenerationRequest, InputImage
    from sdsafe.parts import Parts
    from sdsafe.provenance.manifest.tree import Node

__all__ = ["traced"]

_TRACED = "image"  # masks and control pictures are drawn for one run; what is edited is what has a history

_BY_AI = frozenset(
    {DigitalSourceType.TRAINED, DigitalSourceType.COMPOSITE_WITH_TRAINED, DigitalSourceType.COMPOSITE_SYNTHETIC}
)


def traced(request: GenerationRequest, parts: Parts) -> GenerationRequest:
    """Return the request with the origin of its pictures, as far as it can be shown; what the caller said of it is dropped.

    A picture whose manifest was removed is looked up in the repository by its watermark, then by its fingerprint, as
    ``verify`` does; the manifest that was recorded is carried on in place of the one that is missing.
    """
    pictures = tuple(_traced(each, parts) for each in request.inputs)
    if not request.by_model:  # with a model the result is made by AI whatever went in
        pictures = tuple(replace(each, made_by_ai=_made_by_ai(each)) for each in pictures)
    return replace(request, inputs=pictures)


def _traced(image: InputImage, parts: Parts) -> InputImage:
    origin = _origin(image, parts) if image.role == _TRACED else None
    return replace(image, origin=origin, made_by_ai=None)


def _made_by_ai(image: InputImage) -> str | None:
    """Return the source type by which a picture says that a model made it: the nearest in its manifests, else its XMP.

    What the file merely declares counts, too: nobody claims it without need, and enlarging must not wash it off.
    """
    asset = Asset(data=image.data, media_type=image.media_type, sidecar=image.sidecar)
    stored = image.origin.manifest_store if image.origin else None
    reading = _c2pa.read(asset) if stored is None else _c2pa.read_store(stored)
    manifests = _lineage(grow(reading.store, reading.label)) if reading.store else ()
    said = [each for node in manifests if node.summary for each in node.summary.source_types]
    declared = read(asset).metadata if asset.media_type in EMBEDDABLE else None
    said += [declared.digital_source_type] if declared and declared.digital_source_type else []
    return next((each for each in said if each in _BY_AI), None)


def _lineage(node: Node) -> Iterator[Node]:
    """Yield a manifest and those of what it shows, not those of what merely went in."""
    yield node
    for each in node.nodes:
        if each.relationship in {"parentOf", "componentOf"}:
            yield from _lineage(each)


def _origin(image: InputImage, parts: Parts) -> Origin | None:
    asset = Asset(data=image.data, media_type=image.media_type, sidecar=image.sidecar)
    seen, reading = ManifestProbe().look(asset, Evidence())
    if seen.manifest is not ManifestState.ABSENT:
        known = seen.summary.asset_id if seen.summary else None
        beside = image.sidecar if reading.beside else None  # it is not in the file, so it is carried on by itself
        return Origin(asset_id=known, found_by="manifest", manifest_store=beside) if known else None
    probes = (
        WatermarkProbe([lambda: parts.watermarker], parts.repository, parts.fingerprinters, always=False),
        FingerprintProbe(parts.fingerprinters, parts.repository),
        RecoveryProbe(),
    )
    for probe in probes:
        seen = probe.examine(asset, seen)
    summary = seen.summary
    if seen.soft is not SoftState.MATCH or summary is None or not summary.recovered:
        return None
    led = next((each for each in seen.matches if each.asset_id == summary.asset_id), None)
    if led is None:
        return None
    return Origin(asset_id=led.asset_id, found_by=led.alg, manifest_store=led.manifest_store)
