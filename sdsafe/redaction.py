"""Taking the prompt out of a file that shows it: a new manifest with the old one as parent, redacted.

What is gone is gone from this file. Copies of the file before stay what they are, and so does what others keep.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sdsafe._internal import images
from sdsafe._internal.clock import rfc3339
from sdsafe._internal.versions import version
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.errors import ManifestError
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.conformance import conformance
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.manifest.redaction import Reason, define_redaction, restated, secrets_of, texts_of
from sdsafe.provenance.metadata.embedding import EMBEDDABLE, read, without_prompt
from sdsafe.revision import Revision, require_embedded, require_plain_signer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from sdsafe.core.report import ManifestSummary
    from sdsafe.core.states import Asset
    from sdsafe.protocols import Signer, TimeStamper

__all__ = ["Reason", "redact"]


def redact(
    asset: Asset,
    signer: Signer,
    *,
    reason: Reason = Reason.PII,
    stamper: TimeStamper | None = None,
    commit: Callable[[ManifestSummary], str | None] | None = None,
) -> Revision:
    """Return the file with its prompt taken out of every manifest and of XMP, signed anew; the pixels stay.

    Args:
        asset: A file whose manifest holds.
        signer: Vouches for the new manifest, and states again what was no secret of the old one.
        reason: Put on record.
        stamper: Asked for a time-stamp.
        commit: Returns the commitment to the texts, where somebody can open it later.

    Raises:
        ManifestError: ``redaction.invalid``: the manifest does not hold; ``redaction.nothing``: no prompt is shown;
            ``redaction.left``: a text of the prompt is still in the file; ``manifest.beside``.
        MetadataError: The XMP cannot be rewritten.
        SigningError: The signer did not sign, or signs releases only.
    """
    require_plain_signer(signer)
    seen, reading = ManifestProbe().look(asset, Evidence())
    if seen.manifest is not ManifestState.VALID or seen.summary is None:
        raise ManifestError(
            f"the manifest is {seen.manifest.value}: nothing can be carried on from it", code="redaction.invalid"
        )
    require_embedded(beside=reading.beside)
    manifests = _c2pa.read_crjson(asset).get("manifests") or []
    secrets, cleaned = secrets_of(manifests), _without_prompt(asset)
    if not secrets and cleaned is asset:
        raise ManifestError("no manifest of this file shows a prompt", code="redaction.nothing")
    generation = _restated(seen.summary, str(reading.about.get("label")), commit)
    agent = {"name": "sdsafe", "version": version("sdsafe")}
    definition = define_redaction(
        cleaned, asset, secrets, reason=reason, generation=generation, agent=agent, when=rfc3339()
    )
    data, store = _c2pa.sign(_blanked(cleaned, reading.store), definition, signer, stamper)
    done = replace(asset, data=data)
    _require_good(done, asset, texts_of(manifests))
    taken_out = tuple(each.url for each in secrets)
    return Revision(asset_id=seen.summary.asset_id, before=asset, after=done, store=store, changed=taken_out)


def _restated(
    summary: ManifestSummary, label: str, commit: Callable[[ManifestSummary], str | None] | None
) -> Mapping[str, Any] | None:
    if not summary.generation:
        return None
    commitment = commit(summary) if commit else None
    return restated(summary.generation, manifest=label, commitment=commitment)


def _without_prompt(asset: Asset) -> Asset:
    """Return the file with no prompt in its metadata; the very same where there is none."""
    declared = read(asset).metadata if asset.media_type in EMBEDDABLE else None
    if declared is None or (declared.prompt is None and declared.prompt_writer is None):
        return asset
    return replace(asset, data=without_prompt(asset))


def _blanked(asset: Asset, store: bytes) -> Asset:
    """Return a TIFF file with zeros for its manifest store, and any other as it is.

    In a TIFF file the library leaves the old store behind as bytes that nothing points at (measured with 0.91.3).
    """
    if asset.media_type != "image/tiff":
        return asset
    return replace(asset, data=asset.data.replace(store, bytes(len(store))))


def _require_good(done: Asset, before: Asset, texts: tuple[str, ...]) -> None:
    """Read the new file as a stranger would: its manifest holds and conforms, the pixels are those of before, no text is left."""
    seen, reading = ManifestProbe().look(done, Evidence())
    failed = [each.check.id for each in conformance(reading.manifest) if not each.passed]
    if seen.manifest is not ManifestState.VALID or failed:
        raise ManifestError(
            f"the redacted file does not read back as it should: {', '.join(failed) or seen.manifest.value}",
            code="manifest.readback",
        )
    picture = before.media_type.startswith("image/")
    if picture and not np.array_equal(images.decode(done.data), images.decode(before.data)):
        raise ManifestError("redacting changed the picture", code="manifest.readback")
    if any(text.encode("utf-8", errors="surrogatepass") in done.data for text in texts):
        raise ManifestError(
            "a text of the prompt is still in the file, in a place that is not known here; nothing was written",
            code="redaction.left",
            hint="Make the file again with --prompt-disclosure commit, or take out what another tool wrote.",
        )
