"""What a manifest will say about one asset: a pure function of the states before it.

How much of the prompt is shown follows ``PromptDisclosure`` for everything that could give it away: the texts
themselves, the prompt ingredient, explanations and spans of findings, and string parameters.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sdsafe.core.request import PromptDisclosure
from sdsafe.core.softbinding import listed_value
from sdsafe.provenance.manifest import labels
from sdsafe.provenance.manifest.actions import (
    actions,
    adapter_labels,
    names_model,
    names_prompt,
    pictures,
    require_known,
)
from sdsafe.provenance.manifest.document import ManifestDefinition, not_unicode
from sdsafe.provenance.manifest.generation import generation_assertion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.request import AdapterRef, GenerationRequest, ModelRef
    from sdsafe.core.states import Encoded, Execution

__all__ = ["define"]

_PROMPT_RESOURCE = "prompt.txt"


def define(encoded: Encoded, *, generator: str, version: str, when: str, title: str) -> ManifestDefinition:
    """Return what the manifest of an encoded asset says.

    Args:
        encoded: The asset with everything that happened before it.
        generator: Name of the claim generator.
        version: Its version.
        when: Time of signing, RFC 3339.
        title: Title of the asset; never a path.

    Raises:
        ManifestError: ``manifest.task``: a task whose actions are not defined here; or what
            ``ManifestDefinition`` refuses.
    """
    admitted = encoded.marked.cleared.generated.admitted
    request = admitted.request
    require_known(request)
    agent = {"name": generator, "version": version}
    by_model = names_model(request)
    prompt, resources = _prompt(encoded)
    document: dict[str, object] = {
        "claim_generator_info": [{**agent, "specVersion": labels.SPEC_VERSION}],
        "title": title,
        "format": encoded.asset.media_type,
        "ingredients": [*([_model(encoded)] if by_model else []), *_adapters(encoded), *prompt],
        "assertions": [
            _assertion(labels.ACTIONS, {"allActionsIncluded": True, "actions": actions(encoded, agent, when)}),
            *([_assertion(labels.AI_DISCLOSURE, _ai_disclosure(encoded))] if by_model else []),
            {**_assertion(labels.GENERATION, generation_assertion(encoded)), "kind": "Json"},
            *_soft_bindings(encoded),
            *_statement(request),
        ],
    }
    return ManifestDefinition(document=document, resources=MappingProxyType(resources), ingredients=pictures(request))


_SOURCE = "Iptc4xmpExt:DigitalSourceType"
_CONTEXT = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}


def _assertion(label: str, data: Mapping[str, object]) -> dict[str, object]:
    """Wrap an assertion that is ours: without ``created`` it would count as gathered from elsewhere."""
    return {"label": label, "created": True, "data": data}


def _soft_bindings(encoded: Encoded) -> list[dict[str, object]]:
    """Return what leads back to this manifest by a listed algorithm; all others stand in our own assertion only.

    The library cannot write byte strings (c2pa-rs issue 2689): the value is the text that the algorithm's owner gives.
    """
    return [
        _assertion(labels.SOFT_BINDING, {"alg": each.alg, "blocks": [{"scope": {}, "value": value}]})
        for each in encoded.soft_bindings
        if (value := listed_value(each)) is not None
    ]


def _statement(request: GenerationRequest) -> list[dict[str, object]]:
    """Return what was said of a picture that was made elsewhere; it is not created here, so that it counts as gathered."""
    said = request.statement
    if said is None or not said.says_something:
        return []
    stated = {"dc:title": said.title, "dc:creator": list(said.creators), _SOURCE: said.source_uri}
    data = {"@context": _CONTEXT, **{name: value for name, value in stated.items() if value}}
    return [{"label": labels.CAWG_METADATA, "kind": "Json", "data": data}]


def _ai_disclosure(encoded: Encoded) -> dict[str, object]:
    execution = encoded.marked.cleared.generated.execution
    return {
        "modelType": next((kind for kind, _ in _formats(execution)), labels.TYPE_MODEL),
        "modelName": execution.model.repo,
        "modelIdentifier": _package_url(execution.model),
        "contentProfile": {"humanOversightLevel": "prompt_guided"},
    }


def _model(encoded: Encoded) -> dict[str, object]:
    """Return the model as an ingredient: what went in, not what came out, hence ``inputTo``."""
    execution = encoded.marked.cleared.generated.execution
    model = execution.model
    ingredient: dict[str, object] = {
        "label": "model",
        "title": model.repo,
        "format": "multipart/mixed",
        "relationship": "inputTo",
        "instance_id": f"{'hf:' if _on_hub(model) else ''}{_pinned(model)}",
        "data_types": _model_types(execution),
    }
    if _on_hub(model):
        ingredient["informational_URI"] = f"https://huggingface.co/{model.repo}"
    return ingredient


def _adapters(encoded: Encoded) -> list[dict[str, object]]:
    """Return adapters as ingredients, each with the label by which actions name it."""
    execution = encoded.marked.cleared.generated.execution
    return [
        {
            "label": label,
            "title": f"{each.kind} {each.repo}",
            "format": "multipart/mixed",
            "relationship": "inputTo",
            "instance_id": f"{'hf:' if _on_hub(each) else ''}{_pinned(each)}",
            "data_types": _model_types(execution),
            **({"informational_URI": f"https://huggingface.co/{each.repo}"} if _on_hub(each) else {}),
        }
        for label, each in zip(adapter_labels(execution), execution.adapters, strict=True)
    ]


def _model_types(execution: Execution) -> list[dict[str, str]]:
    return [{"type": labels.TYPE_GENERATOR}, *({"type": kind, "version": of} for kind, of in _formats(execution))]


def _formats(execution: Execution) -> list[tuple[str, str]]:
    """Return what ran the model, as far as it is known, with its version."""
    runners = (("torch", labels.TYPE_MODEL_PYTORCH), ("onnxruntime", labels.TYPE_MODEL_ONNX))
    return [(kind, execution.libraries[name]) for name, kind in runners if name in execution.libraries]


def _prompt(encoded: Encoded) -> tuple[list[object], dict[str, bytes]]:
    """Return the prompt as an ingredient: with its text, without it, or not at all."""
    admitted = encoded.marked.cleared.generated.admitted
    if not names_prompt(admitted.request, admitted.opening.mode):
        return [], {}
    ingredient: dict[str, object] = {
        "label": "prompt",
        "title": "prompt",
        "format": "text/plain",
        "relationship": "inputTo",
        "data_types": [{"type": labels.TYPE_PROMPT}],
    }
    if admitted.opening.mode is not PromptDisclosure.FULL:
        return [ingredient], {}
    ingredient["data"] = {"format": "text/plain", "identifier": _PROMPT_RESOURCE}
    try:
        return [ingredient], {_PROMPT_RESOURCE: admitted.request.prompt.encode("utf-8")}
    except UnicodeEncodeError as error:
        raise not_unicode("the prompt") from error


def _on_hub(model: ModelRef | AdapterRef) -> bool:
    return "/" in model.repo and not model.repo.startswith(("builtin:", "local:"))


def _pinned(model: ModelRef | AdapterRef) -> str:
    exact = model.revision or model.digest
    return f"{model.repo}@{exact}" if exact else model.repo


def _package_url(model: ModelRef) -> str:
    """Return a package URL for models of the hub (purl-spec, type ``huggingface``), else our own name for it."""
    return f"pkg:huggingface/{_pinned(model)}" if _on_hub(model) else _pinned(model)
