"""Two steps of verification: the manifest in the file, and the one that a soft binding led to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from sdsafe._internal.certificates import load, validity_faults
from sdsafe._internal.versions import version
from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.core.report import Evidence, ManifestState, ManifestSummary, SoftMatch, SoftState
from sdsafe.provenance.manifest import _c2pa, container, jumbf, labels
from sdsafe.provenance.manifest.reading import Reading, StatusCode, state_of, summarise
from sdsafe.provenance.manifest.tree import grow, has_ancestors, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sdsafe.core.states import Asset

__all__ = ["FORGIVEN_IN_A_STORE", "ManifestProbe", "RecoveryProbe"]

_EXPIRED = "signingCredential.expired"

FORGIVEN_IN_A_STORE = labels.HARD_BINDING_MISMATCHES | {_EXPIRED}
"""Exactly what a recovered store may fail in, and why.

The hard binding is about the original's bytes, which are not here. The certificate was valid when the manifest was
recorded, which the ledger dates; that it has ended since does not unsay it. Claim signature and the hash of every
assertion must hold, and whether anybody vouches for the signer is not asked.
"""

_VACUOUS = {labels.UNTRUSTED, "signingCredential.trusted"}
"""Codes that the library cannot know, because it was given no list; the trust probe says what is the case."""


class ManifestProbe:
    """Reads the manifest in the file and says how far it got; who signed it is judged elsewhere."""

    name = "manifest"

    def __init__(self, *, time_anchors: Iterable[bytes] = (), at: datetime | None = None) -> None:
        """Keep what the auditor brings along.

        Args:
            time_anchors: Roots (PEM) that are trusted for time-stamps; without them no time is proven.
            at: Time of validation (aware), for which the library has no argument; default: now.
        """
        self._time_anchors = tuple(time_anchors)
        self._at = at

    def examine(self, asset: Asset, seen: Evidence, /) -> Evidence:
        """Set manifest state and summary, and add every status code as a finding."""
        return self.look(asset, seen)[0]

    def look(self, asset: Asset, seen: Evidence) -> tuple[Evidence, Reading]:
        """Do what ``examine`` does, and return besides what was read."""
        reading = _c2pa.read(asset, time_anchors=self._time_anchors)
        irregular = (*_irregularities(asset, reading), *_out_of_time(reading, self._at))
        tolerated = frozenset() if self._at is None else frozenset({_EXPIRED})
        state = ManifestState.INVALID if irregular else state_of(reading, tolerated=tolerated)
        codes = [each for each in reading.codes if each.ingredient or each.code not in tolerated]
        findings = _findings((*codes, *irregular, *_ancestry(reading)), self.name)
        evidence = replace(seen, manifest=state, summary=summarise(reading)).noting(
            findings, not_checked=(*reading.not_checked, *_lenient(asset, reading))
        )
        return evidence, reading


class RecoveryProbe:
    """Reads the stored manifest that a soft binding led to, when the file itself has none."""

    name = "recovery"

    def examine(self, asset: Asset, seen: Evidence, /) -> Evidence:  # noqa: ARG002 - the slot's signature
        """Add the recovered summary; a store that does not hold makes the soft binding a mismatch."""
        if seen.manifest is not ManifestState.ABSENT or seen.soft is not SoftState.MATCH or not seen.matches:
            return seen
        for match in seen.matches:
            seen, summary = self._follow(match, seen)
            if summary is not None:
                note = "trust: the signer of a recovered manifest is not held against the trust lists"
                return replace(seen, summary=summary).noting(not_checked=[note])
        return replace(seen, soft=SoftState.MISMATCH)

    def _follow(self, match: SoftMatch, seen: Evidence) -> tuple[Evidence, ManifestSummary | None]:
        reading = _c2pa.read_store(match.manifest_store)
        summary = summarise(reading)
        codes = [_softened(code) for code in reading.codes]
        codes += [
            StatusCode(code=code, severity=Severity.FAILURE, explanation=says)
            for code, says in (*jumbf.problems(match.manifest_store), *_disagreements(match, summary))
        ]
        noted = seen.noting(_findings(codes, self.name), not_checked=reading.not_checked)
        whole = state_of(reading, tolerated=FORGIVEN_IN_A_STORE) is ManifestState.VALID
        failed = any(c.severity is Severity.FAILURE and not c.ingredient and c.code not in _VACUOUS for c in codes)
        if not whole or failed or summary is None:
            return noted, None
        return noted, replace(summary, recovered=True)


def _ancestry(reading: Reading) -> Iterator[StatusCode]:
    """Yield a failure for every manifest below the active one that does not hold, or did not when it went in.

    It moves no state: the active manifest is as good as it is. But what it stands on is not passed over.
    """
    if not reading.store or not has_ancestors(reading):
        return
    for node in walk(grow(reading.store, reading.label)):
        if node.label == reading.label or node.sound:
            continue
        name = node.title or node.label
        says = f"does not hold: {', '.join(node.failures)}" if node.failures else "does not hold"
        if node.intact:
            says = f"did not hold when it went in: {', '.join(node.recorded)}"
        yield StatusCode(
            code="org.sdsafe.ingredient.unsound",
            severity=Severity.FAILURE,
            explanation=f"the manifest of the {node.relationship or 'ingredient'} {name!r} {says}",
            url=node.label,
            ingredient=True,
        )


def _out_of_time(reading: Reading, at: datetime | None) -> Iterator[StatusCode]:
    """Yield a failure where the signer's certificate does not hold at the time of validation.

    The library judges as of today, and its word on that is set aside. A proven time of signing goes before ``at``.
    """
    if at is None or not reading.certificate_chain:
        return
    moment = at if reading.signature_time is None else datetime.fromisoformat(reading.signature_time)
    for fault in validity_faults(load(reading.certificate_chain[0]), moment):
        yield StatusCode(
            code=_EXPIRED, severity=Severity.FAILURE, explanation=f"the signer's certificate: {fault.says}"
        )


def _softened(code: StatusCode) -> StatusCode:
    """Say of a failure that is forgiven that it is expected, rather than leaving it out."""
    if code.ingredient or code.code not in FORGIVEN_IN_A_STORE:
        return code
    why = "expected: the store was read without the original's bytes, and as of today"
    return replace(code, severity=Severity.INFORMATIONAL, explanation=f"{why} ({code.explanation})")


def _disagreements(match: SoftMatch, summary: ManifestSummary | None) -> Iterator[tuple[str, str]]:
    """Yield a failure where the stored manifest does not name the asset and algorithm that led to it (C2PA 2.4, 9.3)."""
    if summary is None:
        return
    if summary.asset_id != match.asset_id:
        yield "org.sdsafe.recovery.mismatch", "the stored manifest is about another asset than the soft binding names"
    generation = summary.generation
    watermark, fingerprints = generation.get("watermark"), generation.get("fingerprints")
    listed = [watermark, *(fingerprints if isinstance(fingerprints, list) else ())]
    if match.alg not in [each.get("alg") for each in listed if isinstance(each, dict)]:
        yield "org.sdsafe.recovery.mismatch", f"the stored manifest does not name the soft binding {match.alg!r}"


def _irregularities(asset: Asset, reading: Reading) -> Iterator[StatusCode]:
    """Yield what the library lets pass although no hash covers it."""
    if reading.beside and asset.sidecar is not None:
        problems = jumbf.problems(asset.sidecar)
    elif asset.media_type in container.STRICT_TYPES:
        problems = container.problems(asset.data, asset.media_type)
    else:
        problems = jumbf.problems(reading.store) if reading.store else iter(())
    for code, says in problems:
        yield StatusCode(code=code, severity=Severity.FAILURE, explanation=says)


def _lenient(asset: Asset, reading: Reading) -> Iterator[str]:
    if reading.present and asset.media_type not in container.STRICT_TYPES and not reading.beside:
        yield f"container: bytes of {asset.media_type} that no hash covers are not looked at"


@cache
def _tool() -> str:
    return f"{version('sdsafe')} ({_c2pa.library_version()})"


def _findings(codes: Iterable[StatusCode], source: str) -> Iterator[Finding]:
    for code in codes:
        if code.code in _VACUOUS and not code.ingredient:
            continue
        yield Finding(
            code=code.code,
            severity=code.severity,
            stage=Stage.VERIFY,
            source=source,
            source_version=_tool(),
            category="ingredient" if code.ingredient else None,
            explanation=code.explanation,
            data={"url": code.url} if code.url else {},
        )
