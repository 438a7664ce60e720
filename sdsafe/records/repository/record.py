"""The private record: everything about one asset that the manifest need not show. Pure.

It holds every prompt, the salt that opens the prompt's commitment, the parameters, and the decisions with the terms
that matched. It exists only sealed; see ``vault``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any

from sdsafe.errors import RepositoryError

if TYPE_CHECKING:
    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.states import Generated, Signed

__all__ = ["FORMAT", "PrivateRecord", "parse", "record_of", "render"]

FORMAT = 1
"""Value of ``"v"``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateRecord:
    """What is kept of one released asset, in JSON types. Its ``repr`` shows nothing private."""

    asset_id: str
    recorded_at: str
    manifest_label: str
    seed: int
    disclosure: str
    """``full``, ``encrypted``, ``commit`` or ``omit``: how much of the prompt the manifest shows."""
    salt: bytes = field(repr=False)
    """Opens the commitment to the prompt."""
    texts: Mapping[str, str] = field(repr=False)
    """Every text field of the request, by name."""
    parameters: Mapping[str, Any] = field(repr=False)
    """The rest of the request, as resolved."""
    execution: Mapping[str, Any] = field(repr=False)
    """What ran: model, device, scheduler, library versions."""
    decisions: Mapping[str, Any] = field(repr=False)
    """Decisions and check results of every stage, matched terms included, and what discharged each obligation."""


def record_of(signed: Signed, recorded_at: str) -> PrivateRecord:
    """Gather the private record of a signed asset."""
    cleared = signed.encoded.marked.cleared
    generated = cleared.generated
    admitted = generated.admitted
    return PrivateRecord(
        asset_id=str(generated.asset_id),
        recorded_at=recorded_at,
        manifest_label=signed.manifest_label,
        seed=generated.seed,
        disclosure=admitted.opening.mode.value,
        salt=admitted.opening.salt,
        texts=dict(admitted.request.texts()),
        parameters=_parameters(admitted.request) | {"index": generated.index},
        execution=_plain(generated.execution) | _digest(generated),
        decisions={
            "prompt": {"decision": _plain(admitted.decision), "checks": _plain(admitted.checks)},
            "output": {
                "decision": _plain(cleared.decision),
                "checks": _plain(cleared.checks),
                "unchecked": cleared.unchecked,
                "actions": list(cleared.actions),
                "opinions": _plain(cleared.opinions),
            },
            "export": {"decision": _plain(cleared.export), "checks": []},
            "discharges": _plain(signed.discharges),
        },
    )


def render(record: PrivateRecord) -> bytes:
    """Return the record as JSON; law: ``parse(render(record)) == record``.

    Raises:
        RepositoryError: It holds something that JSON cannot hold.
    """
    document = {item.name: getattr(record, item.name) for item in fields(record)}
    try:
        text = json.dumps({"v": FORMAT, **document, "salt": record.salt.hex()}, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        # The message of the cause may repeat a value, so only its kind is told.
        raise RepositoryError(
            f"the private record cannot be written as JSON ({type(error).__name__})",
            code="repository.unwritable-record",
            hint="A parameter is not finite or not a plain value; correct the request.",
        ) from None
    return text.encode("ascii")


def parse(data: bytes) -> PrivateRecord:
    """Read what ``render`` wrote.

    Raises:
        RepositoryError: ``repository.newer`` or ``repository.damaged``.
    """
    try:
        document = json.loads(data)
        if document.pop("v") == FORMAT:
            document["salt"] = bytes.fromhex(document["salt"])
            return PrivateRecord(**document)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise RepositoryError("a private record cannot be read", code="repository.damaged") from None
    raise RepositoryError(
        "a private record has a format that this version of sdsafe does not know",
        code="repository.newer",
        hint="Use the version of sdsafe that wrote it, or a newer one.",
    )


def _digest(generated: Generated) -> dict[str, str]:
    """Return what a replay compares, by the name that the manifest has for it."""
    sound = generated.sound
    return {"pixels_sha256": generated.pixels_sha256} if sound is None else {"sound_sha256": sound.sha256}


_TEXTS = {"prompt", "prompt_2", "prompt_3", "negative_prompt"}


def _parameters(request: GenerationRequest) -> dict[str, Any]:
    """Return the request without its texts, and of input pictures only what identifies them."""
    kept = [item.name for item in fields(request) if item.name not in {*_TEXTS, "inputs"}]
    inputs = [{"role": each.role, "sha256": each.sha256, "media_type": each.media_type} for each in request.inputs]
    return {name: _plain(getattr(request, name)) for name in kept} | {"inputs": inputs}


def _plain(value: object) -> Any:
    """Turn frozen values into JSON types: enums by their label, bytes as hex."""
    match value:
        case IntEnum():
            converted: Any = value.name.lower()
        case Enum():
            converted = value.value
        case bytes():
            converted = value.hex()
        case Mapping():
            converted = {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            converted = [_plain(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            converted = {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
        case _:
            converted = value
    return converted
