"""A strict reading of the JUMBF boxes of a manifest store (ISO 19566-5 as C2PA 2.x, section 11.1 uses it).

The C2PA library is lenient about bytes that no signature covers: the outer box length, padding in the COSE
signature, description boxes of the superboxes.
Here every byte must be accounted for: boxes tile their parents exactly, types and labels are the ones C2PA
names, padding is zero.
So a store that passes is byte for byte what its writer made, as far as the writer had no choice.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cbor2

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Box", "JumbfError", "parse", "problems"]

MAX_STORE_BYTES = 32 << 20
"""Largest manifest store that is read: the library's own limit for decompressed manifests."""

_MAX_DEPTH = 8  # store, manifest, assertion store, assertion, description, salt: six are used
_HEADER = 8
_UUID_TAIL = bytes.fromhex("00110010800000AA00389B71")
_EMBEDDED = bytes.fromhex("40CB0C32BB8A489DA70B2AD6F47F4369")
_TOGGLES = (0x03, 0x13)  # requestable + label, without and with a private (salt) field
_UNPROTECTED = {"sigTst", "sigTst2", "rVals", "pad", "pad2", "x5chain", 33}
_COSE_SIGN1 = 18
_MANIFESTS = (b"c2ma", b"c2um", b"c2cm")  # standard, update, compressed
_SECTIONS = {
    b"c2as": ("c2pa.assertions",),
    b"c2cl": ("c2pa.claim", "c2pa.claim.v2"),
    b"c2cs": ("c2pa.signature",),
    b"c2vc": ("c2pa.credentials",),
    b"c2db": ("c2pa.databoxes",),
}
_CONTENT = {
    b"cbor": (b"cbor",),
    b"json": (b"json",),
    b"c2cl": (b"cbor",),
    b"c2cs": (b"cbor",),
    b"c2cm": (b"brob",),
    b"uuid": (b"uuid",),
    b"embd": (b"bfdb", b"bidb"),
}


class JumbfError(ValueError):
    """The bytes are not a sequence of boxes; the message says where (byte offset in the store)."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its four-character type, its content, and for superboxes the boxes inside."""

    type: bytes
    content: bytes
    offset: int
    children: tuple[Box, ...] = ()
    kind: bytes = b""
    """Of a superbox: the first four bytes of its content type UUID (``embd`` for embedded files)."""
    label: str = ""
    toggles: int = 0


@lru_cache(maxsize=1)  # signing and reading back look at one and the same store five times
def parse(store: bytes) -> Box:
    """Return the one superbox that ``store`` is.

    Raises:
        JumbfError: A length does not fit, a description is malformed, or bytes are left over.
    """
    if len(store) > MAX_STORE_BYTES:
        raise JumbfError(f"manifest store larger than {MAX_STORE_BYTES >> 20} MiB")
    boxes = tuple(_boxes(store, 0, len(store), 0))
    if len(boxes) != 1 or boxes[0].type != b"jumb":
        raise JumbfError("a manifest store is exactly one superbox")
    return boxes[0]


def problems(store: bytes) -> Iterator[tuple[str, str]]:
    """Yield (code, explanation) for everything in ``store`` that C2PA does not provide for; nothing if it is clean."""
    try:
        root = parse(store)
    except JumbfError as error:
        yield "container.jumbf.malformed", str(error)
        return
    if (root.kind, root.label) != (b"c2pa", "c2pa"):
        yield "container.jumbf.label", f"the store is labelled {root.label!r}"
    seen: set[str] = set()
    for manifest in root.children[1:]:
        yield from _manifest_problems(manifest)
        if manifest.label in seen:
            yield "container.jumbf.duplicate", f"two manifests are labelled {manifest.label!r}"
        seen.add(manifest.label)
    for box in _walk(root):
        yield from _box_problems(box)


def _boxes(data: bytes, start: int, end: int, depth: int) -> Iterator[Box]:
    if depth > _MAX_DEPTH:
        raise JumbfError(f"boxes nested deeper than {_MAX_DEPTH} at byte {start}")
    while start < end:
        if end - start < _HEADER:
            raise JumbfError(f"{end - start} stray bytes at byte {start}")
        length, type_ = struct.unpack_from(">I4s", data, start)
        # Lengths 0 (to the end) and 1 (64 bit) are allowed by JUMBF and used by no C2PA writer.
        if length < _HEADER or start + length > end:
            raise JumbfError(f"box at byte {start} claims {length} bytes, {end - start} are left")
        yield _box(data, start, length, type_, depth)
        start += length


