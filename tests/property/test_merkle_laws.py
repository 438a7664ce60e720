"""Every proof in every tree up to 64 leaves verifies, and no other proof does."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdsafe.errors import LedgerError
from sdsafe.records.ledger import merkle

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 64
LEAVES = [merkle.leaf_hash(b"leaf %d" % i) for i in range(MOST)]


def textbook_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + textbook_root(leaves[:k]) + textbook_root(leaves[k:])).digest()


ROOTS = [textbook_root(LEAVES[:n]) for n in range(MOST + 1)]


def node(level: int, index: int) -> bytes:
    return textbook_root(LEAVES[index << level : (index + 1) << level])


def flips(data: bytes, step: int = 1) -> list[bytes]:
    return [
        (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big") for bit in range(0, 8 * len(data), step)
    ]


def refused(check: object, *arguments: object) -> bool:
    try:
        check(*arguments)  # type: ignore[operator]
    except LedgerError as error:
        return error.code == "ledger.proof"
    return False


def test_leaf_and_empty_hashes_are_those_of_certificate_transparency() -> None:
    # From the test data of google/certificate-transparency: the empty tree and the leaf b"".
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def test_the_frontier_has_the_textbook_root_and_completes_each_perfect_subtree_once() -> None:
    frontier = merkle.Frontier()
    stored: dict[tuple[int, int], bytes] = {}
    for size in range(MOST + 1):
        assert frontier.root() == ROOTS[size]
        assert merkle.Frontier.read(size, node) == frontier
        if size < MOST:
            frontier, completed = frontier.add(LEAVES[size])
            for level, index, value in completed:
                assert stored.setdefault((level, index), value) is value
                assert value == node(level, index)
    assert len(stored) == 2 * MOST - 1
    assert all(merkle.peaks(size)[0][0] == size.bit_length() - 1 for size in range(1, MOST + 1))


def test_every_inclusion_proof_verifies_and_is_short() -> None:
    for size in range(1, MOST + 1):
        for index in range(size):
            path = merkle.inclusion_proof(index, size, node)
            assert len(path) <= (size - 1).bit_length()
            merkle.verify_inclusion(LEAVES[index], index, size, path, ROOTS[size])


def test_every_flipped_bit_breaks_an_inclusion_proof() -> None:
    for size in (1, 2, 3, 6, 7, 8, 13, 64):
        for index in {0, size // 2, size - 1}:
            path = merkle.inclusion_proof(index, size, node)
            check = merkle.verify_inclusion
            assert all(refused(check, leaf, index, size, path, ROOTS[size]) for leaf in flips(LEAVES[index]))
            assert all(refused(check, LEAVES[index], index, size, path, root) for root in flips(ROOTS[size]))
            for place, step in enumerate(path):
                for wrong in flips(step):
                    changed = (*path[:place], wrong, *path[place + 1 :])
                    assert refused(check, LEAVES[index], index, size, changed, ROOTS[size])


def test_an_inclusion_proof_holds_for_its_leaf_alone() -> None:
    for size in range(1, 33):
        for index in range(size):
            path = merkle.inclusion_proof(index, size, node)
            for other in [i for i in range(-1, size + 2) if i != index]:
                assert refused(merkle.verify_inclusion, LEAVES[index], other, size, path, ROOTS[size])
            for longer in ((*path, LEAVES[0]), (LEAVES[0], *path)):
                assert refused(merkle.verify_inclusion, LEAVES[index], index, size, longer, ROOTS[size])
            if path:
                assert refused(merkle.verify_inclusion, LEAVES[index], index, size, path[:-1], ROOTS[size])
                assert refused(merkle.verify_inclusion, LEAVES[index], index, size, (*path[:-1], b""), ROOTS[size])


def test_every_consistency_proof_verifies() -> None:
    for new in range(MOST + 1):
        for old in range(new + 1):
            path = merkle.consistency_proof(old, new, node)
            merkle.verify_consistency(old, new, path, ROOTS[old], ROOTS[new])


def test_every_flipped_bit_breaks_a_consistency_proof() -> None:
    check = merkle.verify_consistency
    for new in (1, 2, 3, 6, 7, 8, 13, 64):
        for old in {1, new // 2, new - 1, new} - {0}:
            path = merkle.consistency_proof(old, new, node)
            assert all(refused(check, old, new, path, root, ROOTS[new]) for root in flips(ROOTS[old]))
            assert all(refused(check, old, new, path, ROOTS[old], root) for root in flips(ROOTS[new]))
            for place, step in enumerate(path):
                for wrong in flips(step):
                    changed = (*path[:place], wrong, *path[place + 1 :])
                    assert refused(check, old, new, changed, ROOTS[old], ROOTS[new])


def test_a_fork_has_no_consistency_proof() -> None:
    forked = [*LEAVES[:5], merkle.leaf_hash(b"another"), *LEAVES[6:]]
    for new in range(6, MOST + 1):
        for old in range(6, new + 1):
            path = merkle.consistency_proof(old, new, node)
            assert refused(merkle.verify_consistency, old, new, path, textbook_root(forked[:old]), ROOTS[new])


def test_consistency_proofs_of_another_length_are_refused() -> None:
    for new in range(1, 20):
        for old in range(new + 1):
            path = merkle.consistency_proof(old, new, node)
            for wrong in ((*path, LEAVES[0]), path[:-1] if path else (LEAVES[0],)):
                assert refused(merkle.verify_consistency, old, new, wrong, ROOTS[old], ROOTS[new])
    assert refused(merkle.verify_consistency, 3, 2, (), ROOTS[3], ROOTS[2])
    assert refused(merkle.verify_consistency, -1, 2, (), ROOTS[0], ROOTS[2])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_there_is_no_proof_for_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion_proof(index, size, node)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3)])
def test_there_is_no_proof_for_a_tree_that_is_no_prefix(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="no prefix"):
        merkle.consistency_proof(old, new, node)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=200), st.data())
def test_any_tree_built_leaf_by_leaf_proves_any_leaf_and_any_prefix(bodies: list[bytes], data: st.DataObject) -> None:
    frontier, roots = merkle.Frontier(), [merkle.EMPTY_ROOT]
    stored: dict[tuple[int, int], bytes] = {}
    for body in bodies:
        frontier, completed = frontier.add(merkle.leaf_hash(body))
        stored |= {(level, index): value for level, index, value in completed}
        roots.append(frontier.root())
    size, fetch = len(bodies), lambda level, index: stored[level, index]
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion_proof(index, size, fetch)
    merkle.verify_inclusion(merkle.leaf_hash(bodies[index]), index, size, path, roots[size])
    old = data.draw(st.integers(0, size))
    merkle.verify_consistency(old, size, merkle.consistency_proof(old, size, fetch), roots[old], roots[size])
