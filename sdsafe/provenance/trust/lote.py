"""Lists of trusted entities in JSON (ETSI TS 119 602), the form in which C2PA publishes who is on its lists and since when.

Only what is needed to trust is read: services whose status is *trusted*, and their certificates. Others are counted.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe._internal.shapes import text
from sdsafe.errors import ConfigurationError
from sdsafe.provenance.trust.anchors import anchor

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EntityList", "parse"]

_TRUSTED = "/trusted"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityList:
    """What a list says."""

    name: str
    """The scheme's own name; empty where it has none."""
    issued: str
    """RFC 3339, as stated."""
    next_update: str
    """RFC 3339, as stated: after it a newer list should have been fetched."""
    anchors: tuple[bytes, ...]
    """PEM, in the order of the list, each once."""
    left_out: int
    """Certificates of services that are no longer trusted."""


def parse(data: bytes, name: str) -> EntityList:
    """Read a list.

    Args:
        data: JSON.
        name: What messages call it.

    Raises:
        ConfigurationError: ``trust.format``: it is no such list, or a certificate in it cannot be an anchor.
            ``trust.empty``: nobody on it is trusted.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _malformed(name, "it is not JSON") from error
    root = _at(document, "LoTE")
    entities = _at(root, "TrustedEntitiesList")
    if not isinstance(entities, list):
        raise _malformed(name, "it has no LoTE.TrustedEntitiesList")
    anchors: dict[bytes, None] = {}
    left_out = 0
    for number, (trusted, value) in enumerate(_certificates(entities), 1):
        if not trusted:
            left_out += 1
            continue
        try:
            der = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise _malformed(name, f"certificate {number} is not base64") from error
        anchors[anchor(der, f"{name}: certificate {number}")] = None
    if not anchors:
        raise ConfigurationError(
            f"{name}: nobody on this list is trusted", code="trust.empty", hint="An empty list trusts nobody."
        )
    about = _at(root, "ListAndSchemeInformation")
    return EntityList(
        name=text(_at(about, "SchemeName", 0, "value")),
        issued=text(_at(about, "ListIssueDateTime")),
        next_update=text(_at(about, "NextUpdate")),
        anchors=tuple(anchors),
        left_out=left_out,
    )


def _certificates(entities: list[object]) -> Iterator[tuple[bool, str]]:
    """Yield (whether its service is trusted, base64) for every certificate."""
    for entity in entities:
        services = _at(entity, "TrustedEntityServices")
        for service in services if isinstance(services, list) else ():
            information = _at(service, "ServiceInformation")
            trusted = text(_at(information, "ServiceStatus")).endswith(_TRUSTED)
            certificates = _at(information, "ServiceDigitalIdentity", "X509Certificates")
            for each in certificates if isinstance(certificates, list) else ():
                yield trusted, text(_at(each, "val"))


def _at(value: object, *keys: str | int) -> object:
    """Follow keys and places; None where there is no way."""
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def _malformed(name: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name}: this is no list of trusted entities: {why}", code="trust.format", hint="Fetch the list again."
    )
