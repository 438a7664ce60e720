"""``input-provenance``: what the manifest of an input picture says about using it.

A check of inputs, with nothing to load: it reports, and packs decide. What it reports is what a manifest states; a
picture without one states nothing, which is not a permission of whoever made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.states import Asset
from sdsafe.errors import PluginError
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.manifest.reading import refused_uses

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sdsafe.core.places import Places
    from sdsafe.core.request import InputImage

__all__ = ["InputProvenanceCheck"]


class InputProvenanceCheck:
    """Reports a manifest that does not hold, and one that does not allow what is about to be done."""

    name = "input-provenance"
    version = "1"

    @classmethod
    def configure(cls, _places: Places, options: Mapping[str, object]) -> Self:
        """Return a check; it takes no options."""
        if options:
            raise PluginError(f"input-provenance: unknown option {min(options)!r}", hint="It takes none.")
        return cls()

    def check_input(self, image: InputImage, /) -> Iterator[Finding]:
        """Yield what state the picture's manifest is in, and a finding for each thing that speaks against its use."""
        asset = Asset(data=image.data, media_type=image.media_type, sidecar=image.sidecar)
        seen = ManifestProbe().examine(asset, Evidence())
        state = seen.manifest
        yield self._finding(f"input.manifest.{state.value}", None, f"the manifest of the {image.role} is {state.value}")
        if state in {ManifestState.INVALID, ManifestState.WELL_FORMED}:
            says = f"the manifest of the {image.role} does not hold for these bytes"
            yield self._finding("input.manifest", "input_manifest_invalid", says)
        uses = seen.summary.refused_uses if seen.summary else ()
        if image.origin is not None and image.origin.manifest_store is not None:
            yield self._finding("input.manifest.recovered", None, f"the manifest of the {image.role} was found again")
            uses = refused_uses(_c2pa.read_store(image.origin.manifest_store).manifest)  # removing it lifts no ban
        for use in uses:
            says = f"the manifest of the {image.role} says notAllowed for {use}"
            yield self._finding("input.use", "input_use_not_allowed", says)

    def _finding(self, code: str, category: str | None, says: str) -> Finding:
        return Finding(
            code=code,
            severity=Severity.INFORMATIONAL,
            stage=Stage.INPUT,
            source=self.name,
            source_version=self.version,
            category=category,
            explanation=says,
        )
