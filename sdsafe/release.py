"""Steps of a release that the spine calls by name: what the file states, and what is read back from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sdsafe._internal import images
from sdsafe._internal.clock import rfc3339
from sdsafe.core.canonical import canonical_digest
from sdsafe.core.decisions import Effect
from sdsafe.core.digests import sha256_hex
from sdsafe.core.findings import Stage
from sdsafe.core.receipts import EntryKind, LedgerEntry
from sdsafe.core.report import Evidence, ManifestState, ManifestSummary
from sdsafe.core.request import Task
from sdsafe.core.states import Refused
from sdsafe.errors import ExportRefusedError, InputRefusedError, ManifestError, OutputRefusedError, RequestError
from sdsafe.obligations.discharging import discharge
from sdsafe.obligations.means import Finished
from sdsafe.protocols import Sized
from sdsafe.provenance.manifest import container
from sdsafe.provenance.manifest.conformance import conformance
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.metadata import statements
from sdsafe.provenance.metadata.embedding import embed, read

if TYPE_CHECKING:
    from sdsafe.core.decisions import Decision, Discharge, FiredRule
    from sdsafe.core.findings import Box, CheckResult
    from sdsafe.core.house import House
    from sdsafe.core.plans import Plan
    from sdsafe.core.request import GenerationRequest, Size
    from sdsafe.core.states import Asset, Cleared, Encoded, Generated, Marked, Signed
    from sdsafe.errors import RefusedError
    from sdsafe.gates.registry.gate import LicenceGate
    from sdsafe.protocols import Watermarker
    from sdsafe.provenance.metadata.model import Metadata

__all__ = [
    "as_it_was",
    "asking_people",
    "discharged",
    "encode",
    "entry",
    "hidden_places",
    "hiding",
    "public",
    "public_file",
    "read_back",
    "refused",
    "require_format",
    "require_room",
]


_STAGES = {
    InputRefusedError: Stage.INPUT,
    OutputRefusedError: Stage.OUTPUT,
    ExportRefusedError: Stage.EXPORT,
}  # whose rules refused, also ahead


def require_room(watermarker: Watermarker, size: Size | None) -> None:
    """Make sure before generation that a picture of this size can be marked, where the watermarker knows.

    Raises:
        WatermarkError: ``watermark.too-small``.
    """
    if size is not None and isinstance(watermarker, Sized):
        watermarker.check_size(size.width, size.height)


def require_format(request: GenerationRequest) -> None:
    """Make sure before generation that the file that is asked for can be written.

    Raises:
        RequestError: ``request.format``.
    """
    if request.task is not Task.SIGN and (request.statement is not None or not request.marked):
        raise RequestError(
            "what is made here is marked, and said to be made here",
            code="request.format",
            hint="Only a picture that was made elsewhere is signed without a mark, or with somebody's word.",
        )
    if request.is_sound:
        return
    lossy = images.ENCODABLE - images.LOSSLESS
    if request.media_type not in images.ENCODABLE:
        raise RequestError(
            f"pictures cannot be written as {str(request.media_type)[:60]!r}",
            code="request.format",
            hint=f"Media types: {', '.join(sorted(images.ENCODABLE))}.",
        )
    if request.quality is None:
        return
    if request.media_type not in lossy:
        raise RequestError(
            f"{request.media_type} keeps every pixel and has no quality",
            code="request.format",
            hint=f"Leave it out, or choose one of {', '.join(sorted(lossy))}.",
        )
    if type(request.quality) is not int or request.quality not in images.QUALITIES:
        raise RequestError("quality must be a whole number from 1 to 100", code="request.format", hint="Correct it.")


def refused(refusal: RefusedError, stage: Stage, generated: Generated | None = None) -> Refused:
    """Return a refusal as the outcome that callers get."""
    if refusal.code.startswith("hard."):
        generated = None  # nothing that would lead back to the picture
    return Refused(
        stage=_STAGES.get(type(refusal), stage),
        decision=refusal.decision,
        checks=refusal.checks,
        reason=refusal.code,
        message=str(refusal),
        hint=refusal.hint,
        asset_id=generated.asset_id if generated else None,
        seed=generated.seed if generated else None,
    )


def public(generated: Generated, licences: LicenceGate) -> Generated:
    """Return what the public may know of it: private models and adapters by their aliases."""
    execution, admitted = generated.execution, generated.admitted
    request = replace(
        admitted.request,
        model=licences.public(admitted.request.model),
        adapters=tuple(licences.public_adapter(each) for each in admitted.request.adapters),
    )
    return replace(
        generated,
        execution=replace(
            execution,
            model=licences.public(execution.model),
            adapters=tuple(licences.public_adapter(each) for each in execution.adapters),
        ),
        admitted=replace(admitted, request=request),
    )


def public_file(encoded: Encoded, licences: LicenceGate) -> Encoded:
    """Return the encoded state as the manifest may show it; see ``public``."""
    cleared = encoded.marked.cleared
    shown = replace(cleared, generated=public(cleared.generated, licences))
    return replace(encoded, marked=replace(encoded.marked, cleared=shown))


def as_it_was(marked: Marked) -> bytes | None:
    """Return the file of a picture that is signed without a mark, as it was but for its manifest store.

    None: nothing stays as it was, because of a mark, another format, metadata, or what policy changes in the picture.
    """
    cleared = marked.cleared
    request = cleared.generated.admitted.request
    if marked.watermark is not None or cleared.actions or cleared.plan.labels or cleared.plan.writes_metadata:
        return None
    (picture,) = request.inputs
    return container.without_store(picture.data) if picture.media_type == request.media_type else None


def encode(marked: Marked, media_type: str, house: House, licences: LicenceGate) -> bytes:
    """Return the file of a marked picture, with the metadata that its plan asks for."""
    quality = marked.cleared.generated.admitted.request.quality
    data = images.encode(marked.pixels, media_type, **({} if quality is None else {"quality": quality}))
    if not marked.cleared.plan.writes_metadata:
        return data
    return embed(data, media_type, _metadata(marked.cleared, house, licences))


def discharged(
    encoded: Encoded, asset: Asset, house: House, licences: LicenceGate, *, manifest: ManifestSummary | None = None
) -> tuple[Discharge, ...]:
    """Return what the file shows of every obligation of its plan.

    Args:
        encoded: The states before; its pixels are those of the file, which was compared when it was encoded.
        asset: The file itself, signed or not yet.
        house: Who makes it.
        licences: Names what is private.
        manifest: As read back from the signed file.
    """
    cleared = encoded.marked.cleared
    intended, declared = _metadata(cleared, house, licences), read(asset)
    mark = encoded.marked.watermark
    finished = Finished(
        pixels=encoded.marked.pixels,
        readback=encoded.readback,
        watermark=None if mark is None else mark.value,
        declared=lambda obligation: statements.discharge(obligation, declared, intended),
        checks=cleared.checks,
        attestations=cleared.generated.admitted.request.attestations,
        labels=cleared.plan.labels,
        label_font=house.label_font,
        opinions=cleared.opinions,
        blurred=cleared.pixels if "blur" in cleared.actions else None,
        manifest=manifest,
    )
    return discharge(cleared.plan, finished)


def asking_people(decision: Decision) -> tuple[FiredRule, ...]:
    """Return the rules for whose sake a picture waits for people."""
    asked = {"human_review", "classifier_or_review"}
    return tuple(
        rule
        for rule in decision.fired
        if rule.effect is Effect.REVIEW or any(each.code in asked for each in rule.obligations)
    )


def hiding(decision: Decision) -> tuple[FiredRule, ...]:
    """Return the rules that oblige to hide something."""
    return tuple(rule for rule in decision.fired if any(each.code == "blur" for each in rule.obligations))


def hidden_places(plan: Plan, decision: Decision, checks: tuple[CheckResult, ...]) -> tuple[Box, ...] | None:
    """Return what has to be hidden: the boxes that the rules point at, or None for everything.

    Everything is hidden where a rule says so, where one of its findings has no place, and where there is no finding.
    """
    found = [finding for check in checks for finding in check.findings]
    boxes = [found[index].box for rule in hiding(decision) for index in rule.findings]
    if plan.blur != "region" or not boxes or None in boxes:
        return None
    return tuple(box for box in boxes if box is not None)


def read_back(asset: Asset, encoded: Encoded) -> ManifestSummary:
    """Read the signed bytes as a stranger would and return what their manifest says.

    Raises:
        ManifestError: ``manifest.readback``: anything is amiss. ``manifest.conformance``: it is valid, and does not
            say what the C2PA conformance program asks for.
    """
    seen, reading = ManifestProbe().look(asset, Evidence())
    if seen.manifest is not ManifestState.VALID or seen.summary is None:
        codes = ", ".join(f.code for f in seen.findings if f.severity == "failure") or "no manifest found"
        raise ManifestError(f"the signed file does not read back as valid: {codes}", code="manifest.readback")
    if seen.summary.asset_id != str(encoded.marked.cleared.generated.asset_id):
        raise ManifestError("the signed file reads back with another asset id", code="manifest.readback")
    if failed := [each for each in conformance(reading.manifest) if not each.passed]:
        says = "; ".join(f"{each.check.id} ({', '.join(each.found)})" for each in failed)
        raise ManifestError(f"the manifest is not conformant: {says}", code="manifest.conformance")
    if not _only_signed(asset, encoded.asset):
        raise ManifestError("signing changed more than the manifest", code="manifest.readback")
    return seen.summary


def _only_signed(signed: Asset, plain: Asset) -> bool:
    """Say whether two files differ in the manifest store alone.

    Equal bytes decode to equal pixels, and those were looked at when the file was encoded. AVIF and TIFF point at
    places in the file that signing moves: there, pixels and metadata are compared as they are read.
    """
    if signed.sidecar is not None:
        return signed.data == plain.data
    if plain.media_type in container.REMOVABLE_TYPES:
        return container.without_store(signed.data) == plain.data
    return np.array_equal(images.decode(signed.data), images.decode(plain.data)) and read(signed) == read(plain)


def entry(kind: EntryKind, signed: Signed, record_sha256: str) -> LedgerEntry:
    """Return what the ledger says of a signed asset.

    ``extra`` binds the discharges: the SHA-256 of canonical JSON: label, then code, parameters, evidence and ok of each.
    The manifest's label, which is random, stands before it, so that the digest gives nothing away. Where people had to
    approve, ``review`` binds what they said in the same way: name, role, reason and time of each.
    """
    cleared = signed.encoded.marked.cleared
    decision = cleared.judgement
    said = [[each.reviewer, each.role, each.reason, each.at] for each in cleared.opinions]
    review = (("review", canonical_digest([signed.manifest_label, said])),) if said else ()
    shown = [[each.obligation.code, dict(each.obligation.params), each.evidence, each.ok] for each in signed.discharges]
    return LedgerEntry(
        kind=kind,
        asset_id=str(cleared.generated.asset_id),
        asset_sha256=sha256_hex(signed.asset.data),
        manifest_sha256=sha256_hex(signed.manifest_store),
        policy_digests=tuple(ref.digest for ref in decision.policy),
        effect=decision.effect.label,
        record_sha256=record_sha256,
        recorded_at=rfc3339(),
        extra=(("discharges", canonical_digest([signed.manifest_label, shown])), *review),
    )


def _metadata(cleared: Cleared, house: House, licences: LicenceGate) -> Metadata:
    plan = cleared.plan
    return statements.declare(
        public(cleared.generated, licences),
        producer=plan.aigc.stated if plan.aigc else None,
        credits=plan.attributions,
        publisher=statements.Publisher(provider=house.organisation.name),
    )
