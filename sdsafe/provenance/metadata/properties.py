"""The XMP properties that are written and read: name, namespace, shape, and the field of ``Metadata`` that holds it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NAMESPACES", "PROPERTIES", "RDF", "XMPMETA", "Form", "Property"]

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMPMETA = "adobe:ns:meta/"

NAMESPACES: Mapping[str, str] = MappingProxyType(
    {
        "dc": "http://purl.org/dc/elements/1.1/",
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
        "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
        "TC260": "http://www.tc260.org.cn/ns/AIGC/1.0/",
    }
)
"""Prefix to namespace; the prefixes are those that the standards use."""


class Form(Enum):
    """How a value is written."""

    TEXT = "text"
    LANGUAGES = "language alternatives, of which we write x-default"
    LIST = "ordered array"


@dataclass(frozen=True, slots=True)
class Property:
    """One XMP property."""

    field: str
    prefix: str
    name: str
    form: Form = Form.TEXT

    @property
    def qualified(self) -> str:
        """The name as XML parsers write it, ``{namespace}name``."""
        return f"{{{NAMESPACES[self.prefix]}}}{self.name}"


PROPERTIES = (
    Property("digital_source_type", "Iptc4xmpExt", "DigitalSourceType"),
    Property("ai_system", "Iptc4xmpExt", "AISystemUsed"),
    Property("ai_system_version", "Iptc4xmpExt", "AISystemVersionUsed"),
    Property("prompt", "Iptc4xmpExt", "AIPromptInformation"),
    Property("prompt_writer", "Iptc4xmpExt", "AIPromptWriterName"),
    Property("identifier", "Iptc4xmpExt", "DigImageGUID"),
    Property("creators", "dc", "creator", Form.LIST),
    Property("rights", "dc", "rights", Form.LANGUAGES),
    Property("credit", "photoshop", "Credit"),
    Property("provider", "photoshop", "Source"),
    Property("created", "xmp", "CreateDate"),
    Property("data_mining", "plus", "DataMining"),
    Property("aigc", "TC260", "AIGC"),
)
"""In the order in which they are written."""
