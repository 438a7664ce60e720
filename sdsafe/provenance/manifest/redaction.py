"""What a new manifest says that takes the prompt out of the ones before it (C2PA 2.4, 6.8 and 18.15): pure.

Redacted are, in every manifest of the store: the text of a prompt that went in, and ``org.sdsafe.generation`` where it
shows texts or explanations. An assertion is taken out whole; what of it is no secret is stated again, as `omit` or
`commit` would have shown it, by whoever signs now. The claim that was redacted still holds the digest of what stood
there, so that nobody can put something else in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sdsafe._internal.shapes import mapping
from sdsafe.core.disclosure import COMMITMENT_ALGORITHM
from sdsafe.provenance.manifest import labels
from sdsafe.provenance.manifest.document import Ingredient, ManifestDefinition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sdsafe.core.states import Asset

__all__ = ["Reason", "Secret", "define_redaction", "restated", "secrets_of", "texts_of"]

_PARENT = "image"
_SHOWS = ("because", "explanation")  # keys that may repeat the prompt in other words


class Reason(StrEnum):
    """Why something is redacted, in the words of C2PA 2.4, 18.15."""

    PII = "c2pa.PII.present"
    TRADE_SECRET = "c2pa.tradesecret.present"  # noqa: S105 - a word of the vocabulary
    CONFIDENTIAL = "c2pa.government.confidential"
    INVALID = "c2pa.invalid.data"


@dataclass(frozen=True, slots=True)
class Secret:
    """An assertion that shows a prompt."""

    manifest: str
    """Label of its manifest."""
    assertion: str
    """Its own label."""

    @property
    def url(self) -> str:
        """Absolute JUMBF URI."""
        return f"self#jumbf=/c2pa/{self.manifest}/c2pa.assertions/{self.assertion}"


def secrets_of(manifests: Iterable[Mapping[str, Any]]) -> tuple[Secret, ...]:
    """Return the assertions that show a prompt.

    Args:
        manifests: All of a store, as crJSON.
    """
    found: dict[Secret, None] = {}
    every = tuple(manifests)
    gone = {url for each in every for url in _texts(mapping(each.get("claim.v2")).get("redacted_assertions"))}
    for manifest in every:
        label, assertions = str(manifest.get("label")), mapping(manifest.get("assertions"))
        for name, body in assertions.items():
            if _is_generation(name) and _shows(mapping(body)):
                found[Secret(label, name)] = None
            if name.startswith("c2pa.ingredient") and _is_prompt(mapping(body)):
                text = str(mapping(mapping(body).get("data")).get("url")).rpartition("/")[2]
                if text in assertions:
                    found[Secret(label, text)] = None
    return tuple(each for each in found if each.url not in gone)


def texts_of(manifests: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return every text that manifests of ours show as part of a prompt, each once."""
    found: dict[str, None] = {}
    for manifest in manifests:
        for name, body in mapping(manifest.get("assertions")).items():
            texts = mapping(mapping(mapping(body).get("prompt")).get("texts")) if _is_generation(name) else {}
            found |= dict.fromkeys(text for text in texts.values() if isinstance(text, str) and text)
    return tuple(found)


def restated(generation: Mapping[str, Any], *, manifest: str, commitment: str | None) -> dict[str, Any]:
    """Return the value of ``org.sdsafe.generation`` without prompt, explanations and texts among the parameters.

    Args:
        generation: As the redacted manifest has it.
        manifest: Its label, which is named as the source.
        commitment: To the texts, where the private record is at hand: what is gone can still be proven then.
    """
    stated = {name: _without(value) for name, value in generation.items() if name not in {"prompt", "parameters"}}
    given = mapping(generation.get("parameters"))
    hidden = {name for name, value in given.items() if isinstance(value, str) and not _is_number(value)}
    stated["parameters"] = {name: value for name, value in given.items() if name not in hidden}
    if withheld := sorted({*hidden, *_texts(generation.get("parameters_withheld"))}):
        stated["parameters_withheld"] = withheld
    opened = {} if commitment is None else {"algorithm": COMMITMENT_ALGORITHM, "commitment": commitment}
    stated["prompt"] = {"disclosure": "commit" if opened else "omit", **opened}
    stated["restated_from"] = manifest
    return stated


def define_redaction(  # noqa: PLR0913 - what a manifest says, each by its name
    asset: Asset,
    before: Asset,
    secrets: tuple[Secret, ...],
    *,
    reason: Reason,
    generation: Mapping[str, Any] | None,
    agent: Mapping[str, str],
    when: str,
) -> ManifestDefinition:
    """Return what the manifest of the redacted file says.

    Args:
        asset: The file as it will be signed; its metadata may differ from those before.
        before: The file that is redacted: the parent.
        secrets: What is taken out.
        reason: Why.
        generation: What is stated again; None for files of others.
        agent: Name and version of the claim generator.
        when: RFC 3339.
    """
    by = {"when": when, "softwareAgent": agent}
    taken = [
        {"action": labels.ACTION_REDACTED, **by, "reason": reason.value, "parameters": {"redacted": each.url}}
        for each in secrets
    ]
    edited = [{"action": labels.ACTION_METADATA, **by}] if asset.data != before.data else []
    opened = {"action": labels.ACTION_OPENED, **by, "parameters": {"ingredientIds": [_PARENT]}}
    actions = {"allActionsIncluded": True, "actions": [opened, *taken, *edited]}
    document: dict[str, object] = {
        "claim_generator_info": [{**agent, "specVersion": labels.SPEC_VERSION}],
        "title": asset.name or "redacted",
        "format": asset.media_type,
        "redactions": [each.url for each in secrets],
        "ingredients": [],
        "assertions": [
            {"label": labels.ACTIONS, "created": True, "data": actions},
            *([] if generation is None else [_generation(generation)]),
        ],
    }
    description = {"label": _PARENT, "title": "before the redaction", "relationship": "parentOf"}
    parent = Ingredient(description=description, media_type=before.media_type, data=before.data)
    return ManifestDefinition(document=document, ingredients=(parent,))


def _generation(value: Mapping[str, Any]) -> dict[str, object]:
    return {"label": labels.GENERATION, "created": True, "kind": "Json", "data": value}


def _is_generation(label: str) -> bool:
    return label.partition("__")[0] == labels.GENERATION


def _is_prompt(ingredient: Mapping[str, Any]) -> bool:
    types = ingredient.get("dataTypes")
    listed = types if isinstance(types, list) else []
    return any(mapping(each).get("type") == labels.TYPE_PROMPT for each in listed)


def _shows(generation: Mapping[str, Any]) -> bool:
    return bool(mapping(generation.get("prompt")).get("texts")) or any(_told(generation))


def _told(value: object) -> Iterator[str]:
    """Yield the keys, at any depth, under which a prompt may be repeated."""
    if isinstance(value, Mapping):
        yield from (name for name in _SHOWS if name in value)
        for each in value.values():
            yield from _told(each)
    elif isinstance(value, list):
        for each in value:
            yield from _told(each)


def _without(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without(each) for name, each in value.items() if name not in _SHOWS}
    return [_without(each) for each in value] if isinstance(value, list) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
