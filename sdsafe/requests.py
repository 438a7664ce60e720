"""Requests as files: read strictly, written from a manifest, so that a picture can be asked for again.

The file says everything of a request but the pictures that go in: of those it states SHA-256 and role, and whoever
runs it gives the files. What a manifest withholds is named and never guessed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from sdsafe._internal.documents import MAX_BYTES, read_yaml
from sdsafe._internal.strict import Strict, build
from sdsafe.core.request import TEXT_FIELDS, AdapterRef, ModelRef, Size, Task
from sdsafe.errors import PolicyFormatError, RequestError
from sdsafe.generation.call_parameters import classify

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sdsafe.core.request import InputImage, Scalar

__all__ = ["SCHEMA", "Stated", "document_of", "read_request", "require_inputs", "to_json"]

SCHEMA = "sdsafe.request/1"

_SIZED = (Task.GENERATE, Task.TRANSFORM, Task.VARY)  # the size of all others follows from the picture
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Model(Strict):
    id: str
    revision: str | None = None
    digest: _Digest | None = None


class _Adapter(Strict):
    kind: str
    id: str
    file: str | None = None
    weight: float = 1.0
    revision: str | None = None
    digest: _Digest | None = None


class _Input(Strict):
    role: str
    sha256: _Digest


class _File(Strict):
    schema_: Annotated[Literal["sdsafe.request/1"], Field(alias="schema")]
    task: Literal["generate", "transform", "vary", "inpaint", "outpaint", "upscale", "restore", "audio"] = "generate"
    prompt: str | None = None
    prompt_2: str | None = None
    prompt_3: str | None = None
    negative_prompt: str | None = None
    model: _Model | None = None
    adapters: tuple[_Adapter, ...] = ()
    count: int | None = None
    seed: int | None = None
    size: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$")] | None = None
    steps: int | None = None
    guidance: float | None = None
    seconds: float | None = None
    scheduler: str | None = None
    intended_use: str | None = None
    attestations: tuple[str, ...] = ()
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict)
    inputs: tuple[_Input, ...] = ()
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a request file says."""

    fields: Mapping[str, Any]
    """Arguments of ``GenerationRequest``; only those that the file states."""
    inputs: tuple[tuple[str, str], ...] = ()
    """Role and SHA-256 of every picture that has to go in."""
    withheld: tuple[str, ...] = ()
    """What the manifest that it was written from did not disclose, as field names."""
    unstated: tuple[str, ...] = field(init=False)
    """What of it is still open."""

    def __post_init__(self) -> None:
        """Freeze the fields, and see what is still open."""
        parameters = self.fields.get("parameters", {})
        open_ = (name for name in self.withheld if name not in self.fields and name.partition(".")[2] not in parameters)
        object.__setattr__(self, "unstated", tuple(open_))
        object.__setattr__(self, "fields", MappingProxyType(dict(self.fields)))


def read_request(data: bytes, name: str) -> Stated:
    """Return what a request file states.

    Args:
        data: YAML or JSON, UTF-8.
        name: What to call the file in errors.

    Raises:
        RequestError: ``request.file``; the message names file, key, what was expected and what was found.
    """
    try:
        found = build(_File, _parsed(data, name), name)
    except PolicyFormatError as error:
        raise RequestError(str(error), code="request.file", hint=error.hint or "Correct the file.") from error
    stated: dict[str, Any] = {
        key: value
        for key in (*TEXT_FIELDS, "count", "seed", "steps", "guidance", "seconds", "scheduler", "intended_use")
        if (value := getattr(found, key)) is not None
    }
    stated["task"] = Task(found.task)
    if found.model is not None:
        stated["model"] = ModelRef(repo=found.model.id, revision=found.model.revision, digest=found.model.digest)
    if found.size is not None:
        width, _, height = found.size.partition("x")
        stated["size"] = Size(width=int(width), height=int(height))
    if found.adapters:
        stated["adapters"] = tuple(_adapter(each) for each in found.adapters)
    if found.attestations:
        stated["attestations"] = found.attestations
    if found.parameters:
        stated["parameters"] = dict(found.parameters)
    inputs = tuple((each.role, each.sha256) for each in found.inputs)
    return Stated(fields=stated, inputs=inputs, withheld=found.withheld)


