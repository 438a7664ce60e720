"""The probe that looks for the watermark and follows it to a recorded manifest.

A mark can be copied from one picture onto another, so a mark alone recovers nothing. Three things have to agree:
the mark reads, the repository knows its id, and the picture looks like the recorded asset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sdsafe._internal import images
from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.core.ids import ASSET_ID_BYTES, AssetId
from sdsafe.core.report import ManifestState, SoftMatch, SoftState
from sdsafe.core.softbinding import BindingKind, SoftBinding
from sdsafe.errors import AssetError, ConfigurationError, RepositoryError, WatermarkError
from sdsafe.protocols import Discriminating, Legible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.report import Evidence
    from sdsafe.core.states import Asset
    from sdsafe.protocols import Fingerprinter, ManifestRepository, StoredManifest, Watermarker

__all__ = ["WatermarkProbe"]

_VERSION = "2"
"""Of what this probe says where no algorithm is involved."""
_INTACT = (ManifestState.VALID, ManifestState.TRUSTED)


@dataclass(frozen=True, slots=True)
class _Mark:
    """What reads, and by whose algorithm."""

    alg: str
    version: str
    payload: bytes
    p_value: float | None

    @property
    def source(self) -> str:
        """Algorithm and version, as a finding names its source."""
        return f"{self.alg} {self.version}"

    def data(self) -> Mapping[str, object]:
        """Return what goes with a finding; ``watermark_asset_id`` is what ``FingerprintProbe`` looks for."""
        shown = str(AssetId(self.payload)) if len(self.payload) == ASSET_ID_BYTES else self.payload.hex()
        return {"watermark_asset_id": shown, "alg": self.alg, "p_value": self.p_value}


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

    Where the manifest names the mark's algorithm, an intact manifest is compared with that one alone, and a broken one
    has it tried first. Otherwise the algorithms are tried in their order until a mark reads.
    """

    def __init__(
        self,
        openers: Sequence[Callable[[], Watermarker]],
        repository: ManifestRepository | None,
        fingerprinters: Sequence[Fingerprinter],
        *,
        always: bool,
    ) -> None:
        """Keep the parts.

        Args:
            openers: Each returns a watermarker to read with, the likeliest first. They are called when a mark is
                looked for and not before: an intact file needs no numerics to be imported.
            repository: Where a mark may lead to.
            fingerprinters: What confirms that a mark was not copied.
            always: Look even though the manifest is intact.
        """
        self._openers = openers
        self._opened: tuple[Watermarker, ...] | None = None
        self._repository = repository
        self._fingerprinters = {each.alg: each for each in fingerprinters}
        self._always = always

    @property
    def name(self) -> str:
        """``watermark``."""
        return "watermark"

    def examine(self, asset: Asset, seen: Evidence, /) -> Evidence:
        """Look, and say what was seen; trouble is a finding or a line of ``not_checked``, never an exception."""
        if not asset.media_type.startswith("image/"):
            return seen.noting(not_checked=[f"watermark: none is known for {asset.media_type}"])
        intact = seen.manifest in _INTACT
        if intact and not self._always:
            return seen.noting(not_checked=["watermark: the manifest is intact; ask for it to have it compared"])
        try:
            pixels = images.decode(asset.data)
            mark, seen = self._read(pixels, seen, intact=intact)
            if mark is None:
                return seen
            return self._compared(seen, mark) if intact else self._followed(seen, pixels, mark)
        except AssetError as error:
            finding = self._finding("watermark.unreadable-asset", Severity.FAILURE, f"no pixels to look at: {error}")
            return seen.noting([finding], not_checked=["watermark: the picture cannot be decoded"])
        except (ConfigurationError, RepositoryError, WatermarkError) as error:
            return seen.noting(not_checked=[f"watermark: {error}"])

    def _read(self, pixels: Pixels, seen: Evidence, *, intact: bool) -> tuple[_Mark | None, Evidence]:
        """Return the first mark that reads; without one, what is to be said about that."""
        silent: list[Watermarker] = []
        trouble: list[str] = []
        for each in self._likeliest(seen, only=intact):
            try:
                if isinstance(each, Legible):
                    each.check_legible(pixels.shape[1], pixels.shape[0])
                (detection,) = each.detect([pixels])
            except (ConfigurationError, WatermarkError) as error:
                trouble.append(f"watermark: {error}")
                continue
            if detection.payload is not None:
                return _Mark(each.alg, each.version, detection.payload, detection.p_value), seen
            silent.append(each)
        seen = seen.noting(not_checked=trouble)
        return None, self._not_detected(seen, silent, sure=not trouble) if silent else seen

    def _likeliest(self, seen: Evidence, *, only: bool) -> list[Watermarker]:
        """Return the watermarkers in the order to try them; with ``only`` that of the manifest alone."""
        if self._opened is None:
            opened = {each.alg: each for each in (make() for make in reversed(self._openers))}
            self._opened = tuple(reversed(opened.values()))
        recorded = seen.summary.generation.get("watermark") if seen.summary else None
        named = recorded.get("alg") if isinstance(recorded, Mapping) else None
        if named is None:
            return list(self._opened)
        if not only:
            return sorted(self._opened, key=lambda each: each.alg != named)
        matching = [each for each in self._opened if each.alg == named]
        if not matching:
            raise WatermarkError(f"no watermarker here reads {str(named)[:60]!r}, which the manifest names")
        return matching

    def _not_detected(self, seen: Evidence, silent: Sequence[Watermarker], *, sure: bool) -> Evidence:
        """Say that nothing reads; the state changes only where every algorithm could be tried."""
        algs = " or ".join(each.alg for each in silent)
        finding = self._finding(
            "watermark.not-detected",
            Severity.INFORMATIONAL,
            f"no {algs} mark reads. That says nothing: marks are lost to many kinds of editing.",
            version=", ".join(f"{each.alg} {each.version}" for each in silent),
        )
        return (replace(seen, soft=SoftState.NOT_DETECTED) if sure else seen).noting([finding])

    def _compared(self, seen: Evidence, mark: _Mark) -> Evidence:
        """Compare the mark with the asset id of an intact manifest."""
        named = seen.summary.asset_id if seen.summary else None
        payload, data = mark.payload, mark.data()
        if named is None:
            text = "a mark reads, but the manifest names no asset id to compare it with"
            finding = self._finding("watermark.incomparable", Severity.INFORMATIONAL, text, data, mark.source)
            return seen.noting([finding], not_checked=[f"watermark: {text}"])
        if payload.hex() == named:
            finding = self._finding(
                "watermark.match", Severity.SUCCESS, "the mark carries the manifest's id", data, mark.source
            )
            return replace(seen, soft=SoftState.MATCH).noting([finding])
        text = f"the mark carries the id {payload.hex()}, the manifest names {named}"
        finding = self._finding("watermark.mismatch", Severity.FAILURE, text, data, mark.source)
        return replace(seen, soft=SoftState.MISMATCH).noting([finding])

    def _followed(self, seen: Evidence, pixels: Pixels, mark: _Mark) -> Evidence:
        """Look the id up, then hold the picture against the recorded fingerprint."""
        payload, data = mark.payload, mark.data()
        if self._repository is None or len(payload) != ASSET_ID_BYTES:
            text = f"a mark with the id {payload.hex()} reads; there is no manifest repository to look it up in"
            finding = self._finding("watermark.unfollowed", Severity.INFORMATIONAL, text, data, mark.source)
            return seen.noting([finding], not_checked=[f"watermark: {text}"])
        binding = SoftBinding(alg=mark.alg, value=payload, kind=BindingKind.WATERMARK)
        stored = next(iter(self._repository.find(binding)), None)
        if stored is None:
            text = f"a mark with the id {payload.hex()} reads, which the manifest repository does not know"
            finding = self._finding("watermark.unrecorded", Severity.INFORMATIONAL, text, data, mark.source)
            return replace(seen, soft=SoftState.NOT_DETECTED).noting([finding])
        return self._confirmed(seen, pixels, stored, mark)

    def _confirmed(self, seen: Evidence, pixels: Pixels, stored: StoredManifest, mark: _Mark) -> Evidence:
        data = mark.data()
        distances = self._distances(pixels, stored)
        if not distances:
            text = (
                f"a mark leads to the recorded asset {stored.asset_id}, but no fingerprint can confirm that it "
                "was not copied there: the picture has too little detail, or none was recorded"
            )
            finding = self._finding("watermark.unconfirmed", Severity.INFORMATIONAL, text, data, mark.source)
            return seen.noting([finding], not_checked=[f"watermark: {text}"])
        shown = {**data, "distances": {alg: round(distance, 4) for alg, distance in distances.items()}}
        far = [alg for alg, distance in distances.items() if distance > self._fingerprinters[alg].threshold]
        if far:
            text = (
                f"a mark with the id {stored.asset_id} reads, but the picture does not look like that asset "
                f"({', '.join(far)}): cropped, or a mark copied from another picture"
            )
            finding = self._finding("watermark.other-picture", Severity.FAILURE, text, shown, mark.source)
            return replace(seen, soft=SoftState.MISMATCH).noting([finding])
        text = f"the mark leads to the recorded asset {stored.asset_id}, and the picture looks like it"
        finding = self._finding("watermark.recovered", Severity.SUCCESS, text, shown, mark.source)
        match = SoftMatch(
            alg=mark.alg,
            asset_id=str(stored.asset_id),
            distance=None,
            p_value=mark.p_value,
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

    def _finding(
        self,
        code: str,
        severity: Severity,
        explanation: str,
        data: Mapping[str, object] | None = None,
        version: str = _VERSION,
    ) -> Finding:
        return Finding(
            code=code,
            severity=severity,
            stage=Stage.VERIFY,
            source=self.name,
            source_version=version,
            explanation=explanation,
            data=data or {},
        )
