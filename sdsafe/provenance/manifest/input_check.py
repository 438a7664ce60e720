"""``input-provenance``: what the manifest of an input picture says about using it.

A check of inputs, with nothing to load: it reports, and packs decide. What it reports is what a manifest states; a
picture without one states nothing, which is not a permission of whoever made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Self

from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.states import Asset
from sdsafe.errors import PluginError
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.probe import ManifestProbe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.places import Places
    from sdsafe.core.request import InputImage

__all__ = ["InputProvenanceCheck", "refused_uses"]

_LABELS: Final = ("cawg.training-mining", "c2pa.training-mining")
_USES: Final = ("ai_inference", "ai_generative_training")
"""Uses that making a picture out of a picture is, or comes near to (CAWG Training and Data Mining 1.1, section 3)."""


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
        asset = Asset(data=image.data, media_type=image.media_type)
        state = ManifestProbe().examine(asset, Evidence()).manifest
        yield self._finding(f"input.manifest.{state.value}", None, f"the manifest of the {image.role} is {state.value}")
        if state in {ManifestState.INVALID, ManifestState.WELL_FORMED}:
            says = f"the manifest of the {image.role} does not hold for these bytes"
            yield self._finding("input.manifest", "input_manifest_invalid", says)
        for use in refused_uses(_c2pa.read(asset).manifest):
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


def refused_uses(manifest: Mapping[str, object]) -> tuple[str, ...]:
    """Return the uses that the training and data mining assertion of a manifest does not allow, each once."""
    assertions = manifest.get("assertions")
    refused: dict[str, None] = {}
    for label, value in assertions.items() if isinstance(assertions, Mapping) else ():
        entries = value.get("entries") if isinstance(value, Mapping) else None
        if str(label).partition("__")[0] not in _LABELS or not isinstance(entries, Mapping):
            continue
        for name, entry in entries.items():
            use = str(name).rpartition(".")[2]
            # "constrained" names conditions that only a person can read: as long as nobody has, it is no permission.
            if use in _USES and isinstance(entry, Mapping) and entry.get("use") in {"notAllowed", "constrained"}:
                refused[use] = None
    return tuple(refused)
