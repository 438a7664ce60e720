"""What a rule asks and brings, in words for somebody who did not write it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe.core.obligations import OBLIGATION_KINDS
from sdsafe.errors import RequestError
from sdsafe.gates.policy.facts import category_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.decisions import PolicyRef
    from sdsafe.gates.policy.loader import LoadedPack, LoadedPolicies
    from sdsafe.gates.policy.model import Rule

__all__ = ["Duty", "Explanation", "Fact", "explain"]

_STAGES: Mapping[str, str] = {
    "prompt": "before anything is generated, over the texts of the request",
    "input": "before anything is generated, over the pictures that go in",
    "output": "after generation, over what the checks measured",
    "export": "before a picture is signed and released; as far as the request tells, before anything is generated",
}
_EFFECTS: Mapping[str, str] = {
    "allow": "nothing stands in the way; what it obliges to has to be done",
    "annotate": "work goes on, and decision and manifest say so",
    "transform": "work goes on, and what was found is hidden in the picture",
    "review": "nothing is released before a person has looked",
    "deny": "refused",
}
_ON_ERROR: Mapping[str, str] = {
    "deny": "if the question cannot be answered, it refuses",
    "review": "if the question cannot be answered, a person has to look",
    "apply": "if the question cannot be answered, effect and obligations count all the same",
}
_FIELDS: Mapping[str, str] = {
    "prompt": "the prompt",
    "prompt_2": "the second prompt",
    "prompt_3": "the third prompt",
    "negative_prompt": "the negative prompt",
}
_FACTS: Mapping[str, str] = {
    "request.prompt": "the prompt, word for word",
    "request.prompt_2": "the second prompt, word for word",
    "request.prompt_3": "the third prompt, word for word",
    "request.negative_prompt": "the negative prompt, word for word",
    "request.task": "what is to be done: generate, vary, inpaint, ...",
    "request.count": "how many pictures are asked for",
    "request.width": "the width that is asked for, in pixels",
    "request.height": "the height that is asked for, in pixels",
    "request.steps": "how many steps are asked for",
    "request.guidance": "how closely the model is to follow the prompt",
    "request.inputs": "how many pictures go in",
    "request.adapters": "how many LoRAs, ControlNets and the like are used",
    "model.repo": "the name of the model",
    "model.revision": "the commit of the model",
    "model.pipeline": "the kind of pipeline",
    "model.license": "the licence that the model declares",
    "use.kind": "what the picture is for: private, internal, commercial or marketplace",
    "use.marketplace": "the marketplace that the picture is for",
    "organisation.revenue_usd": "the organisation's annual revenue in US dollars",
    "organisation.monthly_users": "how many people use the service in a month",
    "organisation.territories": "where pictures are made and shown",
    "licence.known": "whether the licence of every part is known",
    "licence.ids": "the licences of the model and its adapters",
    "licence.verified": "how sure the facts about the licences are",
    "licence.commercial": "whether the licences allow commercial use",
    "licence.outputs_commercial": "whether the licences allow commercial use of pictures",
    "licence.restrictions": "what the licences forbid, as codes",
    "licence.duties": "what the licences oblige to, as codes",
    "licence.excluded_territories": "where the licences do not allow use",
    "licence.registration_required": "whether a licence asks for registration",
    "licence.depicts_person": "whether an adapter was made to show a real person",
    "licence.private_model": "whether a part is private",
    "licence.conflict": "whether statements about the licences contradict each other",
    "licence.revenue_limit_usd": "the lowest revenue at which a licence ends",
    "licence.users_limit": "the lowest number of users at which a licence ends",
    "asset.media_type": "the format of the finished file",
    "asset.width": "the width of the finished picture in pixels",
    "asset.height": "the height of the finished picture in pixels",
    "asset.megapixels": "the size of the finished picture in million pixels",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact that a rule reads."""

    name: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One obligation of a rule, with what meets it."""

    code: str
    params: Mapping[str, str | int | bool]
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything there is to say about one rule."""

    policy: PolicyRef
    rule: str
    stage: str
    when_judged: str
    asks: str
    """The question as the pack puts it."""
    reads: tuple[Fact, ...]
    effect: str
    brings: str
    on_error: str
    if_unknown: str
    obligations: tuple[Duty, ...]
    because: str
    citation: str
    since: str
    sources: tuple[str, ...]


