"""The two places where the hard layer stands: before a request is looked at, and before a picture is judged.

They are functions that the spine calls, not a slot: there is nothing to replace, to switch off or to leave out.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from sdsafe.core.decisions import Decision, Effect, FiredRule, PolicyRef
from sdsafe.core.states import Refused
from sdsafe.errors import OutputRefusedError, PromptRefusedError, SdsafeError
from sdsafe.gates.hard.composition import MAX_CHARACTERS, HardCategory, check_digest, check_version, composed
from sdsafe.gates.hard.incidents import Incidents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sdsafe.core.findings import CheckResult
    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.sound import Samples
    from sdsafe.core.states import Generated, Outcome
    from sdsafe.errors import RefusedError

__all__ = ["is_hard", "require_permitted_output", "require_permitted_request"]

_log = logging.getLogger(__name__)

_PREFIX = "hard."
_BECAUSE = {
    HardCategory.MINOR_SEXUAL: "sexual content with a minor is never made",
    HardCategory.NONCONSENSUAL_INTIMATE: "intimate content with a real person, or without consent, is never made",
    HardCategory.UNREAD: f"nobody reads texts of more than {MAX_CHARACTERS:,} characters",
}


def require_permitted_request(
    request: GenerationRequest,
    results: Sequence[CheckResult],
    incidents: Incidents | None,
    *,
    shows_person: bool = False,
) -> None:
    """Refuse a request that asks for what is never made; called before any check, and again with what checks found.

    Args:
        request: What would be made.
        results: Of prompt checks; empty before they ran.
        incidents: Where the refusal is noted; None keeps nothing.
        shows_person: Whether model or adapters were made to show one real person.

    Raises:
        PromptRefusedError: ``hard.minor_sexual``, ``hard.nonconsensual_intimate`` or ``hard.unread``, without texts,
            terms or findings.
    """
    if category := composed(request, results, shows_person=shows_person):
        raise _refusal(PromptRefusedError, category, request, incidents)


def require_permitted_output(
    generated: Generated,
    results: Sequence[CheckResult],
    incidents: Incidents | None,
    *,
    shows_person: bool = False,
) -> None:
    """Refuse what composes with its request, or with itself, to what is never made; pixels or samples are erased.

    Args:
        generated: The picture or sound and the request it was made from.
        results: Of prompt checks and of output checks.
        incidents: Where the refusal is noted; None keeps nothing.
        shows_person: Whether model or adapters were made to show one real person.

    Raises:
        OutputRefusedError: ``hard.minor_sexual`` or ``hard.nonconsensual_intimate``.
    """
    request = generated.admitted.request
    if category := composed(request, results, shows_person=shows_person):
        _erase(generated.pixels if generated.sound is None else generated.sound.samples)
        raise _refusal(OutputRefusedError, category, request, incidents)


def is_hard(outcome: Outcome) -> bool:
    """Say whether an outcome is a refusal of the hard layer."""
    return isinstance(outcome, Refused) and outcome.reason.startswith(_PREFIX)


def _refusal(
    kind: type[RefusedError], category: HardCategory, request: GenerationRequest, incidents: Incidents | None
) -> RefusedError:
    code = f"{_PREFIX}{category.value}"
    told = (
        ""
        if incidents is None or category is HardCategory.UNREAD
        else f", incident {_noted(incidents, category, request)}"
    )
    rule = FiredRule(rule=code, policy="hard", effect=Effect.DENY, because=_BECAUSE[category])
    ref = PolicyRef(id="hard", version=check_version(), digest=check_digest())
    return kind(
        f"{_BECAUSE[category]} [{code}]{told}",
        decision=Decision(effect=Effect.DENY, policy=(ref,), fired=(rule,)),
        code=code,
        hint="No pack, setting or flag changes this. If it is mistaken, say in other words, or in fewer, what you mean.",
    )


def _noted(incidents: Incidents, category: HardCategory, request: GenerationRequest) -> str:
    """Note the incident and return its id; the refusal stands, noted or not."""
    incident = Incidents.mint_id()
    try:
        incidents.append(incident, category.value, check_version(), request.texts())
    except SdsafeError as error:
        _log.warning("incident %s could not be noted (%s)", incident, error.code)
    return incident


def _erase(made: Pixels | Samples) -> None:
    with suppress(ValueError):  # a generator may lend memory that cannot be written
        made.setflags(write=True)
        made.fill(0)