def _box(data: bytes, start: int, length: int, type_: bytes, depth: int) -> Box:
    content = data[start + _HEADER : start + length]
    if type_ != b"jumb":
        return Box(type_, content, start)
    children = tuple(_boxes(data, start + _HEADER, start + length, depth + 1))
    if not children or children[0].type != b"jumd":
        raise JumbfError(f"superbox at byte {start} has no description")
    kind, label, toggles = _description(children[0])
    return Box(type_, content, start, children, kind, label, toggles)


def _description(box: Box) -> tuple[bytes, str, int]:
    uuid, toggles, rest = box.content[:16], box.content[16:17], box.content[17:]
    label, terminator, private = rest.partition(b"\0")
    if len(uuid) < 16 or not toggles or not terminator:  # noqa: PLR2004 - length of a UUID
        raise JumbfError(f"description at byte {box.offset} is cut short")
    if toggles[0] not in _TOGGLES or bool(private) != (toggles[0] == _TOGGLES[1]):
        raise JumbfError(f"description at byte {box.offset} has toggles {toggles[0]:#04x} that do not fit")
    if private:
        inside = tuple(_boxes(private, 0, len(private), _MAX_DEPTH))
        if [each.type for each in inside] != [b"c2sh"]:
            raise JumbfError(f"description at byte {box.offset} holds something other than one salt")
    if uuid == _EMBEDDED:
        kind = b"embd"
    elif uuid[4:] == _UUID_TAIL:
        kind = uuid[:4]
    else:
        raise JumbfError(f"description at byte {box.offset} has an unknown content type")
    try:
        return kind, label.decode("utf-8"), toggles[0]
    except UnicodeDecodeError:
        raise JumbfError(f"label at byte {box.offset} is not UTF-8") from None


def _walk(box: Box) -> Iterator[Box]:
    yield box
    for child in box.children:
        yield from _walk(child)


def _manifest_problems(manifest: Box) -> Iterator[tuple[str, str]]:
    if manifest.kind not in _MANIFESTS:
        yield "container.jumbf.unexpected", f"{manifest.label!r} in the store is not a manifest"
        return
    kinds = [section.kind for section in manifest.children[1:]]
    if manifest.kind == b"c2cm":
        return
    for kind in (b"c2as", b"c2cl", b"c2cs"):
        if kinds.count(kind) != 1:
            yield (
                "container.jumbf.sections",
                f"manifest {manifest.label!r} has {kinds.count(kind)} {kind.decode()} boxes",
            )
    for section in manifest.children[1:]:
        if section.label not in _SECTIONS.get(section.kind, ()):
            yield "container.jumbf.unexpected", f"{section.label!r} does not belong in a manifest"
        if section.kind == b"c2cs":
            yield from _signature_problems(section)


def _box_problems(box: Box) -> Iterator[tuple[str, str]]:
    """Check that a superbox of data holds the boxes its content type announces, and nothing else."""
    expected = _CONTENT.get(box.kind)
    if box.type != b"jumb" or expected is None:
        return
    found = tuple(child.type for child in box.children[1:])
    if found != expected:
        yield "container.jumbf.content", f"{box.label!r} holds {found!r}"


def _signature_problems(section: Box) -> Iterator[tuple[str, str]]:
    """Check the parts of a COSE_Sign1 that its own signature does not cover (RFC 9052, section 4.2)."""
    raw = section.children[1].content if len(section.children) > 1 else b""
    try:
        message: Any = cbor2.loads(raw)
        canonical = cbor2.dumps(message) == raw
    except (cbor2.CBORError, ValueError, TypeError, RecursionError, OverflowError):
        yield "container.cose.malformed", "the claim signature is not CBOR"
        return
    if not isinstance(message, cbor2.CBORTag) or message.tag != _COSE_SIGN1 or not _is_sign1(message.value):
        yield "container.cose.malformed", "the claim signature is not a COSE_Sign1 with a detached payload"
        return
    if not canonical:
        yield "container.cose.encoding", "the claim signature is not in its shortest encoding, or has bytes after it"
    for name, value in message.value[1].items():
        if name not in _UNPROTECTED:
            yield "container.cose.header", f"unprotected header {name!r} is not one that C2PA names"
        elif name in ("pad", "pad2") and (not isinstance(value, bytes) or any(value)):
            yield "container.cose.padding", f"{name} holds something other than zeros"


def _is_sign1(value: object) -> bool:
    if not isinstance(value, list | tuple) or len(value) != 4:  # noqa: PLR2004 - four members, RFC 9052
        return False
    protected, unprotected, payload, signature = value
    return (
        isinstance(protected, bytes)
        and isinstance(unprotected, Mapping)
        and payload is None
        and isinstance(signature, bytes)
    )
