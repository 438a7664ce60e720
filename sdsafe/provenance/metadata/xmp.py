"""XMP packets (ISO 16684-1) of exactly the properties that ``Metadata`` has: written plainly, read with suspicion.

Writing puts every value into an element: attributes would lose line ends. Reading also takes the other forms that
XMP allows (attributes, ``rdf:resource``, one value in an array) and passes over properties that it does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.errors import MetadataError
from sdsafe.provenance.metadata.aigc import AigcLabel
from sdsafe.provenance.metadata.model import DataMining, DigitalSourceType, Metadata
from sdsafe.provenance.metadata.properties import NAMESPACES, PROPERTIES, RDF, XMPMETA, Form, Property

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.provenance.metadata._xml import Node

__all__ = ["MAX_PACKET_BYTES", "parse", "render"]

MAX_PACKET_BYTES = 1 << 20
"""Longest packet that is written or read."""

# The packet is marked read-only ("r"): whoever changes it in place breaks the signature around it.
_HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_TAIL = '<?xpacket end="r"?>'
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_ARRAYS = {f"{{{RDF}}}{name}" for name in ("Alt", "Seq", "Bag")}
_ITEM = f"{{{RDF}}}li"
_RESOURCE = f"{{{RDF}}}resource"
_BY_NAME = {each.qualified: each for each in PROPERTIES}
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


def render(metadata: Metadata) -> bytes:
    """Return ``metadata`` as an XMP packet in UTF-8; equal records give equal bytes, and ``parse`` gives them back.

    Raises:
        MetadataError: ``metadata.value``: the source type is no term of ``DigitalSourceType``, or the data-mining
            statement none of ``DataMining``; ``metadata.too-large``: more than ``MAX_PACKET_BYTES``.
    """
    _require_term("digital_source_type", metadata.digital_source_type, DigitalSourceType)
    _require_term("data_mining", metadata.data_mining, DataMining)
    stated = [(each, values) for each in PROPERTIES if (values := _values(metadata, each))]
    used = {each.prefix for each, _ in stated}
    spaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items() if prefix in used)
    lines = [
        _HEAD,
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">',
        f'<rdf:RDF xmlns:rdf="{RDF}">',
        f'<rdf:Description rdf:about=""{spaces}>',
        *(_element(each, values) for each, values in stated),
        "</rdf:Description>",
        "</rdf:RDF>",
        "</x:xmpmeta>",
        _TAIL,
    ]
    packet = "\n".join(lines).encode()
    if len(packet) > MAX_PACKET_BYTES:
        raise MetadataError(
            f"the XMP packet would have {len(packet):,} bytes, the limit is {MAX_PACKET_BYTES:,}",
            code="metadata.too-large",
            hint="Shorten the texts, or keep the prompt out with --prompt-disclosure commit.",
        )
    return packet


def parse(packet: bytes) -> Metadata:
    """Read an XMP packet. Nothing in it is believed, fetched or expanded.

    Raises:
        MetadataError: ``metadata.too-large``; ``metadata.encoding``: not UTF-8; ``metadata.unsafe``: a document
            type, entities, or nesting beyond any XMP; ``metadata.malformed``: not one RDF document, a property
            stated twice or of another shape; ``metadata.aigc``. Nothing else.
    """
    # Imported here: 10 ms that only a file with XMP costs.
    from sdsafe.provenance.metadata import _xml

    if len(packet) > MAX_PACKET_BYTES:
        raise MetadataError(
            f"the XMP packet has {len(packet):,} bytes, the limit is {MAX_PACKET_BYTES:,}", code="metadata.too-large"
        )
    try:
        text = packet.rstrip(b"\x00 \t\r\n").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MetadataError("the XMP packet is not UTF-8", code="metadata.encoding") from error
    stated: dict[str, object] = {}
    for each, value in _properties(_xml.parse(text)):
        if each.field in stated:
            raise _malformed(f"{each.prefix}:{each.name} is stated twice")
        stated[each.field] = AigcLabel.parse(value) if each.field == "aigc" and isinstance(value, str) else value
    return Metadata(**stated)  # type: ignore[arg-type]  # a field's type follows from the property's form


def _require_term(field: str, value: str | None, terms: type[DigitalSourceType | DataMining]) -> None:
    if value is not None and value not in set(terms):
        raise MetadataError(
            f"{field} must be the full URI of a term, such as {next(iter(terms)).value}",
            code="metadata.value",
            hint=f"Use one of the constants of {terms.__name__}.",
        )


def _values(metadata: Metadata, each: Property) -> tuple[str, ...]:
    value = getattr(metadata, each.field)
    if value is None:
        return ()
    if isinstance(value, AigcLabel):
        return (value.render(),)
    return value if isinstance(value, tuple) else (str(value),)


def _element(each: Property, values: tuple[str, ...]) -> str:
    name, escaped = f"{each.prefix}:{each.name}", [value.translate(_ESCAPES) for value in values]
    match each.form:
        case Form.TEXT:
            inner = escaped[0]
        case Form.LANGUAGES:
            inner = f'<rdf:Alt><rdf:li xml:lang="x-default">{escaped[0]}</rdf:li></rdf:Alt>'
        case Form.LIST:
            inner = f"<rdf:Seq>{''.join(f'<rdf:li>{value}</rdf:li>' for value in escaped)}</rdf:Seq>"
    return f"<{name}>{inner}</{name}>"


def _properties(root: Node) -> Iterator[tuple[Property, str | tuple[str, ...]]]:
    """Yield every property that we know, with its value."""
    trees = root.children if root.name == f"{{{XMPMETA}}}xmpmeta" else [root]
    if [tree.name for tree in trees] != [f"{{{RDF}}}RDF"]:
        raise _malformed("it does not hold exactly one rdf:RDF")
    for node in trees[0].children:
        if node.name != f"{{{RDF}}}Description":
            raise _malformed("something other than rdf:Description in rdf:RDF")
        for name, text in node.attributes.items():
            if name in _BY_NAME:
                each = _BY_NAME[name]
                yield each, (text,) if each.form is Form.LIST else text
        for child in node.children:
            if child.name in _BY_NAME:
                each = _BY_NAME[child.name]
                yield each, _value(each, child)


def _value(each: Property, node: Node) -> str | tuple[str, ...]:
    if not node.children:
        text = node.attributes.get(_RESOURCE, node.text)
        return (text,) if each.form is Form.LIST else text
    array = node.children[0]
    if len(node.children) > 1 or array.name not in _ARRAYS:
        raise _malformed(f"{each.prefix}:{each.name} is neither a text nor an array of texts")
    items = array.children
    if any(item.name != _ITEM or item.children for item in items):
        raise _malformed(f"{each.prefix}:{each.name} holds something other than texts")
    texts = tuple(item.attributes.get(_RESOURCE, item.text) for item in items)
    if each.form is Form.LIST:
        return texts
    if each.form is Form.LANGUAGES and items:
        return next((i.text for i in items if i.attributes.get(_LANG, "").lower() == "x-default"), texts[0])
    if len(texts) != 1:
        raise _malformed(f"{each.prefix}:{each.name} has {len(texts)} values, one is allowed")
    return texts[0]


def _malformed(why: str) -> MetadataError:
    return MetadataError(f"the XMP packet does not read: {why}", code="metadata.malformed")
