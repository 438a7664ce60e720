"""What a signer is shown that signs only what it understands: the file, what would be said of it, and receipts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.findings import CheckStatus, Stage
    from sdsafe.core.states import Asset

__all__ = ["CheckReceipt", "Dossier", "GoneIn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReceipt:
    """That one check looked at one thing at one time. It says what the manifest says, and what that leaves out."""

    check: str
    version: str
    stage: Stage
    status: CheckStatus
    subject: str
    """64 hex digits, of what was looked at: the commitment to all texts with the salt of the private record, the
    digests of all pictures that went in, or the digest of the picture or sound before it was marked."""
    shown: str
    """SHA-256 of the check's entry in the manifest, findings included, as canonical JSON."""
    at: str
    """When it ended, RFC 3339."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneIn:
    """A file that went in, as the C2PA library takes it."""

    description: Mapping[str, object]
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """A file that is to be signed, everything that its manifest will say, and the receipts of the gates."""

    asset: Asset
    """Encoded, marked, without a manifest."""
    document: Mapping[str, object] = field(repr=False)
    """Of the manifest definition. The decisions stand in its assertion ``org.sdsafe.generation``."""
    resources: Mapping[str, bytes] = field(repr=False)
    ingredients: tuple[GoneIn, ...]
    receipts: tuple[CheckReceipt, ...]
    beside: bool = False
    """The manifest goes into a file of its own, and this one stays as it is."""
