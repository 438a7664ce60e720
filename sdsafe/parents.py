"""Where a picture that goes in comes from: by its manifest, or, where that was removed, by its mark or fingerprint."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sdsafe.bindings.fingerprint.probe import FingerprintProbe
from sdsafe.bindings.watermark.probe import WatermarkProbe
from sdsafe.core.report import Evidence, ManifestState, SoftState
from sdsafe.core.request import Origin
from sdsafe.core.states import Asset
from sdsafe.provenance.manifest.probe import ManifestProbe, RecoveryProbe

if TYPE_CHECKING:
    from sdsafe.core.request import GenerationRequest, InputImage
    from sdsafe.parts import Parts

__all__ = ["traced"]

_TRACED = "image"  # masks and control pictures are drawn for one run; what is edited is what has a history


def traced(request: GenerationRequest, parts: Parts) -> GenerationRequest:
    """Return the request with the origin of its pictures, as far as it can be shown; what the caller said of it is dropped.

    A picture whose manifest was removed is looked up in the repository by its watermark, then by its fingerprint, as
    ``verify`` does; the manifest that was recorded is carried on in place of the one that is missing.
    """
    return replace(request, inputs=tuple(_traced(each, parts) for each in request.inputs))


def _traced(image: InputImage, parts: Parts) -> InputImage:
    origin = _origin(image, parts) if image.role == _TRACED else None
    return replace(image, origin=origin)


def _origin(image: InputImage, parts: Parts) -> Origin | None:
    asset = Asset(data=image.data, media_type=image.media_type)
    seen = ManifestProbe().examine(asset, Evidence())
    if seen.manifest is not ManifestState.ABSENT:
        known = seen.summary.asset_id if seen.summary else None
        return Origin(asset_id=known, found_by="manifest") if known else None
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
