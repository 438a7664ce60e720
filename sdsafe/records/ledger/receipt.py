"""How anyone checks a receipt, with nothing but the log's public key. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.errors import LedgerError
from sdsafe.records.ledger import checkpoint, entry
from sdsafe.records.ledger.merkle import leaf_hash, verify_inclusion

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from sdsafe.core.receipts import Receipt

__all__ = ["verify_receipt"]


def verify_receipt(receipt: Receipt, key: Ed25519PublicKey) -> None:
    """Check that the log with this key vouches for the entry in a receipt.

    1. The body is the canonical form of the entry.
    2. The inclusion proof leads from the body's leaf hash to the root of the checkpoint.
    3. The checkpoint is signed by the log.

    Raises:
        LedgerError: One of these does not hold.
    """
    if entry.parse(receipt.body) != receipt.entry:  # (1)
        raise _mismatch("its body is not its entry")
    proof, head = receipt.inclusion_proof, receipt.checkpoint
    if (proof.tree_size, proof.root_hash, proof.log_index) != (head.tree_size, head.root_hash, receipt.log_index):
        raise _mismatch("its proof belongs to another checkpoint")
    leaf = leaf_hash(receipt.body)
    verify_inclusion(leaf, proof.log_index, proof.tree_size, proof.hashes, proof.root_hash)  # (2)
    checkpoint.verify(head, key)  # (3)
    if receipt.log_id != head.log_id:
        raise _mismatch("it names another log")


def _mismatch(why: str) -> LedgerError:
    return LedgerError(
        f"the receipt does not hold: {why}", code="ledger.proof", hint="Ask the ledger for a new one; audit it."
    )
