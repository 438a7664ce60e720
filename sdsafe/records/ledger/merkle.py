"""The Merkle tree of RFC 6962, section 2.1, and its proofs. Pure: no I/O, no state.

Interior nodes whose subtree is *perfect* (its leaf count is a power of two) never change once they exist. So a log
keeps exactly these, by level (0: leaves) and index, and every root and proof is put together from O(log n) of them.
Functions that need nodes take ``node(level, index) -> hash``.

Proofs are verified as RFC 9162 spells it out (sections 2.1.3.2 and 2.1.4.2), which is the same tree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

from sdsafe.errors import LedgerError

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "Frontier",
    "Node",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "peaks",
    "verify_consistency",
    "verify_inclusion",
]

HASH_BYTES = 32

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""

Node: TypeAlias = Callable[[int, int], bytes]
"""Returns the hash of the perfect subtree at (level, index): leaves ``index << level`` and on, ``1 << level`` many."""


def leaf_hash(body: bytes) -> bytes:
    """Return SHA-256(0x00 || body)."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right). The prefixes keep leaves and nodes apart."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def peaks(size: int, start: int = 0) -> list[tuple[int, int]]:
    """Return (level, index) of the perfect subtrees that cover ``size`` leaves from ``start``, largest first.

    ``start`` must be a multiple of the smallest power of two that is at least ``size``, as it is in every proof.
    """
    found = []
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            found.append((level, start >> level))
            start += 1 << level
    return found


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: all that appending needs, O(log n) hashes."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()
    """Of the perfect subtrees in ``peaks(size)``."""

    @classmethod
    def read(cls, size: int, node: Node) -> Self:
        """Read the right edge of a stored tree of ``size`` leaves."""
        return cls(size, tuple(node(level, index) for level, index in peaks(size)))

    def add(self, leaf: bytes) -> tuple[Frontier, list[tuple[int, int, bytes]]]:
        """Append a leaf hash.

        Returns:
            The frontier of the larger tree, and (level, index, hash) of every perfect subtree that the leaf
            completes, itself first.
        """
        completed = [(0, self.size, leaf)]
        edge, level, index = list(self.hashes), 0, self.size
        while index & 1:
            leaf = node_hash(edge.pop(), leaf)
            level, index = level + 1, index >> 1
            completed.append((level, index, leaf))
        return Frontier(self.size + 1, (*edge, leaf)), completed

    def root(self) -> bytes:
        """Return the root hash."""
        return _fold(self.hashes)


def inclusion_proof(index: int, size: int, node: Node) -> tuple[bytes, ...]:
    """Return the audit path of leaf ``index`` in the tree of ``size`` leaves (RFC 6962, 2.1.1).

    Raises:
        ValueError: There is no such leaf.
    """
    if not 0 <= index < size:
        msg = f"a tree of {size} leaves has no leaf {index}"
        raise ValueError(msg)
    path: list[bytes] = []
    start = 0
    while size > 1:
        split = _split(size)
        if index < split:
            path.append(_subroot(start + split, size - split, node))
            size = split
        else:
            path.append(_subroot(start, split, node))
            start, index, size = start + split, index - split, size - split
    return tuple(reversed(path))


def consistency_proof(old: int, new: int, node: Node) -> tuple[bytes, ...]:
    """Return the proof that the tree of ``old`` leaves is a prefix of that of ``new`` (RFC 6962, 2.1.2).

    The proof is empty when ``old`` is 0 or equals ``new``.

    Raises:
        ValueError: ``old`` is negative or larger than ``new``.
    """
    if not 0 <= old <= new:
        msg = f"a tree of {old} leaves is no prefix of one of {new}"
        raise ValueError(msg)
    if old in {0, new}:
        return ()
    path: list[bytes] = []
    start, rest, whole = 0, old, True
    size = new
    while rest != size:
        split = _split(size)
        if rest <= split:
            path.append(_subroot(start + split, size - split, node))
            size = split
        else:
            path.append(_subroot(start, split, node))
            start, rest, size, whole = start + split, rest - split, size - split, False
    if not whole:
        path.append(_subroot(start, size, node))
    return tuple(reversed(path))


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check an audit path (RFC 9162, 2.1.3.2; the numbers are the steps there).

    Raises:
        LedgerError: ``ledger.proof``: the path does not lead from this leaf to this root.
    """
    if not 0 <= index < size:  # (1)
        raise _mismatch("inclusion")
    first, last, result = index, size - 1, leaf  # (2), (3)
    for step in path:  # (4)
        if last == 0 or len(step) != HASH_BYTES:  # (4.1)
            raise _mismatch("inclusion")
        if first & 1 or first == last:  # (4.2)
            result = node_hash(step, result)
            first, last = _past_left_edge(first, last)
        else:  # (4.3)
            result = node_hash(result, step)
        first, last = first >> 1, last >> 1  # (4.4)
    if last != 0 or result != root:  # (5)
        raise _mismatch("inclusion")


def verify_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the tree with ``old_root`` is a prefix of that with ``new_root`` (RFC 9162, 2.1.4.2).

    Raises:
        LedgerError: ``ledger.proof``: it is not, or the path does not show it.
    """
    if not 0 <= old <= new or any(len(step) != HASH_BYTES for step in path):
        raise _mismatch("consistency")
    trivial = old in {0, new}
    if trivial == bool(path):  # (1); where nothing is to be proven, nothing may be offered as a proof
        raise _mismatch("consistency")
    if trivial:
        if old_root != (new_root if old == new else EMPTY_ROOT):
            raise _mismatch("consistency")
        return
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)  # (2)
    first, last = old - 1, new - 1  # (3)
    while first & 1:  # (4)
        first, last = first >> 1, last >> 1
    old_result = new_result = steps[0]  # (5)
    for step in steps[1:]:  # (6)
        if last == 0:  # (6.1)
            raise _mismatch("consistency")
        if first & 1 or first == last:  # (6.2)
            old_result, new_result = node_hash(step, old_result), node_hash(step, new_result)
            first, last = _past_left_edge(first, last)
        else:  # (6.3)
            new_result = node_hash(new_result, step)
        first, last = first >> 1, last >> 1  # (6.4)
    if last != 0 or old_result != old_root or new_result != new_root:  # (7)
        raise _mismatch("consistency")


def _past_left_edge(first: int, last: int) -> tuple[int, int]:
    """Skip the levels at which the node has no left sibling."""
    while not first & 1 and first:
        first, last = first >> 1, last >> 1
    return first, last


def _split(size: int) -> int:
    """Return the largest power of two smaller than ``size`` (at least 2)."""
    return 1 << (size - 1).bit_length() - 1


def _subroot(start: int, size: int, node: Node) -> bytes:
    return _fold([node(level, index) for level, index in peaks(size, start)])


def _fold(hashes: Sequence[bytes]) -> bytes:
    """Hash perfect subtrees, largest first, into one root."""
    if not hashes:
        return EMPTY_ROOT
    *rest, root = hashes
    for left in reversed(rest):
        root = node_hash(left, root)
    return root


def _mismatch(kind: str) -> LedgerError:
    return LedgerError(
        f"the {kind} proof does not hold", code="ledger.proof", hint="Ask for a new proof; audit the ledger."
    )
