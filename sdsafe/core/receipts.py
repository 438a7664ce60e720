"""What the ledger hands out: entries, inclusion proofs, checkpoints, receipts.

Field names follow Rekor's (``logIndex``, ``logID``, ``integratedTime``, ``inclusionProof``) in Python spelling.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Checkpoint", "EntryKind", "InclusionProof", "LedgerEntry", "Receipt"]


class EntryKind(StrEnum):
    """What a ledger entry says happened to an asset."""

    RELEASED = "released"
    WITHDRAWN = "withdrawn"
    ERASED = "erased"
    REVISED = "revised"
    """Another file of a released asset: the same picture with a further manifest."""
    SIGNED = "signed"
    """In the log of a signer that keeps its own: it made a signature for the asset, whatever became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One leaf. Ids and digests only: never a prompt, never an unsalted digest of one.

    Every digest is 64 lower-case hex digits.
    """

    kind: EntryKind
    asset_id: str
    """16 hex digits."""
    asset_sha256: str
    """Of the released file bytes; empty for ``erased``."""
    manifest_sha256: str
    """Of the C2PA manifest store inside those bytes; empty for ``erased``."""
    policy_digests: tuple[str, ...]
    effect: str
    """Label of the decision's effect at release."""
    record_sha256: str
    """Of the encrypted private record as stored: binds the record without revealing it. Of ``signed``: of the check
    receipts, as canonical JSON."""
    recorded_at: str
    """RFC 3339, UTC, whole seconds."""
    extra: tuple[tuple[str, str], ...] = field(default=())
    """Further (name, digest or id) pairs, sorted by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed statement of the log: how many entries it has and what their root hash is."""

    origin: str
    """The log's name, unique per key; first line of the note that is signed."""
    tree_size: int
    root_hash: bytes
    timestamp: str
    log_id: str
    """SHA-256 of the log's public key (SubjectPublicKeyInfo, DER), hex."""
    signature: bytes
    """Ed25519 over the note text (C2SP tlog-checkpoint body)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """RFC 6962 audit path of one leaf in a tree of ``tree_size`` leaves."""

    log_index: int
    tree_size: int
    root_hash: bytes
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """An entry as the log has it, the proof that it is in, and the checkpoint it is in under."""

    entry: LedgerEntry
    log_index: int
    log_id: str
    integrated_time: str
    body: bytes
    """The canonical bytes whose leaf hash is in the tree."""
    inclusion_proof: InclusionProof
    checkpoint: Checkpoint
