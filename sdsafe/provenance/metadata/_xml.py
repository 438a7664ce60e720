"""The one door to defusedxml: a bounded tree of elements out of text that nobody vouches for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers.expat import ExpatError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from sdsafe.errors import MetadataError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_DEPTH", "MAX_NODES", "Node", "parse"]

MAX_DEPTH = 32
"""Deepest nesting that is read; XMP of cameras and editors needs less than half of it."""

MAX_NODES = 20_000
"""Most elements and attributes that are read."""


@dataclass(slots=True)
class Node:
    """An element: names are written ``{namespace}name``; ``text`` is what stands before its first child."""

    name: str
    attributes: Mapping[str, str]
    text: str = ""
    children: list[Node] = field(default_factory=list)


def parse(text: str) -> Node:
    """Return the root element of an XML document.

    Raises:
        MetadataError: ``metadata.unsafe``: a document type, an entity, or more elements or deeper nesting than
            allowed; ``metadata.malformed``: not well-formed XML. Nothing else.
    """
    parser = DefusedXMLParser(target=_Tree(), forbid_dtd=True)
    try:
        parser.feed(text)
        root: object = parser.close()
    except DefusedXmlException as error:
        raise _unsafe("it declares a document type or an entity") from error
    except (ParseError, ExpatError, ValueError) as error:
        # Their messages name line and column, and may quote the text.
        raise MetadataError("the XMP packet is not well-formed XML", code="metadata.malformed") from error
    if not isinstance(root, Node):
        raise MetadataError("the XMP packet is empty", code="metadata.malformed")
    return root


class _Tree:
    """Builds nodes out of the parser's events, and stops at the bounds."""

    def __init__(self) -> None:
        self._root: Node | None = None
        self._open: list[Node] = []
        self._text: list[str] = []
        self._nodes = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._flush()
        self._nodes += 1 + len(attributes)
        if self._nodes > MAX_NODES or len(self._open) >= MAX_DEPTH:
            raise _unsafe("it nests deeper, or holds more elements, than any XMP")
        node = Node(name, dict(attributes))
        if self._open:
            self._open[-1].children.append(node)
        else:
            self._root = node
        self._open.append(node)

    def data(self, text: str) -> None:
        self._text.append(text)

    def end(self, _name: str) -> None:
        self._flush()
        self._open.pop()

    def close(self) -> Node | None:
        return self._root

    def _flush(self) -> None:
        """Keep what was read since the last event; text between children is layout."""
        if self._open and not self._open[-1].children:
            self._open[-1].text = "".join(self._text)
        self._text.clear()


def _unsafe(why: str) -> MetadataError:
    return MetadataError(f"the XMP packet is not read: {why}", code="metadata.unsafe")