def explain(policies: LoadedPolicies, name: str) -> tuple[Explanation, ...]:
    """Return what there is to say about the rule ``name`` (``RULE`` or ``PACK.RULE``), one entry per pack that has it.

    Raises:
        RequestError: No pack has such a rule; the hint names the closest.
    """
    pack, _, rule = name.rpartition(".")
    found = [
        _explanation(loaded, each, condition.names, policies)
        for loaded in policies.packs
        if pack in {"", loaded.pack.id}
        for conditions in loaded.conditions
        for each, condition in conditions.rules
        if each.id == rule
    ]
    if not found:
        raise _unknown(policies, name)
    return tuple(found)


def _explanation(loaded: LoadedPack, rule: Rule, names: tuple[str, ...], policies: LoadedPolicies) -> Explanation:
    return Explanation(
        policy=loaded.ref,
        rule=rule.id,
        stage=rule.stage,
        when_judged=_STAGES[rule.stage],
        asks=rule.when,
        reads=tuple(Fact(name=path, says=_meaning(path, loaded, policies)) for path in names),
        effect=rule.effect,
        brings=_EFFECTS[rule.effect],
        on_error=rule.on_error,
        if_unknown=_ON_ERROR[rule.on_error],
        obligations=tuple(
            Duty(code=duty.code, params=duty.params, says=OBLIGATION_KINDS[duty.code].says) for duty in rule.obligations
        ),
        because=rule.because,
        citation=" ".join(rule.citation.split()),
        since=rule.since or "",
        sources=rule.sources,
    )


def _meaning(path: str, loaded: LoadedPack, policies: LoadedPolicies) -> str:
    about = category_of(path)
    if about is None:
        return _FACTS.get(path, "")
    category, field = about
    if path.startswith("threshold."):
        return f"the score of {category} from which the settings' own measurements say that it counts"
    if path.startswith("score."):
        return f"the highest score for {category}, 0 (certainly not) to 1 (certainly)"
    return _category(category, _FIELDS[field] if field else "the texts of the request", loaded, policies)


def _category(name: str, where: str, loaded: LoadedPack, policies: LoadedPolicies) -> str:
    lists = [(each, listed) for each in policies.packs for listed in each.pack.terms if listed.category == name]
    if lists:
        count = sum(len(listed.spellings()) for _, listed in lists)
        owners = ", ".join(dict.fromkeys(each.pack.id for each, _ in lists))
        return f"whether a term of {name} stands in {where}: {count:,} spellings, listed by {owners}"
    if name == "obfuscation":
        return f"whether {where} hide what they say: invisible characters, mixed scripts"
    note = next((each.pack.categories[name] for each in policies.packs if name in each.pack.categories), None)
    known = loaded.categories.get(name)
    by = f" by {known.check}" if known is not None and known.check else ""
    return f"whether {name} was found{by}" + (f": {note.description}" if note else "")


def _unknown(policies: LoadedPolicies, name: str) -> RequestError:
    known = [(loaded.pack.id, rule.id) for loaded in policies.packs for rule in loaded.pack.rules]
    alike = difflib.get_close_matches(name.rpartition(".")[2], [rule for _, rule in known], n=3, cutoff=0.7)
    close = [f"{pack}.{rule}" for pack, rule in known if rule in alike]
    return RequestError(
        f"no rule {name[:80]!r} in {', '.join(loaded.pack.id for loaded in policies.packs)}",
        code="policy.no-rule",
        hint=f"Did you mean {', '.join(close)}?" if close else "Name its pack with --policy.",
    )
