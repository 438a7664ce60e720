"""The probe that looks for the watermark and follows it to a recorded manifest.

A mark can be copied from one picture onto another, so a mark alone recovers nothing. Three things have to agree:
the mark reads, the repository knows its id, and the picture looks like the recorded asset.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sdsafe._internal import images
from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.core.ids import ASSET_ID_BYTES, AssetId
from sdsafe.core.report import ManifestState, SoftMatch, SoftState
from sdsafe.core.softbinding import BindingKind, SoftBinding
from sdsafe.errors import AssetError, ConfigurationError, RepositoryError, WatermarkError
from sdsafe.protocols import Discriminating

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.report import Evidence
    from sdsafe.core.softbinding import Detection
    from sdsafe.core.states import Asset
    from sdsafe.protocols import Fingerprinter, ManifestRepository, StoredManifest, Watermarker

__all__ = ["WatermarkProbe"]

_INTACT = (ManifestState.VALID, ManifestState.TRUSTED)


class WatermarkProbe:
    """Looks for a mark where the manifest does not speak for itself, or everywhere with ``always``.

    What it sets ``Evidence.soft`` to:

    - intact manifest: *not checked*, or with ``always`` *match*, *mismatch* or *not detected* against the asset id
      that the manifest names;
    - otherwise *match* when mark, record and fingerprint agree; *mismatch* when the picture does not look like the
      recorded asset (a crop, or a copied mark); *not detected* when no mark reads, **and when one reads that nobody
      recorded**: it leads nowhere, which contradicts nothing, and a mismatch would be a statement about a picture
      that another organisation may simply have made. The finding still names the id, and ``FingerprintProbe``
      refuses to recover a picture under another id than its mark carries;
    - *not checked* whenever something needed is missing: a repository, a dependency, a fingerprint that says anything.
    """

    def __init__(
        self,
        watermarker: Watermarker,
        repository: ManifestRepository | None,
        fingerprinters: Sequence[Fingerprinter],
        *,
        always: bool,
    ) -> None:
        """Keep the parts; ``always`` looks even though the manifest is intact."""
        self._watermarker = watermarker
        self._repository = repository
        self._fingerprinters = {each.alg: each for each in fingerprinters}
        self._always = always

    @property
    def name(self) -> str:
        """``watermark``."""
        return "watermark"

    def examine(self, asset: Asset, seen: Evidence, /) -> Evidence:
        """Look, and say what was seen; trouble is a finding or a line of ``not_checked``, never an exception."""
        intact = seen.manifest in _INTACT
        if intact and not self._always:
            return seen.noting(not_checked=["watermark: the manifest is intact; ask for it to have it compared"])
        try:
            pixels = images.decode(asset.data)
            (detection,) = self._watermarker.detect([pixels])
            if detection.payload is None:
                return self._not_detected(seen)
            if intact:
                return self._compared(seen, detection.payload, detection)
            return self._followed(seen, pixels, detection.payload, detection)
        except AssetError as error:
            finding = self._finding("watermark.unreadable-asset", Severity.FAILURE, f"no pixels to look at: {error}")
            return seen.noting([finding], not_checked=["watermark: the picture cannot be decoded"])
        except (ConfigurationError, RepositoryError, WatermarkError) as error:
            return seen.noting(not_checked=[f"watermark: {error}"])

    def _not_detected(self, seen: Evidence) -> Evidence:
        finding = self._finding(
            "watermark.not-detected",
            Severity.INFORMATIONAL,
            f"no {self._watermarker.alg} mark reads. That says nothing: marks are lost to many kinds of editing.",
        )
        return replace(seen, soft=SoftState.NOT_DETECTED).noting([finding])

    def _compared(self, seen: Evidence, payload: bytes, detection: Detection) -> Evidence:
        """Compare the mark with the asset id of an intact manifest."""
        named = seen.summary.asset_id if seen.summary else None
        data = self._data(payload, detection)
        if named is None:
            text = "a mark reads, but the manifest names no asset id to compare it with"
            finding = self._finding("watermark.incomparable", Severity.INFORMATIONAL, text, data)
            return seen.noting([finding], not_checked=[f"watermark: {text}"])
        if payload.hex() == named:
            finding = self._finding("watermark.match", Severity.SUCCESS, "the mark carries the manifest's id", data)
            return replace(seen, soft=SoftState.MATCH).noting([finding])
        text = f"the mark carries the id {payload.hex()}, the manifest names {named}"
        finding = self._finding("watermark.mismatch", Severity.FAILURE, text, data)
        return replace(seen, soft=SoftState.MISMATCH).noting([finding])

    def _followed(self, seen: Evidence, pixels: Pixels, payload: bytes, detection: Detection) -> Evidence:
        """Look the id up, then hold the picture against the recorded fingerprint."""
        data = self._data(payload, detection)
        if self._repository is None or len(payload) != ASSET_ID_BYTES:
            text = f"a mark with the id {payload.hex()} reads; there is no manifest repository to look it up in"
            finding = self._finding("watermark.unfollowed", Severity.INFORMATIONAL, text, data)
            return seen.noting([finding], not_checked=[f"watermark: {text}"])
        binding = SoftBinding(alg=self._watermarker.alg, value=payload, kind=BindingKind.WATERMARK)
        stored = next(iter(self._repository.find(binding)), None)
        if stored is None:
            text = f"a mark with the id {payload.hex()} reads, which the manifest repository does not know"
            finding = self._finding("watermark.unrecorded", Severity.INFORMATIONAL, text, data)
            return replace(seen, soft=SoftState.NOT_DETECTED).noting([finding])
        return self._confirmed(seen, pixels, stored, data, detection.p_value)

    def _confirmed(
        self, seen: Evidence, pixels: Pixels, stored: StoredManifest, data: Mapping[str, object], p_value: float | None
    ) -> Evidence:
        distances = self._distances(pixels, stored)
        if not distances:
            text = (
                f"a mark leads to the recorded asset {stored.asset_id}, but no fingerprint can confirm that it "
                "was not copied there: the picture has too little detail, or none was recorded"
            )
            finding = self._finding("watermark.unconfirmed", Severity.INFORMATIONAL, text, data)
            return seen.noting([finding], not_checked=[f"watermark: {text}"])
        shown = {**data, "distances": {alg: round(distance, 4) for alg, distance in distances.items()}}
        far = [alg for alg, distance in distances.items() if distance > self._fingerprinters[alg].threshold]
        if far:
            text = (
                f"a mark with the id {stored.asset_id} reads, but the picture does not look like that asset "
                f"({', '.join(far)}): cropped, or a mark copied from another picture"
            )
            finding = self._finding("watermark.other-picture", Severity.FAILURE, text, shown)
            return replace(seen, soft=SoftState.MISMATCH).noting([finding])
        text = f"the mark leads to the recorded asset {stored.asset_id}, and the picture looks like it"
        finding = self._finding("watermark.recovered", Severity.SUCCESS, text, shown)
        match = SoftMatch(
            alg=self._watermarker.alg,
            asset_id=str(stored.asset_id),
            distance=None,
            p_value=p_value,
            recorded_at=stored.recorded_at,
            manifest_store=stored.manifest_store,
        )
        return replace(seen, soft=SoftState.MATCH, matches=(*seen.matches, match)).noting([finding])

    def _distances(self, pixels: Pixels, stored: StoredManifest) -> dict[str, float]:
        """Return the distance to each recorded fingerprint that we can compute and that says anything here."""
        result = {}
        for binding in stored.bindings:
            each = self._fingerprinters.get(binding.alg)
            if each is None or binding.kind is not BindingKind.FINGERPRINT:
                continue
            if isinstance(each, Discriminating) and not each.discriminates(pixels):
                continue
            result[each.alg] = each.distance(each.compute(pixels), binding.value)
        return result

    def _data(self, payload: bytes, detection: Detection) -> Mapping[str, object]:
        """Return what goes with a finding; ``watermark_asset_id`` is what ``FingerprintProbe`` looks for."""
        shown = str(AssetId(payload)) if len(payload) == ASSET_ID_BYTES else payload.hex()
        return {"watermark_asset_id": shown, "alg": detection.alg, "p_value": detection.p_value}

    def _finding(
        self, code: str, severity: Severity, explanation: str, data: Mapping[str, object] | None = None
    ) -> Finding:
        return Finding(
            code=code,
            severity=severity,
            stage=Stage.VERIFY,
            source=self.name,
            source_version=f"{self._watermarker.alg} {self._watermarker.version}",
            explanation=explanation,
            data=data or {},
        )
