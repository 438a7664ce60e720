"""The manifests of one file as a tree: the active one, what went into it, and what went into that.

A validator's state is that of the active manifest. A picture that was broken before it was edited gives an edited
picture that is *trusted*, with the damage a line in the report. So every manifest in the store is read here as if it
were the active one: the store is written anew with it at the end. Only its hard binding cannot be asked, because the
file it was about is not here; what was found when it went in is on record in the ingredient, and is looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sdsafe._internal.shapes import text
from sdsafe.core.findings import Severity
from sdsafe.core.report import ManifestState
from sdsafe.provenance.manifest import _c2pa, jumbf, labels
from sdsafe.provenance.manifest.reading import Reading, state_of, summarise

if TYPE_CHECKING:
    from sdsafe.core.report import ManifestSummary

__all__ = ["FORGIVEN", "Ingredient", "Node", "grow", "has_ancestors", "walk"]

FORGIVEN = labels.HARD_BINDING_MISMATCHES | {"signingCredential.expired"}
"""What a manifest may fail in that is read without its file, and as of today."""

_DEEPEST = 64
_MOST = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredient:
    """Something that went in and carries no manifest."""

    title: str
    relationship: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One manifest, and what went into what it is about."""

    label: str
    relationship: str = ""
    """What it was to the manifest above: ``parentOf``, ``componentOf`` or ``inputTo``; empty for the active one."""
    title: str = ""
    """What the manifest above calls it."""
    intact: bool = False
    """Claim signature and assertions hold; of its file nothing can be said here."""
    failures: tuple[str, ...] = ()
    """Status codes of what does not hold."""
    recorded: tuple[str, ...] = ()
    """Failures that were found, and put on record, when it went in."""
    redacted: tuple[str, ...] = ()
    """Assertions that a manifest above took out, and says so."""
    recovered: bool = False
    """It had been removed from the file and was found again in a repository, says the manifest above."""
    summary: ManifestSummary | None = None
    nodes: tuple[Node, ...] = ()
    """Ingredients with manifests."""
    plain: tuple[Ingredient, ...] = ()
    """Ingredients without."""

    @property
    def sound(self) -> bool:
        """Whether nothing is amiss with this manifest itself."""
        return self.intact and not self.recorded


def grow(store: bytes, label: str) -> Node:
    """Return the tree below the manifest ``label`` of a store. Never raises on what the store holds.

    Args:
        store: Manifest store, JUMBF.
        label: Of the manifest at the top.
    """
    return _Grower(store).node(label, ())


