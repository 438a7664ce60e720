"""Lets requests in: what is asked, with what and for what is settled and judged before anything is made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sdsafe import release
from sdsafe._internal import entropy
from sdsafe._internal.clock import rfc3339
from sdsafe.core.decisions import unite
from sdsafe.core.request import require_plain
from sdsafe.core.states import Admitted, PromptOpening
from sdsafe.errors import ConfigurationError, RepositoryError
from sdsafe.gates.guard import run_input_check, run_prompt_check
from sdsafe.gates.hard.gate import require_permitted_request
from sdsafe.inputs import require_usable
from sdsafe.parents import traced
from sdsafe.provenance.manifest.input_check import InputProvenanceCheck

if TYPE_CHECKING:
    from sdsafe.core.findings import CheckResult
    from sdsafe.core.ids import AssetId
    from sdsafe.core.request import GenerationRequest
    from sdsafe.judgement import Judges
    from sdsafe.parts import Parts
    from sdsafe.protocols import ManifestRepository, OutputCheck

__all__ = ["admit", "mint"]

_MINT_ATTEMPTS = 8  # 64 random bits: a second attempt already means something is wrong


def admit(parts: Parts, judges: Judges, request: GenerationRequest) -> Admitted:
    """Let a request in: everything that must be known and judged before the first step.

    Raises:
        ConfigurationError: A sound is asked for, and nothing here looks at sounds.
        RequestError: It cannot be carried out as asked.
        RefusedError: Packs, licences or the hard layer do not let it pass.
    """
    seed = entropy.mint_seed() if request.seed is None else request.seed
    use = request.intended_use or parts.house.intended_use
    resolved = parts.generator.resolve(replace(request, seed=seed, intended_use=use))
    require_plain(resolved)
    release.require_format(resolved)
    if resolved.is_sound:
        _require_listening(parts)
    shows_person = judges.shows_person(resolved)
    require_permitted_request(resolved, (), parts.incidents, shows_person=shows_person)
    checks = tuple(run_prompt_check(check, resolved) for check in parts.prompt_checks)
    require_permitted_request(resolved, checks, parts.incidents, shows_person=shows_person)
    decision = judges.request(resolved, checks)
    if resolved.inputs:
        require_usable(resolved.inputs)
        resolved = traced(resolved, parts)
        looked = _look_at_inputs(parts, resolved)
        checks = (*checks, *looked)
        require_permitted_request(resolved, checks, parts.incidents, shows_person=shows_person)
        decision = unite((decision, judges.inputs(resolved, looked)))
    ahead = judges.ahead(resolved, checks)
    if resolved.marked:
        release.require_room(parts.watermarker, resolved.size)
    plan = judges.plan((decision, ahead), resolved, resolved.size, parts.disclosure, checks)
    return Admitted(
        request=resolved,
        asset_ids=tuple(mint(parts.repository) for _ in range(resolved.count)),
        opening=PromptOpening(mode=plan.disclosure, salt=entropy.mint_salt()),
        decision=decision,
        checks=checks,
        admitted_at=rfc3339(),
    )


def mint(repository: ManifestRepository) -> AssetId:
    """Return an asset id that the repository does not know."""
    for _ in range(_MINT_ATTEMPTS):
        asset_id = entropy.mint_asset_id()
        if not repository.has(asset_id):
            return asset_id
    raise RepositoryError("no free asset id found in eight attempts: the random source is broken")


def _require_listening(parts: Parts) -> None:
    if parts.checked and not parts.listening:
        raise ConfigurationError(
            "nothing is configured for sound_checks: an empty list is not a pass",
            hint="Name at least one in the settings, such as sound-signal.",
        )


def _look_at_inputs(parts: Parts, request: GenerationRequest) -> tuple[CheckResult, ...]:
    """Let every check look at every picture that goes in, as it looks at those that come out, and at its manifest."""
    looking: tuple[OutputCheck | InputProvenanceCheck, ...] = (*parts.looking, InputProvenanceCheck())
    return tuple(run_input_check(check, image) for image in request.inputs for check in looking)
