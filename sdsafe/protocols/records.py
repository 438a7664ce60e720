"""Slots of the records: what is kept, and proven later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sdsafe.core.ids import AssetId
    from sdsafe.core.receipts import LedgerEntry, Receipt
    from sdsafe.core.reviews import Case, Opinion
    from sdsafe.core.softbinding import SoftBinding
    from sdsafe.core.states import Signed

__all__ = ["Ledger", "ManifestRepository", "Reviews", "StoredManifest"]


class Ledger(Protocol):
    """**Protocol:** an append-only log that can prove what it holds."""

    def append(self, entry: LedgerEntry, /) -> Receipt:
        """Append durably and return the receipt; ``LedgerError`` when it cannot."""
        ...

    def prove(self, digest: str, /) -> Receipt | None:
        """Return a receipt for the newest entry whose asset id, asset or manifest digest is ``digest``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredManifest:
    """A manifest store that the repository kept, and what leads to it."""

    asset_id: AssetId
    manifest_store: bytes
    asset_sha256: str
    media_type: str
    bindings: tuple[SoftBinding, ...]
    recorded_at: str
    distance: float | None = None
    """Normalised fingerprint distance of the query, 0 to 1; None for exact matches."""


class ManifestRepository(Protocol):
    """**Protocol:** keeps manifests and private records, found by id and by soft binding."""

    def put(self, signed: Signed, /) -> str:
        """Store durably; return the SHA-256 of the encrypted private record (for the ledger entry)."""
        ...

    def discard(self, asset_id: AssetId, /) -> None:
        """Take back a ``put`` whose ledger entry was never made; a no-op for unknown ids."""
        ...

    def mark_delivered(self, asset_id: AssetId, /) -> None:
        """Note that the asset has reached its caller; what a crash leaves unmarked is withdrawn at start-up."""
        ...

    def undelivered(self) -> tuple[AssetId, ...]:
        """Return assets that were stored by a process that did not live to deliver them, oldest first."""
        ...

    def has(self, asset_id: AssetId, /) -> bool:
        """Say whether the id is taken."""
        ...

    def find(self, binding: SoftBinding, /, *, within: float = 0.0) -> Iterable[StoredManifest]:
        """Yield stored manifests: watermarks by equality, fingerprints within a normalised Hamming distance.

        Nearest first.
        """
        ...


class Reviews(Protocol):
    """**Protocol:** keeps pictures that wait for a person, unreadable to anybody else, and what people decide."""

    def put(
        self, asset_id: AssetId, held: object, *, rules: tuple[str, ...], people: int, roles: tuple[str, ...]
    ) -> Case:
        """Keep ``held`` durably and return its case."""
        ...

    def case(self, ticket: str, /) -> Case:
        """Return one case; ``ReviewError`` for an unknown one."""
        ...

    def cases(self) -> tuple[Case, ...]:
        """Return all cases, oldest first."""
        ...

    def open(self, ticket: str, /) -> object:
        """Return what was held; ``ReviewError`` once the case is closed."""
        ...

    def say(self, ticket: str, opinion: Opinion, /) -> Case:
        """Add a person's opinion and return the case as it then stands."""
        ...

    def released(self, ticket: str, /) -> None:
        """Note that the asset was released, and forget what was held."""
        ...