def has_ancestors(reading: Reading) -> bool:
    """Say whether anything that went in carries a manifest."""
    return any(_manifest_of(each) for each in _ingredients(reading))


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, parents first."""
    yield node
    for each in node.nodes:
        yield from walk(each)


class _Grower:
    def __init__(self, store: bytes) -> None:
        self._store = store
        try:
            self._boxes = {box.label: box for box in jumbf.parse(store).children[1:]}
        except jumbf.JumbfError:
            self._boxes = {}
        self._left = _MOST

    def node(
        self,
        label: str,
        above: tuple[str, ...],
        *,
        relationship: str = "",
        title: str = "",
        redacted: frozenset[str] = frozenset(),
    ) -> Node:
        box = self._boxes.get(label)
        self._left -= 1
        if box is None or label in above or len(above) >= _DEEPEST or self._left < 0:
            why = "ingredient.manifest.missing" if box is None else "ingredient.unknownProvenance"
            return Node(label=label, relationship=relationship, title=title, failures=(why,))
        reading = _c2pa.read_store(self._with_last(box))
        excused = FORGIVEN | _excused(reading, redacted)
        intact = state_of(reading, tolerated=excused) is ManifestState.VALID
        redacted |= _redactions(reading)
        summary = summarise(reading)
        found_again = _found_again(summary)
        nodes, plain = [], []
        for each in _ingredients(reading):
            named, kind = text(each.get("dc:title")), text(each.get("relationship"))
            manifest = _manifest_of(each)
            if manifest is None:
                plain.append(Ingredient(title=named, relationship=kind))
                continue
            below = self.node(manifest, (*above, label), relationship=kind, title=named, redacted=redacted)
            nodes.append(_with_record(below, each, found_again))
        return Node(
            label=label,
            relationship=relationship,
            title=title,
            intact=intact,
            failures=() if intact else tuple(sorted(reading.failures - excused)) or ("claimSignature.missing",),
            redacted=tuple(sorted(each.rpartition("/")[2] for each in redacted if f"/{label}/" in each)),
            summary=summary,
            nodes=tuple(nodes),
            plain=tuple(plain),
        )

    def _with_last(self, last: jumbf.Box) -> bytes:
        """Return the store with one manifest at the end: that is what makes it the active one."""
        root = jumbf.parse(self._store)
        others = [box for box in root.children if box is not last]
        content = b"".join(self._raw(box) for box in (*others, last))
        return struct.pack(">I4s", len(content) + 8, b"jumb") + content

    def _raw(self, box: jumbf.Box) -> bytes:
        return self._store[box.offset : box.offset + 8 + len(box.content)]


def _redactions(reading: Reading) -> frozenset[str]:
    """Return the URIs of the assertions that a manifest says it took out of those before it."""
    claim = reading.manifest.get("claim.v2")
    listed = claim.get("redacted_assertions") if isinstance(claim, Mapping) else None
    return frozenset(each for each in listed if isinstance(each, str)) if isinstance(listed, list) else frozenset()


def _excused(reading: Reading, redacted: frozenset[str]) -> frozenset[str]:
    """Return the failure codes that come of redactions above alone: what is missing was taken out, and that was said.

    The hash of a manifest that was redacted is another one, too; its claim and signature are still bound.
    """
    manifests = {each.partition("/c2pa.assertions/")[0] for each in redacted}
    excused: set[str] = set()
    others: set[str] = set()
    for code in reading.codes:
        if code.severity is not Severity.FAILURE:
            continue
        missing = code.code == "assertion.missing" and code.url in redacted
        changed = code.code == "ingredient.manifest.mismatch" and code.url in manifests
        (excused if missing or changed else others).add(code.code)
    return frozenset(excused - others)


def _found_again(summary: ManifestSummary | None) -> frozenset[str]:
    """Return the ids of inputs whose manifest was recovered, as ``org.sdsafe.generation`` states."""
    inputs = summary.generation.get("inputs") if summary else None
    origins = [each.get("origin") for each in inputs if isinstance(each, Mapping)] if isinstance(inputs, list) else []
    recovered = [each for each in origins if isinstance(each, Mapping) and each.get("manifest") == "recovered"]
    return frozenset(text(each.get("asset_id")) for each in recovered)


def _with_record(node: Node, ingredient: Mapping[str, object], found_again: frozenset[str]) -> Node:
    """Return a node with the failures that its ingredient assertion has on record.

    A manifest that was found again is about a file that was not there: that mismatch is no failure.
    """
    results = ingredient.get("validationResults")
    active = results.get("activeManifest") if isinstance(results, Mapping) else None
    failed = active.get("failure") if isinstance(active, Mapping) else None
    codes = [text(each.get("code")) for each in failed or () if isinstance(each, Mapping)] if failed else []
    excused = {labels.UNTRUSTED, "signingCredential.expired"}
    recorded = tuple(dict.fromkeys(code for code in codes if code and code not in excused))
    if node.summary is not None and node.summary.asset_id in found_again:
        rest = tuple(code for code in recorded if code not in labels.HARD_BINDING_MISMATCHES)
        return replace(node, recorded=rest, recovered=True)
    return replace(node, recorded=recorded)


def _ingredients(reading: Reading) -> Iterator[Mapping[str, object]]:
    assertions = reading.manifest.get("assertions")
    for label, body in assertions.items() if isinstance(assertions, Mapping) else ():
        if str(label).startswith("c2pa.ingredient") and isinstance(body, Mapping):
            yield body


def _manifest_of(ingredient: Mapping[str, object]) -> str | None:
    """Return the label of an ingredient's manifest (``activeManifest``; ``c2pa_manifest`` in version 1 and 2)."""
    reference = ingredient.get("activeManifest") or ingredient.get("c2pa_manifest")
    url = reference.get("url") if isinstance(reference, Mapping) else None
    return url.rstrip("/").rpartition("/")[2] if isinstance(url, str) else None
