"""The facts that conditions may name, with their types, and their values in one judgement.

The table is the whole vocabulary: what is not in it does not compile, and what is not known is not in the values.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sdsafe.core.findings import Stage
from sdsafe.core.request import TEXT_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sdsafe.core.context import JudgementContext
    from sdsafe.gates.policy.categories import Category
    from sdsafe.gates.policy.seen import Seen

__all__ = ["FACTS", "LICENCE_FACTS", "answers_at", "category_of", "declared", "known", "why_missing"]

LICENCE_FACTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "known": "bool",
        "ids": "list",
        "verified": "string",
        "commercial": "string",
        "outputs_commercial": "string",
        "restrictions": "list",
        "duties": "list",
        "excluded_territories": "list",
        "registration_required": "bool",
        "depicts_person": "bool",
        "private_model": "bool",
        "conflict": "bool",
        "revenue_limit_usd": "int",
        "users_limit": "int",
    }
)

FACTS: Final[Mapping[str, str]] = MappingProxyType(
    {f"request.{name}": "string" for name in TEXT_FIELDS}
    | {
        "request.task": "string",
        "request.count": "int",
        "request.width": "int",
        "request.height": "int",
        "request.steps": "int",
        "request.guidance": "double",
        "request.inputs": "int",
        "request.adapters": "int",
        "model.repo": "string",
        "model.revision": "string",
        "model.pipeline": "string",
        "model.license": "string",
        "use.kind": "string",
        "use.marketplace": "string",
        "organisation.revenue_usd": "int",
        "organisation.monthly_users": "int",
        "organisation.territories": "list",
    }
    | {f"licence.{name}": kind for name, kind in LICENCE_FACTS.items()}
)
"""Facts of every stage."""

_ASSET_FACTS: Final[Mapping[str, str]] = MappingProxyType(
    {"asset.media_type": "string", "asset.width": "int", "asset.height": "int", "asset.megapixels": "double"}
)


_OF_FILES: Final = frozenset({Stage.OUTPUT, Stage.EXPORT})
"""The stages where there is a file to ask about."""


def answers_at(stage: Stage, category: Category) -> bool:
    """Say whether a category can be seen at a stage; what a picture is scored for is scored in inputs too."""
    if stage is Stage.EXPORT:
        return True
    return category.stage is stage or (stage is Stage.INPUT and category.stage is Stage.OUTPUT and not category.heard)


def declared(stage: Stage, categories: Mapping[str, Category]) -> dict[str, str]:
    """Return every fact that rules of a stage may name, with its type."""
    facts = dict(FACTS)
    if stage in _OF_FILES:
        facts |= _ASSET_FACTS
    for name, category in categories.items():
        if not answers_at(stage, category):
            continue
        if category.scored:
            facts |= {f"score.{name}": "double", f"threshold.{name}": "double"}
            continue
        facts[f"found.{name}"] = "bool"
        if category.stage is Stage.PROMPT:
            facts |= {f"found_in.{field}.{name}": "bool" for field in TEXT_FIELDS}
    return facts


def known(stage: Stage, context: JudgementContext, seen: Seen, categories: Mapping[str, Category]) -> dict[str, object]:
    """Return the facts that are known, by their names."""
    values = dict(_of_context(context, with_asset=stage in _OF_FILES))
    for name, category in categories.items():
        if not answers_at(stage, category):
            continue
        if category.scored:
            scores = [finding.score for _, finding in seen.of(name) if finding.score is not None]
            # One number that is none makes the whole category unknown: it may be the one that mattered.
            if scores and len(scores) == len(seen.of(name)) and all(_is_score(score) for score in scores):
                values[f"score.{name}"] = float(max(scores))
            continue
        values |= _reported(name, category, seen)
    return values


def category_of(fact: str) -> tuple[str, str | None] | None:
    """Return the category that a fact is about, and the text field where it names one; None for other facts."""
    root, _, rest = fact.partition(".")
    if root in {"found", "score", "threshold"}:
        return rest, None
    if root == "found_in":
        field, _, name = rest.partition(".")
        return name, field
    return None


def why_missing(fact: str, categories: Mapping[str, Category]) -> str:
    """Return in words why a fact has no value."""
    about = category_of(fact)
    if about is None:
        return f"{fact} is not known"
    category = categories[about[0]]
    if fact.startswith("threshold."):
        return f"no threshold for {about[0]} is in the settings, or it was measured with another version of the check"
    if category.scored:
        return f"no check measured {about[0]}"
    return f"{category.check or 'no check'} did not look for {about[0]} with these packs"


def _reported(name: str, category: Category, seen: Seen) -> dict[str, object]:
    findings = seen.of(name)
    looked = seen.looked(category.check)
    values: dict[str, object] = {}
    if findings or looked:
        values[f"found.{name}"] = bool(findings)
    if category.stage is not Stage.PROMPT:
        return values
    placed = all(finding.span is not None for _, finding in findings)
    for field in TEXT_FIELDS:
        here = any(finding.span is not None and finding.span.field == field for _, finding in findings)
        if here or (looked and placed):
            values[f"found_in.{field}.{name}"] = here
    return values


def _is_score(score: object) -> bool:
    return isinstance(score, int | float) and not isinstance(score, bool) and math.isfinite(score) and 0 <= score <= 1


def _of_context(context: JudgementContext, *, with_asset: bool) -> Iterator[tuple[str, object]]:
    request, house = context.request, context.organisation
    kind, _, marketplace = (request.intended_use or "").partition(":")
    stated: dict[str, object] = {f"request.{name}": text for name, text in request.texts()}
    stated |= {
        "request.task": request.task.value,
        "request.count": request.count,
        "request.width": request.size.width if request.size else None,
        "request.height": request.size.height if request.size else None,
        "request.steps": request.steps,
        "request.guidance": None if request.guidance is None else float(request.guidance),
        "request.inputs": len(request.inputs),
        "request.adapters": len(request.adapters),
        "model.repo": request.model.repo,
        "model.revision": request.model.revision,
        "model.pipeline": request.model.pipeline,
        "model.license": request.model.license,
        "use.kind": kind or None,
        "use.marketplace": marketplace or None,
        "organisation.revenue_usd": house.revenue_usd,
        "organisation.monthly_users": house.monthly_users,
        "organisation.territories": house.territories,
    }
    if context.licence is not None:
        stated |= {f"licence.{name}": value for name, value in context.licence.items()}
    if context.asset is not None and with_asset:
        asset = context.asset
        stated |= {
            "asset.media_type": asset.media_type,
            "asset.width": asset.width,
            "asset.height": asset.height,
            "asset.megapixels": asset.megapixels,
        }
    return ((name, value) for name, value in stated.items() if value is not None)
