"""The probe that looks for a recorded asset which this picture looks like."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from sdsafe._internal import images
from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.core.report import ManifestState, SoftMatch, SoftState
from sdsafe.core.softbinding import BindingKind, SoftBinding
from sdsafe.errors import AssetError, ConfigurationError, RepositoryError
from sdsafe.protocols import Discriminating

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.report import Evidence
    from sdsafe.core.states import Asset
    from sdsafe.protocols import Fingerprinter, ManifestRepository, StoredManifest

__all__ = ["FingerprintProbe"]

_INTACT = (ManifestState.VALID, ManifestState.TRUSTED)
_LOOKED_AT = 16  # how many near assets are counted; only the nearest is followed


class FingerprintProbe:
    """Looks for the nearest recorded asset where neither manifest nor watermark has spoken.

    What it sets ``Evidence.soft`` to: *match* when the nearest recorded asset is within the fingerprinter's
    threshold; *mismatch* when that asset is another one than the watermark names; *not detected* when none is near.
    It never improves a *mismatch*, never looks behind an intact manifest or a *match*, and neither matches nor
    rules out anything on a picture with too little detail.
    """

    def __init__(self, fingerprinters: Sequence[Fingerprinter], repository: ManifestRepository | None) -> None:
        """Keep the parts; without a repository there is nothing to compare with."""
        self._fingerprinters = tuple(fingerprinters)
        self._repository = repository

    @property
    def name(self) -> str:
        """``fingerprint``."""
        return "fingerprint"

    def examine(self, asset: Asset, seen: Evidence, /) -> Evidence:
        """Look, and say what was seen; trouble is a finding or a line of ``not_checked``, never an exception."""
        if not asset.media_type.startswith("image/"):
            return seen.noting(not_checked=[f"fingerprint: none is known for {asset.media_type}"])
        if (reason := self._needless(seen)) is not None:
            return seen.noting(not_checked=[f"fingerprint: {reason}"])
        if self._repository is None:
            return seen.noting(not_checked=["fingerprint: there is no manifest repository to compare with"])
        try:
            return self._looked(images.decode(asset.data), seen, self._repository)
        except AssetError as error:
            explanation = f"no pixels to look at: {error}"
            finding = self._finding("fingerprint.unreadable-asset", Severity.FAILURE, explanation)
            return seen.noting([finding], not_checked=["fingerprint: the picture cannot be decoded"])
        except (ConfigurationError, RepositoryError) as error:
            return seen.noting(not_checked=[f"fingerprint: {error}"])

    def _needless(self, seen: Evidence) -> str | None:
        if seen.manifest in _INTACT:
            return "the manifest is intact and binds these very bytes"
        if seen.soft is SoftState.MATCH:
            return "the watermark has already led to a recorded asset"
        if seen.soft is SoftState.MISMATCH:
            return "the watermark contradicts, and a likeness would not change that"
        if not self._fingerprinters:
            return "no fingerprint is configured"
        return None

    def _looked(self, pixels: Pixels, seen: Evidence, repository: ManifestRepository) -> Evidence:
        telling = [each for each in self._fingerprinters if _discriminates(each, pixels)]
        for each in self._fingerprinters:
            if each not in telling:
                text = f"the picture has too little detail: its {each.alg} fingerprint is that of many others"
                seen = seen.noting(
                    [self._finding("fingerprint.low-detail", Severity.INFORMATIONAL, text)],
                    not_checked=[f"fingerprint: {text}"],
                )
        for each in telling:
            binding = SoftBinding(alg=each.alg, value=each.compute(pixels), kind=BindingKind.FINGERPRINT)
            near = list(islice(repository.find(binding, within=each.threshold), _LOOKED_AT))
            if near:
                return self._matched(seen, each, near)
        if not telling:
            return seen
        text = f"no recorded asset looks like this picture ({', '.join(each.alg for each in telling)})"
        finding = self._finding("fingerprint.not-detected", Severity.INFORMATIONAL, text)
        return replace(seen, soft=SoftState.NOT_DETECTED).noting([finding])

    def _matched(self, seen: Evidence, each: Fingerprinter, near: Sequence[StoredManifest]) -> Evidence:
        nearest = near[0]
        data = {"alg": each.alg, "distance": nearest.distance, "threshold": each.threshold, "near": len(near)}
        marked_as = _watermark_id(seen)
        if marked_as is not None and marked_as != str(nearest.asset_id):
            text = f"the picture looks like the recorded asset {nearest.asset_id} but carries the mark of {marked_as}"
            finding = self._finding("fingerprint.contradicts-watermark", Severity.FAILURE, text, data)
            return replace(seen, soft=SoftState.MISMATCH).noting([finding])
        text = f"the picture looks like the recorded asset {nearest.asset_id}{_others(near)}"
        finding = self._finding("fingerprint.recovered", Severity.SUCCESS, text, data)
        match = SoftMatch(
            alg=each.alg,
            asset_id=str(nearest.asset_id),
            distance=nearest.distance,
            p_value=None,
            recorded_at=nearest.recorded_at,
            manifest_store=nearest.manifest_store,
        )
        return replace(seen, soft=SoftState.MATCH, matches=(*seen.matches, match)).noting([finding])

    def _finding(
        self, code: str, severity: Severity, explanation: str, data: Mapping[str, object] | None = None
    ) -> Finding:
        return Finding(
            code=code,
            severity=severity,
            stage=Stage.VERIFY,
            source=self.name,
            source_version=", ".join(each.alg for each in self._fingerprinters),
            explanation=explanation,
            data=data or {},
        )


def _discriminates(fingerprinter: Fingerprinter, pixels: Pixels) -> bool:
    return not isinstance(fingerprinter, Discriminating) or fingerprinter.discriminates(pixels)


def _watermark_id(seen: Evidence) -> str | None:
    """Return the id that the watermark probe read, in whatever way its look-up ended."""
    for finding in seen.findings:
        marked_as = finding.data.get("watermark_asset_id")
        if isinstance(marked_as, str):
            return marked_as
    return None


def _others(near: Sequence[StoredManifest]) -> str:
    if len(near) == 1:
        return ""
    more = f"{len(near) - 1}{'' if len(near) < _LOOKED_AT else ' or more'}"
    return f"; {more} other recorded assets look like it too, and the nearest was taken"
