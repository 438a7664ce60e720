"""Whether a file may be signed, from what is shown of it: pure, over values that may be hostile.

What is examined is what is signed: the decisions are read from the very document that becomes the manifest, not from
a copy beside it. Each check of that document must have its receipt, and each receipt its check.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from sdsafe._internal.shapes import mapping
from sdsafe.core.canonical import canonical_digest
from sdsafe.core.decisions import Effect
from sdsafe.core.digests import sha256_hex
from sdsafe.core.findings import CheckStatus, Stage
from sdsafe.core.ids import AssetId
from sdsafe.core.request import Task
from sdsafe.errors import SigningError
from sdsafe.provenance.manifest import labels
from sdsafe.provenance.manifest.dossier import subject_of_inputs
from sdsafe.provenance.manifest.generation import FORMAT_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.dossier import CheckReceipt, Dossier
    from sdsafe.signer.floor import Floor

__all__ = ["LONGEST_REVIEW", "Vetted", "examine"]

LONGEST_REVIEW = timedelta(days=90)
"""How old receipts may be where people had to approve; their approval must be as fresh as receipts otherwise are."""

_SKEW = timedelta(seconds=60)
_STAGES = ("prompt", "output", "export")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DOCUMENT = {"claim_generator_info", "title", "format", "ingredients", "assertions"}
_ASSERTIONS = {labels.ACTIONS, labels.AI_DISCLOSURE, labels.GENERATION, "c2pa.soft-binding"}
_SOURCES = {labels.SOURCE_TRAINED, labels.SOURCE_COMPOSITE, labels.SOURCE_ENHANCED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vetted:
    """What the log says of a file that may be signed."""

    asset_id: str
    effect: str
    policy_digests: tuple[str, ...]
    content: str
    """SHA-256 of the file before it is signed."""
    assertion: str
    """SHA-256 of ``org.sdsafe.generation`` as canonical JSON."""
    receipts: str
    """SHA-256 of the receipts as canonical JSON."""


def examine(shown: Dossier, floor: Floor, at: datetime) -> Vetted:
    """Return what a file is signed as.

    (1) The document is one of ours, about this file, with one generation assertion of the signer's own.
    (2) Nothing in it says that no model took part.
    (3) Every decision lets the file out; where one asks for people, people approved.
    (4) Every pack of the floor judged in the version that is known here, and nothing unknown did.
    (5) Checks and receipts fit each other one by one, ended ``ok``, are about this file, and are fresh.
    (6) Every check of the floor is among them.

    Raises:
        SigningError: ``signer.document``, ``.no-decision``, ``.elsewhere``, ``.refused``, ``.policy``, ``.receipt``,
            ``.check``, ``.no-check`` or ``.stale``.
    """
    assertion = _generation(shown, floor)
    effect = _effect(assertion)
    policies = _policies(assertion, floor)
    _require_receipts(assertion, shown.receipts)
    _require_fresh(assertion, shown.receipts, floor, at)
    _require_checks(assertion, shown.receipts, floor)
    return Vetted(
        asset_id=_asset_id(assertion),
        effect=effect.label,
        policy_digests=policies,
        content=sha256_hex(shown.asset.data),
        assertion=canonical_digest(assertion),
        receipts=canonical_digest([_written(each) for each in shown.receipts]),
    )


def _generation(shown: Dossier, floor: Floor) -> Mapping[str, object]:
    """Steps 1 and 2."""
    document = shown.document
    if not set(document) <= _DOCUMENT or document.get("format") != shown.asset.media_type:
        _refuse("document", "the manifest is not one of sdsafe for this file")
    agents = [each.get("name") for each in _objects(document.get("claim_generator_info"))]
    if agents != ["sdsafe"]:
        _refuse("document", "the manifest does not name sdsafe, and sdsafe alone, as its claim generator")
    assertions = list(_objects(document.get("assertions")))
    value = _decision_record(assertions)
    if value.get("task") == Task.SIGN.value and not floor.elsewhere:
        hint = "Start it with --elsewhere, or sign this file with another key."
        _refuse("elsewhere", "this signer signs only what was made here", hint)
    names = [str(each.get("label")) for each in assertions if not (floor.elsewhere and _is_word_of_others(each))]
    if len(set(names)) != len(names) or not set(names) <= _ASSERTIONS:
        _refuse("document", "the manifest would hold assertions that this signer does not know")
    for action in _actions(assertions):
        if action.get("digitalSourceType", labels.SOURCE_TRAINED) not in _SOURCES:
            _refuse("document", "the manifest would say that no model made this")
    return value


def _decision_record(assertions: list[Mapping[str, object]]) -> Mapping[str, object]:
    ours = [each for each in assertions if each.get("label") == labels.GENERATION and each.get("created") is True]
    value = ours[0].get("data") if ours else None
    if not isinstance(value, Mapping) or value.get("version") != FORMAT_VERSION:
        _refuse("no-decision", "there is no decision record: the manifest has no assertion org.sdsafe.generation")
    return value


def _is_word_of_others(assertion: Mapping[str, object]) -> bool:
    """Say whether this is what people state of a picture: not created, so that it counts as gathered."""
    return assertion.get("label") == labels.CAWG_METADATA and "created" not in assertion


def _actions(assertions: list[Mapping[str, object]]) -> Iterator[Mapping[str, object]]:
    stated = [each.get("data") for each in assertions if each.get("label") == labels.ACTIONS]
    for each in stated:
        actions = list(_objects(each.get("actions"))) if isinstance(each, Mapping) else []
        if not actions:
            _refuse("document", "the manifest names no actions")
        yield from actions
    if not stated:
        _refuse("document", "the manifest has no actions")


def _effect(assertion: Mapping[str, object]) -> Effect:
    """Step 3; what packs decided is what the manifest will say that they decided."""
    decisions = assertion.get("decisions")
    if not isinstance(decisions, Mapping) or set(decisions) != set(_STAGES):
        _refuse("no-decision", "the decision record lacks a decision: prompt, output and export are expected")
    found = [_one_effect(decisions[stage]) for stage in _STAGES]
    approvals = mapping(assertion.get("review")).get("approvals")
    approved = type(approvals) is int and approvals > 0
    if max(found) > (Effect.REVIEW if approved else Effect.TRANSFORM):
        _refuse("refused", f"the decision is {max(found).label}, which does not let the file out")
    return max(found)


def _one_effect(decision: object) -> Effect:
    try:
        return Effect.parse(str(mapping(decision).get("effect")))
    except ValueError:
        _refuse("no-decision", "a decision has no effect")


def _policies(assertion: Mapping[str, object], floor: Floor) -> tuple[str, ...]:
    """Step 4."""
    found = {str(each.get("id")): str(each.get("digest")) for each in _objects(assertion.get("policies"))}
    for ref in floor.packs:
        if ref.id not in found:
            _refuse("policy", f"the pack {ref.id} has not judged", "Name it in `policies`, or with --policy.")
        if found[ref.id] != ref.digest:
            _refuse(
                "policy",
                f"another version of the pack {ref.id} has judged than the one that the signer knows",
                "Let signer and pipeline use the same packs; restart the signer after a change.",
            )
    if strange := sorted(name for name, digest in found.items() if digest not in floor.known):
        _refuse(
            "policy",
            f"something has judged that the signer does not know: {strange[0]}",
            "Install the pack, the licence record or the threshold file for the signer too.",
        )
    return tuple(found.values())


def _require_receipts(assertion: Mapping[str, object], receipts: tuple[CheckReceipt, ...]) -> None:
    """Step 5, but for time."""
    checks = list(_objects(assertion.get("checks")))
    if len(checks) != len(receipts):
        _refuse("receipt", f"{len(checks)} checks are in the manifest, and {len(receipts)} receipts came with it")
    subjects = _subjects(assertion, receipts)
    for check, receipt in zip(checks, receipts, strict=True):
        named = (check.get("name"), check.get("version"), check.get("stage"), check.get("status"))
        if named != (receipt.check, receipt.version, receipt.stage, receipt.status) or receipt.shown != _digest(check):
            _refuse("receipt", f"a receipt of {receipt.check!r:.60} does not say what the manifest says")
        if receipt.status is not CheckStatus.OK:
            _refuse("check", f"the check {receipt.check!r:.60} did not end ok")
        if not _DIGEST.fullmatch(receipt.subject) or receipt.subject != subjects.get(receipt.stage):
            _refuse("receipt", f"a receipt of {receipt.check!r:.60} is about something else")


def _subjects(assertion: Mapping[str, object], receipts: tuple[CheckReceipt, ...]) -> Mapping[Stage, str]:
    """Return what receipts of each stage must be about."""
    made = assertion.get("sound_sha256", assertion.get("pixels_sha256"))
    inputs = [str(each.get("sha256")) for each in _objects(assertion.get("inputs", []))]
    texts = next((each.subject for each in receipts if each.stage is Stage.PROMPT), "")
    prompt = mapping(assertion.get("prompt"))
    if prompt.get("disclosure") in {"commit", "encrypted"}:
        texts = str(prompt.get("commitment"))
    return {Stage.PROMPT: texts, Stage.INPUT: subject_of_inputs(inputs), Stage.OUTPUT: str(made)}


def _require_fresh(
    assertion: Mapping[str, object], receipts: tuple[CheckReceipt, ...], floor: Floor, at: datetime
) -> None:
    """Step 5: time. A picture may wait long for people, so then it is their last word that must be fresh."""
    limit = timedelta(seconds=floor.max_age_s)
    times = [each.at for each in receipts]
    if "review" in assertion:
        _require_within(limit, [mapping(assertion["review"]).get("last_at")], at)
        limit = max(limit, LONGEST_REVIEW)
    _require_within(limit, times, at)


def _require_within(limit: timedelta, times: list[object] | list[str], at: datetime) -> None:
    for each in times:
        try:
            moment = datetime.strptime(str(each), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            _refuse("stale", "a receipt does not say when")
        if not at - limit <= moment <= at + _SKEW:
            _refuse(
                "stale", f"a receipt is of {moment:%Y-%m-%dT%H:%M:%SZ}, which is not now", "Make the picture again."
            )


def _require_checks(assertion: Mapping[str, object], receipts: tuple[CheckReceipt, ...], floor: Floor) -> None:
    """Step 6. Every check that must look at pictures looks at those that go in as well."""
    sound = "sound_sha256" in assertion
    looking = floor.sound_checks if sound else floor.output_checks
    if not looking:
        _refuse("no-check", "the signer demands no check of sounds, so it signs none")
    if assertion.get("unchecked"):
        _refuse("no-check", "no output check has looked")
    done = [(each.stage, each.check) for each in receipts]
    inputs = len(list(_objects(assertion.get("inputs", []))))
    wanted = {
        **{(Stage.PROMPT, name): 1 for name in floor.prompt_checks},
        **{(Stage.OUTPUT, name): 1 for name in looking},
        **{(Stage.INPUT, name): inputs for name in floor.output_checks},
    }
    for (stage, name), times in wanted.items():
        if done.count((stage, name)) < times:
            _refuse("no-check", f"there is no receipt of the check {name} ({stage.value})", "Configure that check.")


def _asset_id(assertion: Mapping[str, object]) -> str:
    try:
        return str(AssetId.parse(str(assertion.get("asset_id"))))
    except ValueError:
        _refuse("no-decision", "the decision record names no asset")


def _digest(check: Mapping[str, object]) -> str:
    try:
        return canonical_digest(check)
    except TypeError:
        return ""


def _written(receipt: CheckReceipt) -> list[str]:
    values = (receipt.check, receipt.version, receipt.stage, receipt.status, receipt.subject, receipt.shown, receipt.at)
    return [str(each) for each in values]


def _objects(value: object) -> Iterator[Mapping[str, object]]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, Mapping) for each in value):
        _refuse("document", "the manifest is not built like one of sdsafe")
    yield from value


def _refuse(kind: str, text: str, hint: str = "") -> NoReturn:
    raise SigningError(text, code=f"signer.{kind}", hint=hint)
