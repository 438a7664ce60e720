"""Adding time-stamps to a file that was signed without: an update manifest, which leaves everything before as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sdsafe._internal import images
from sdsafe._internal.versions import version
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.errors import ManifestError
from sdsafe.provenance.manifest import _c2pa, labels
from sdsafe.provenance.manifest.conformance import conformance
from sdsafe.provenance.manifest.document import ManifestDefinition
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.revision import Revision, require_embedded, require_plain_signer

if TYPE_CHECKING:
    from sdsafe.core.report import ManifestSummary
    from sdsafe.core.states import Asset
    from sdsafe.protocols import Signer, TimeStamper
    from sdsafe.provenance.manifest.reading import Reading

__all__ = ["STAMPABLE", "stamp"]

STAMPABLE = frozenset({"image/png", "image/jpeg", "image/avif"})
"""Formats in which a store can grow without touching what the hard binding covers.

WebP and WAV state their own length, and TIFF where things stand, in bytes that the manifest before has hashed: after
the C2PA library's update they are *invalid* (measured with 0.91.3).
"""


def stamp(asset: Asset, signer: Signer, stamper: TimeStamper) -> Revision:
    """Return the file with time-stamps over its claims that have none, in an update manifest that has one itself.

    A time-stamp proves that what it is over was there at that time: now, not when the file was signed.

    Args:
        asset: A file whose manifest holds, signed with the credential that signs now.
        signer: Of the update.
        stamper: Asked for each time-stamp.

    Raises:
        ManifestError: ``timestamp.invalid``: the manifest does not hold; ``timestamp.present``: it has a time-stamp;
            ``timestamp.other-signer``: somebody else signed it; ``timestamp.format``; ``manifest.beside``.
        SigningError: No authority granted one, the signer did not sign, or it signs releases only.
    """
    require_plain_signer(signer)
    seen, reading = ManifestProbe().look(asset, Evidence())
    summary = seen.summary
    if seen.manifest is not ManifestState.VALID or summary is None:
        raise ManifestError(
            f"the manifest is {seen.manifest.value}: a time-stamp would prove nothing", code="timestamp.invalid"
        )
    require_embedded(beside=reading.beside)
    if asset.media_type not in STAMPABLE:
        raise ManifestError(
            f"{asset.media_type} cannot be time-stamped afterwards: it would not hold any more",
            code="timestamp.format",
            hint=f"Media types: {', '.join(sorted(STAMPABLE))}; have others time-stamped while they are signed.",
        )
    _require_ours(reading, summary, signer)
    data, store = _c2pa.update(asset, _definition(asset), signer, stamper)
    done = replace(asset, data=data)
    return Revision(
        asset_id=summary.asset_id, before=asset, after=done, store=store, changed=_stamped(done, asset, summary)
    )


def _require_ours(reading: Reading, summary: ManifestSummary, signer: Signer) -> None:
    if reading.stamped_at is not None:
        raise ManifestError(
            f"the file has a time-stamp already, of {reading.stamped_at}", code="timestamp.present", hint="Verify it."
        )
    if summary.certificate_chain[:1] != signer.certificate_chain[:1]:
        raise ManifestError(
            "the file was signed with another certificate, and only its own can add a time-stamp for it",
            code="timestamp.other-signer",
            hint="Name the credential that signed it with --signer, such as file:FOLDER.",
        )


def _definition(asset: Asset) -> ManifestDefinition:
    agent = {"name": "sdsafe", "version": version("sdsafe"), "specVersion": labels.SPEC_VERSION}
    actions = {"allActionsIncluded": True, "actions": []}  # the library puts "opened" in
    return ManifestDefinition(
        document={
            "claim_generator_info": [agent],
            "title": asset.name or "time-stamped",
            "format": asset.media_type,
            "assertions": [{"label": labels.ACTIONS, "created": True, "data": actions}],
        }
    )


def _stamped(done: Asset, before: Asset, summary: ManifestSummary) -> tuple[str, ...]:
    """Read the new file as a stranger would, and return the labels of the manifests that have a time-stamp now."""
    seen, reading = ManifestProbe().look(done, Evidence())
    failed = [each.check.id for each in conformance(reading.manifest) if not each.passed]
    assertions = reading.manifest.get("assertions")
    stamps = assertions.get(labels.TIME_STAMP) if isinstance(assertions, dict) else None
    named = tuple(stamps) if isinstance(stamps, dict) else ()
    known = seen.summary is not None and seen.summary.asset_id == summary.asset_id
    holds = seen.manifest is ManifestState.VALID and reading.stamped_at is not None and summary.label in named
    if failed or not known or not holds:
        why = ", ".join(failed) or seen.manifest.value
        raise ManifestError(f"the time-stamped file does not read back as it should: {why}", code="manifest.readback")
    picture = before.media_type.startswith("image/")
    if picture and not np.array_equal(images.decode(done.data), images.decode(before.data)):
        raise ManifestError("adding a time-stamp changed the picture", code="manifest.readback")
    return named
