"""A further file of an asset that was released: the same picture, with another manifest. The ledger says so."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sdsafe._internal.clock import rfc3339
from sdsafe.core.digests import sha256_hex
from sdsafe.core.receipts import EntryKind
from sdsafe.errors import ManifestError, SigningError
from sdsafe.protocols import Demanding

if TYPE_CHECKING:
    from sdsafe.core.receipts import Receipt
    from sdsafe.core.states import Asset
    from sdsafe.protocols import Ledger, Signer

__all__ = ["Revision", "note_revision", "require_embedded", "require_plain_signer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A file, and the one that it was made of."""

    asset_id: str | None
    """As the manifests name it; None for files of others."""
    before: Asset
    after: Asset
    store: bytes = field(repr=False)
    """Manifest store of the new file."""
    changed: tuple[str, ...] = ()
    """JUMBF URIs of the assertions that were taken out, or labels of the manifests that were time-stamped."""


def note_revision(ledger: Ledger | None, revision: Revision) -> Receipt | None:
    """Append an entry for another file of an asset; None where the ledger does not know the asset.

    Without it, a validator that asks this ledger would find another digest under the id and call the file *invalid*.

    Raises:
        LedgerError: The entry could not be appended.
    """
    known = None if ledger is None or revision.asset_id is None else ledger.prove(revision.asset_id)
    if ledger is None or known is None:
        return None
    entry = replace(
        known.entry,
        kind=EntryKind.REVISED,
        asset_sha256=sha256_hex(revision.after.data),
        manifest_sha256=sha256_hex(revision.store),
        recorded_at=rfc3339(),
        extra=(("revision_of", sha256_hex(revision.before.data)),),
    )
    return ledger.append(entry)


def require_embedded(*, beside: bool) -> None:
    """Refuse a file whose manifest stands beside it.

    Raises:
        ManifestError: ``manifest.beside``.
    """
    if beside:
        raise ManifestError(
            "the manifest stands beside the file, and can be followed by another only inside it",
            code="manifest.beside",
            hint="Make the file again without --sidecar.",
        )


def require_plain_signer(signer: Signer) -> None:
    """Refuse a signer that signs only what went through the gates.

    Raises:
        SigningError: ``signing.demanding``.
    """
    if isinstance(signer, Demanding):
        raise SigningError(
            "this signer demands decisions and receipts, and signs releases only",
            code="signing.demanding",
            hint="Name another credential with --signer, such as file:FOLDER.",
        )
