"""The bytes of a ledger entry: canonical JSON, version 1, ids and digests only. Pure.

An append-only log never forgets, so a text that slipped in could never be erased. Every field is therefore held to
a shape in which nobody can write: hex of a fixed length, a known label, a time.

Law: ``parse(render(entry)) == entry``, and ``render(parse(body)) == body``: one entry, one byte string.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from sdsafe.core.canonical import canonical_json
from sdsafe.core.decisions import Effect
from sdsafe.core.receipts import EntryKind, LedgerEntry
from sdsafe.errors import LedgerError

if TYPE_CHECKING:
    from re import Pattern

__all__ = ["FORMAT", "parse", "render"]

FORMAT = 1
"""Value of ``"v"``. A change of meaning is a new number; old entries stay readable."""

_ID = re.compile(r"[0-9a-f]{16}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DIGEST_OR_EMPTY = re.compile(r"([0-9a-f]{64})?")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_ID_OR_DIGEST = re.compile(r"[0-9a-f]{16}|[0-9a-f]{64}|urn:(uuid|c2pa):[0-9a-f-]{36}")
_EFFECTS = {effect.label for effect in Effect}

_STRINGS = ("kind", "asset_id", "asset_sha256", "manifest_sha256", "effect", "record_sha256", "recorded_at")


def render(entry: LedgerEntry) -> bytes:
    """Return the canonical bytes of an entry; their leaf hash goes into the tree.

    Raises:
        LedgerError: ``ledger.entry``: a field has a shape in which a text could hide.
    """
    _check(entry)
    return canonical_json(
        {
            "v": FORMAT,
            **{name: str(getattr(entry, name)) for name in _STRINGS},
            "policy_digests": entry.policy_digests,
            "extra": entry.extra,
        }
    )


def parse(body: bytes) -> LedgerEntry:
    """Read what ``render`` wrote.

    Raises:
        LedgerError: ``ledger.entry``: the bytes are not the canonical form of an entry of a version we know.
    """
    entry = _entry(_decoded(body))
    if render(entry) != body:
        raise _bad("the bytes", "their canonical form")
    return entry


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _bad("the bytes", "JSON") from None
    if not isinstance(document, dict) or document.get("v") != FORMAT:
        raise _bad("v", f"{FORMAT}; a larger number needs a newer sdsafe")
    if set(document) != {"v", "policy_digests", "extra", *_STRINGS}:
        raise _bad("the keys", "exactly those of an entry")
    return document


def _entry(document: dict[str, Any]) -> LedgerEntry:
    for name in _STRINGS:
        _must(isinstance(document[name], str), name, "a string")
    policies, extra = document["policy_digests"], document["extra"]
    _must(isinstance(policies, list), "policy_digests", "a list")
    _must(isinstance(extra, list) and all(isinstance(p, list) and len(p) == 2 for p in extra), "extra", "pairs")  # noqa: PLR2004 - name and value
    _must(document["kind"] in set(EntryKind), "kind", "a known kind")
    return LedgerEntry(
        kind=EntryKind(document["kind"]),
        policy_digests=tuple(policies),
        extra=tuple((name, value) for name, value in extra),
        **{name: document[name] for name in _STRINGS if name != "kind"},
    )


def _check(entry: LedgerEntry) -> None:
    # Erasing says which asset, not what it was: its digests are in the entry of its release.
    content = _DIGEST_OR_EMPTY if entry.kind is EntryKind.ERASED else _DIGEST
    _must(entry.kind in set(EntryKind), "kind", "a known kind")
    _must_match(_ID, entry.asset_id, "asset_id", "16 lower-case hex digits")
    _must_match(content, entry.asset_sha256, "asset_sha256", "64 lower-case hex digits")
    _must_match(content, entry.manifest_sha256, "manifest_sha256", "64 lower-case hex digits")
    _must_match(_DIGEST, entry.record_sha256, "record_sha256", "64 lower-case hex digits")
    _must_match(_TIME, entry.recorded_at, "recorded_at", "RFC 3339 in UTC, whole seconds")
    _must(entry.effect in _EFFECTS, "effect", "a known effect")
    for digest in entry.policy_digests:
        _must_match(_DIGEST, digest, "policy_digests", "64 lower-case hex digits each")
    for name, value in entry.extra:
        _must_match(_NAME, name, "extra", "short lower-case names")
        _must_match(_ID_OR_DIGEST, value, "extra", "ids or digests as values")
    names = [name for name, _ in entry.extra]
    _must(names == sorted(set(names)), "extra", "sorted names, each once")


def _must_match(pattern: Pattern[str], value: object, where: str, expected: str) -> None:
    _must(isinstance(value, str) and pattern.fullmatch(value) is not None, where, expected)


def _must(condition: bool, where: str, expected: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not condition:
        raise _bad(where, expected)


def _bad(where: str, expected: str) -> LedgerError:
    # The value itself is never repeated: it may be the very text that must not be written down.
    return LedgerError(
        f"a ledger entry does not fit: {where}: expected {expected}",
        code="ledger.entry",
        hint="Entries hold ids and digests only; texts belong in the private record.",
    )