def document_of(generation: Mapping[str, Any]) -> dict[str, object]:
    """Return the request file of an asset.

    Args:
        generation: The value of its assertion ``org.sdsafe.generation``.

    Raises:
        RequestError: ``request.file``: the assertion lacks what every one has, or the picture cannot be made again:
            the noise that it began with followed from its own id, or no model took part.
    """
    if "key_id" in generation.get("noise_mark", {}):
        raise _unrepeatable("the noise that it began with carries its id, and another picture gets another id")
    if generation.get("task") == Task.SIGN:
        raise _unrepeatable("it was made elsewhere, and only signed here")
    try:
        return _document(generation)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _unrepeatable("its manifest does not say enough, or was written by something else") from None


def to_json(document: Mapping[str, object]) -> str:
    """Return a request file as JSON, which ``read_request`` reads."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def require_inputs(stated: Stated, inputs: Iterable[InputImage]) -> None:
    """Make sure that the pictures that go in are those that the file names.

    Raises:
        RequestError: ``request.input``: one is another one.
    """
    wanted = dict(stated.inputs)
    for each in inputs:
        if wanted.get(each.role, each.sha256) != each.sha256:
            raise RequestError(
                f"the {each.role} is not the picture that the request file names "
                f"(expected {wanted[each.role][:16]}, found {each.sha256[:16]})",
                code="request.input",
                hint="Give the very file, or take `inputs` out of the request file.",
            )


def _parsed(data: bytes, name: str) -> object:
    if not data.lstrip().startswith(b"{"):
        return read_yaml(data, name)
    if len(data) > MAX_BYTES:
        raise PolicyFormatError(
            file=name, key="", expected=f"at most {MAX_BYTES:,} bytes", found=f"{len(data):,} bytes"
        )
    try:
        return json.loads(data, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise PolicyFormatError(file=name, key="", expected="JSON", found=str(error)[:100]) from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    built = {key: tuple(value) if isinstance(value, list) else value for key, value in pairs}
    if len(built) < len(pairs):
        msg = "a key twice"
        raise ValueError(msg)
    return built


def _no_constant(name: str) -> object:
    msg = f"{name}, which is no number"
    raise ValueError(msg)


def _adapter(given: _Adapter) -> AdapterRef:
    return AdapterRef(
        kind=given.kind,
        repo=given.id,
        file=given.file,
        weight=given.weight,
        revision=given.revision,
        digest=given.digest,
    )


def _document(generation: Mapping[str, Any]) -> dict[str, object]:
    task, texts = Task(generation["task"]), generation["prompt"].get("texts")
    hidden = [*([] if texts else ["prompt"]), *(f"parameters.{n}" for n in generation.get("parameters_withheld", ()))]
    stated = {
        "schema": SCHEMA,
        "task": task.value,
        **(texts or {}),
        "model": _kept(generation["model"], "id", "revision", "digest"),
        "adapters": [
            {**_kept(each, "kind", "id", "file", "revision", "digest"), "weight": float(each["weight"])}
            for each in generation.get("adapters", ())
        ],
        "seed": generation["seed"],
        "size": "{width}x{height}".format_map(generation["size"]) if task in _SIZED else None,
        "steps": generation.get("steps"),
        **{name: float(generation[name]) for name in ("guidance", "seconds") if name in generation},
        "scheduler": generation["scheduler"].get("asked"),
        "intended_use": generation.get("intended_use"),
        "parameters": {name: _typed(name, value) for name, value in generation.get("parameters", {}).items()},
        "inputs": [_kept(each, "role", "sha256") for each in generation.get("inputs", ())],
        "withheld": hidden,
    }
    return {name: value for name, value in stated.items() if value not in (None, [], {})}


def _kept(value: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value[name] for name in names if name in value}


def _typed(name: str, value: Scalar) -> Scalar:
    """Return a parameter with its type: the manifest writes floats as texts."""
    known = classify(name)
    is_float = known is not None and known.bounds is not None and known.bounds.kind is float
    return float(value) if is_float else value


def _unrepeatable(why: str) -> RequestError:
    return RequestError(f"no request file can be written of this: {why}", code="request.file")
