"""Pictures that wait for people: held unreadable, and taken out again when enough of them approved."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sdsafe import release
from sdsafe.admission import mint
from sdsafe.core.receipts import EntryKind
from sdsafe.core.reviews import CaseState
from sdsafe.core.states import Cleared, InReview
from sdsafe.errors import OutputRefusedError, ReviewError

if TYPE_CHECKING:
    from sdsafe.core.reviews import Case
    from sdsafe.parts import Parts
    from sdsafe.protocols import Reviews

__all__ = ["approved", "hold", "queue_of"]


def hold(parts: Parts, cleared: Cleared) -> InReview:
    """Seal an image that waits for people; nothing of it stays here."""
    generated, decision, reviews = cleared.generated, cleared.judgement, parts.reviews
    if reviews is None:  # the plan asks for people only where they can be asked
        raise OutputRefusedError("there is no review queue", decision=decision, checks=cleared.checks)
    rules = tuple(dict.fromkeys(f"{rule.policy}.{rule.rule}" for rule in release.asking_people(decision)))
    case = reviews.put(generated.asset_id, cleared, rules=rules, people=cleared.plan.people, roles=cleared.plan.roles)
    return InReview(
        ticket=case.ticket,
        decision=decision,
        checks=cleared.checks,
        asset_id=generated.asset_id,
        seed=generated.seed,
    )


def queue_of(parts: Parts) -> Reviews:
    """Return the review queue.

    Raises:
        ReviewError: ``review.none``.
    """
    if parts.reviews is None:
        raise ReviewError("there is no review queue", code="review.none", hint="Set `reviews` in the settings.")
    return parts.reviews


def approved(parts: Parts, ticket: str) -> Cleared:
    """Return the picture of a case that enough people approved, with what they said.

    Raises:
        ReviewError: There is no such case, it was released already, or not enough people have approved it.
    """
    reviews = queue_of(parts)
    case = reviews.case(ticket)
    if case.state is not CaseState.APPROVED:
        raise ReviewError(
            f"case {case.ticket} is {case.state}: {len(case.approvals)} of {case.people} people approved",
            code="review.not-approved",
            hint="`sdsafe review show` says what is missing.",
        )
    held = reviews.open(ticket)
    if not isinstance(held, Cleared):
        raise ReviewError(f"case {case.ticket} holds no image", code="review.damaged")
    if parts.repository.has(case.asset_id):
        held = _under_another_id(parts, held, case)
    return replace(held, opinions=case.approvals)


def _under_another_id(parts: Parts, held: Cleared, case: Case) -> Cleared:
    """Return the image under a fresh id: a release of it that could not be delivered keeps the first.

    Raises:
        ReviewError: It was released by a run that was cut off before it could say so.
    """
    receipt = parts.ledger.prove(case.ticket)
    if receipt is not None and receipt.entry.kind is EntryKind.RELEASED and parts.reviews is not None:
        parts.reviews.released(case.ticket)
        raise ReviewError(f"case {case.ticket} was released already", code="review.closed")
    generated, mark = held.generated, held.generated.execution.noise_mark
    if mark is not None and mark.shape:  # what it was made of does not change any more
        mark = replace(mark, asset_id=mark.asset_id or generated.asset_id)
    execution = replace(generated.execution, noise_mark=mark)
    return replace(held, generated=replace(generated, execution=execution, asset_id=mint(parts.repository)))
