"""Dossiers as messages and back. What comes from outside is taken apart strictly: exact keys, exact types."""

from __future__ import annotations

import re
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from sdsafe.core.dossier import CheckReceipt, Dossier, GoneIn
from sdsafe.core.findings import CheckStatus, Stage
from sdsafe.core.states import Asset
from sdsafe.provenance.signing.wire import Message, WireError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PROTOCOL", "STAMPING", "dossier_in", "dossier_message", "refusal"]

PROTOCOL = 1
"""Value of ``v`` in every message."""

STAMPING = ("none", "best_effort", "require")
"""Whether the signature is time-stamped: not, if an authority answers, or not without."""

_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,60}")
_RECEIPT = tuple(item.name for item in fields(CheckReceipt))
_KEYS = {"v", "op", "stamping", "beside", "asset", "document", "resources", "ingredients", "receipts"}


def dossier_message(dossier: Dossier, stamping: str) -> Message:
    """Return the message that asks for a signature; its parts are the file, resources and what went in, in order."""
    header = {
        "v": PROTOCOL,
        "op": "sign",
        "stamping": stamping,
        "beside": dossier.beside,
        "asset": {"media_type": dossier.asset.media_type, "name": dossier.asset.name},
        "document": dict(dossier.document),
        "resources": list(dossier.resources),
        "ingredients": [
            {"description": dict(each.description), "media_type": each.media_type} for each in dossier.ingredients
        ],
        "receipts": [asdict(each) for each in dossier.receipts],
    }
    gone_in = (each.data for each in dossier.ingredients)
    return Message(header, (dossier.asset.data, *dossier.resources.values(), *gone_in))


def dossier_in(message: Message) -> tuple[Dossier, str]:
    """Return what ``dossier_message`` was given.

    Raises:
        WireError: It is not such a message.
    """
    header = message.header
    _must(set(header) == _KEYS and header["v"] == PROTOCOL and header["op"] == "sign", "its keys")
    _must(header["stamping"] in STAMPING, "stamping")
    _must(isinstance(header["beside"], bool), "beside")
    names, described = _list(header, "resources"), _list(header, "ingredients")
    _must(all(isinstance(name, str) for name in names) and len(set(names)) == len(names), "resources")
    _must(len(message.parts) == 1 + len(names) + len(described), "the number of its parts")
    asset = _object(header["asset"], {"media_type", "name"}, "asset")
    data, rest = message.parts[0], message.parts[1:]
    ingredients = zip(described, rest[len(names) :], strict=True)
    return Dossier(
        asset=Asset(data=data, media_type=_media_type(asset), name=_text(asset, "name")),
        document=_mapping(header["document"], "document"),
        resources=dict(zip(names, rest, strict=False)),
        ingredients=tuple(_gone_in(each, content) for each, content in ingredients),
        receipts=tuple(_receipt(each) for each in _list(header, "receipts")),
        beside=header["beside"],
    ), header["stamping"]


def refusal(code: str, text: str, hint: str = "") -> dict[str, object]:
    """Return the answer that says no."""
    return {"v": PROTOCOL, "ok": False, "code": code, "message": text, "hint": hint}


def _gone_in(value: object, data: bytes) -> GoneIn:
    found = _object(value, {"description", "media_type"}, "ingredients")
    description = _mapping(found["description"], "ingredients")
    return GoneIn(description=description, media_type=_media_type(found), data=data)


def _receipt(value: object) -> CheckReceipt:
    found = _object(value, set(_RECEIPT), "receipts")
    texts: dict[str, Any] = {name: _text(found, name) for name in _RECEIPT}
    try:
        return CheckReceipt(**{**texts, "stage": Stage(texts["stage"]), "status": CheckStatus(texts["status"])})
    except ValueError as error:
        raise WireError("the message does not fit: receipts") from error


def _media_type(found: Mapping[str, Any]) -> str:
    text = _text(found, "media_type")
    _must(_MEDIA_TYPE.fullmatch(text) is not None, "a media type")
    return text


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found[name]
    _must(isinstance(value, str), name)
    return str(value)


def _list(found: Mapping[str, Any], name: str) -> list[Any]:
    value = found[name]
    _must(isinstance(value, list), name)
    return list(value)


def _object(value: object, keys: set[str], where: str) -> dict[str, Any]:
    found = _mapping(value, where)
    _must(set(found) == keys, where)
    return found


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WireError(f"the message does not fit: {where}")
    return value


def _must(condition: bool, where: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not condition:
        raise WireError(f"the message does not fit: {where}")
