"""What the library reported, made into a ``Reading``: pure, and its word on the signature is checked a second time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sdsafe.core.findings import Severity
from sdsafe.provenance.manifest.reading import Reading, StatusCode
from sdsafe.provenance.manifest.signature import SignatureUnreadable, read_claim_signature

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["MAX_MESSAGE", "failed", "interpreted"]

MAX_MESSAGE = 200
"""Characters that are kept of a text of the library: it may repeat parts of a hostile file."""


def interpreted(
    report: Mapping[str, Any], manifests: Sequence[Mapping[str, Any]], store: bytes, time_anchors: tuple[bytes, ...]
) -> Reading:
    """Return what a report on a manifest store says.

    Args:
        report: Of the library; it names an active manifest.
        manifests: Those of the store as crJSON.
        store: The manifest store itself.
        time_anchors: What the report's time-stamps were held against.
    """
    label = str(report["active_manifest"])
    manifest: Mapping[str, Any] = next((each for each in manifests if each.get("label") == label), {})
    reading = Reading(
        library_state=str(report.get("validation_state") or ""),
        codes=tuple(_codes(report.get("validation_results") or {})),
        label=label,
        manifest=manifest,
        before=_before(manifests, manifest),
        store=store,
    )
    proven, stamped = _proven_time(reading, time_anchors), _stamped_at(reading)
    return _with_signature(replace(reading, signature_time=proven, stamped_at=stamped))


def failed(kind: str, message: str) -> Reading:
    """Return a reading that failed as ``manifest.unreadable.*``."""
    code = StatusCode(code=f"manifest.unreadable.{kind}", severity=Severity.FAILURE, explanation=message)
    return Reading(codes=(code,))


def _codes(results: Mapping[str, Any]) -> Iterator[StatusCode]:
    yield from _code_lists(results.get("activeManifest") or {}, ingredient=False)
    for delta in results.get("ingredientDeltas") or ():
        yield from _code_lists(delta.get("validationDeltas") or {}, ingredient=True)


def _code_lists(lists: Mapping[str, Any], *, ingredient: bool) -> Iterator[StatusCode]:
    for severity in Severity:
        for entry in lists.get(severity.value) or ():
            yield StatusCode(
                code=str(entry.get("code")),
                severity=severity,
                explanation=str(entry.get("explanation") or "")[:MAX_MESSAGE],
                url=str(entry.get("url") or ""),
                ingredient=ingredient,
            )


def _with_signature(reading: Reading) -> Reading:
    """Add algorithm and certificates from our own reading of the signature; a contradiction is a failure."""
    try:
        signature = read_claim_signature(reading.store, reading.label)
    except SignatureUnreadable as error:
        note = f"claim signature: not checked a second time, so nobody can be trusted for it: {error}"
        return replace(reading, not_checked=(*reading.not_checked, note))
    found = replace(reading, alg=signature.alg, certificate_chain=signature.chain, stapled=signature.stapled)
    if found.before is not None:
        found = replace(found, same_signer=_same_signer(found))
    if found.before is not None and not found.same_signer:
        note = "manifest: updated by somebody else than signed the one before, whose statements are not shown"
        found = replace(found, not_checked=(*found.not_checked, note))
    if signature.holds:
        return found
    mismatch = StatusCode(
        code="claimSignature.mismatch",
        severity=Severity.FAILURE,
        explanation="the claim signature does not verify with the certificate in it",
    )
    return found if "claimSignature.mismatch" in found.failures else replace(found, codes=(*found.codes, mismatch))


def _before(manifests: Sequence[Mapping[str, Any]], active: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first manifest that is no update, following the parents of one that is; None: the active one is none."""
    manifest: Mapping[str, Any] | None = active
    for _ in manifests:
        if manifest is None or not manifest.get("isUpdateManifest"):
            break
        assertions = manifest.get("assertions")
        bodies = (
            [each for each in assertions.values() if isinstance(each, dict)] if isinstance(assertions, dict) else []
        )
        parent = next((each for each in bodies if each.get("relationship") == "parentOf"), {}).get("activeManifest")
        label = str(parent.get("url")).rpartition("/")[2] if isinstance(parent, dict) else ""
        manifest = next((each for each in manifests if each.get("label") == label), None)
    return None if manifest is active else manifest


def _same_signer(reading: Reading) -> bool:
    """Say whether the manifest before has a signature that holds, of the very certificate that signed the update."""
    try:
        signature = read_claim_signature(reading.store, str((reading.before or {}).get("label")))
    except SignatureUnreadable:
        return False
    return signature.holds and signature.chain[0] == reading.certificate_chain[0]


def _proven_time(reading: Reading, time_anchors: tuple[bytes, ...]) -> str | None:
    """Return the time of signing if an authority on the auditor's own list vouches for it.

    Only for claims of version 2: with version 1 the library calls every time-stamp trusted (measured with 0.91.3),
    so that anybody could date a claim back.
    """
    if not time_anchors or not _passed(reading, "timeStamp.trusted") or "claim.v2" not in reading.manifest:
        return None
    return _stamped_at(reading)


def _stamped_at(reading: Reading) -> str | None:
    """Return the time of a time-stamp over this claim that holds, whoever made it."""
    if not _passed(reading, "timeStamp.validated"):
        return None
    signature = reading.manifest.get("signature")
    stamp = signature.get("timeStampInfo") if isinstance(signature, dict) else None
    time = stamp.get("timestamp") if isinstance(stamp, dict) else None
    return time if isinstance(time, str) else None


def _passed(reading: Reading, code: str) -> bool:
    return any(each.code == code and not each.ingredient for each in reading.codes)
