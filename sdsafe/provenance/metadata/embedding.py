"""Putting metadata into a finished file and finding it again, without touching a pixel.

Metadata is written *before* signing: the hard binding of the manifest then covers it, and whoever changes it later
makes the manifest invalid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from sdsafe.errors import MetadataError
from sdsafe.provenance.metadata import _avif, _jpeg, _png, _tiff, _webp
from sdsafe.provenance.metadata._found import damaged, occupied
from sdsafe.provenance.metadata.aigc import AigcLabel
from sdsafe.provenance.metadata.model import Metadata
from sdsafe.provenance.metadata.xmp import parse, render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.states import Asset
    from sdsafe.provenance.metadata._found import Found

__all__ = ["EMBEDDABLE", "Declaration", "embed", "read", "without_prompt"]


class _Container(Protocol):
    def scan(self, data: bytes, /) -> Found: ...

    def insert(self, data: bytes, packet: bytes, label: str | None, /) -> bytes: ...


_CONTAINERS: Mapping[str, _Container] = MappingProxyType(
    {"image/png": _png, "image/jpeg": _jpeg, "image/webp": _webp, "image/tiff": _tiff, "image/avif": _avif}
)

EMBEDDABLE = frozenset(_CONTAINERS)
"""Media types that metadata can be put into and read from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a file was found to declare. Nothing of it is authenticated by being here."""

    metadata: Metadata | None = None
    """None: nothing was found, or nothing that reads; ``problems`` tells which."""
    places: tuple[str, ...] = ()
    """Where something was found, such as ``PNG iTXt`` or ``EXIF UserComment``."""
    problems: tuple[tuple[str, str], ...] = ()
    """(code, explanation) of everything that was wrong; never a quotation from the file."""


def embed(data: bytes, media_type: str, metadata: Metadata) -> bytes:
    """Return the file with ``metadata`` in it: XMP, and for an AIGC label also the form that the guide wraps.

    Where it goes: PNG ``iTXt`` and ``tEXt``, JPEG APP1 (XMP, EXIF), WebP ``XMP`` and ``EXIF``, TIFF tag 700, AVIF a
    ``mime`` item. The compressed pixels stay byte for byte what they were; equal arguments give equal bytes.

    Args:
        data: A file that was just encoded; one that declares something already is refused.
        media_type: One of ``EMBEDDABLE``.
        metadata: What to declare.

    Raises:
        MetadataError: ``metadata.unsupported``: another media type; ``metadata.present``: the file has XMP, or
            where a label needs it, EXIF; ``metadata.too-large``: JPEG has room for 64 KB; ``metadata.container``:
            the file is damaged; and what ``render`` refuses.
    """
    container = _CONTAINERS.get(media_type)
    if container is None:
        raise MetadataError(
            f"metadata cannot be put into {media_type}",
            code="metadata.unsupported",
            hint=f"Media types: {', '.join(sorted(EMBEDDABLE))}.",
        )
    packet = render(metadata)
    before = container.scan(data)
    if before.packets or before.labels:
        raise occupied("XMP" if before.packets else "an AIGC label")
    if before.problems:
        raise damaged(media_type)
    return container.insert(data, packet, metadata.aigc.render_wrapped() if metadata.aigc else None)


def without_prompt(asset: Asset) -> bytes:
    """Return the file with the prompt, and who wrote it, taken out of its XMP; every other byte as it is.

    The new packet takes the room of the old one, filled up with spaces, as XMP foresees.

    Raises:
        MetadataError: ``metadata.rewrite``: there is not exactly one packet, it is packed, or it declares more than is
            known here, which would be lost.
    """
    found = read(asset)
    packets = _CONTAINERS[asset.media_type].scan(asset.data).packets
    if found.metadata is None or found.problems or len(packets) != 1 or asset.data.count(packets[0][1]) != 1:
        raise _unwritable()
    old = packets[0][1]
    if render(replace(found.metadata, aigc=parse(old).aigc)).strip() != old.strip():
        raise _unwritable()
    new = render(replace(parse(old), prompt=None, prompt_writer=None))
    data = asset.data.replace(old, new + b" " * (len(old) - len(new)))
    return _png.checked(data) if asset.media_type == "image/png" else data


def _unwritable() -> MetadataError:
    return MetadataError(
        "the XMP of this file cannot be rewritten: it is not as it was written here",
        code="metadata.rewrite",
        hint="Take the prompt out of it with the tool that wrote it, before signing.",
    )


def read(asset: Asset) -> Declaration:
    """Return what a file declares in XMP, EXIF and PNG text; never raises on what it finds there.

    A second packet, a packet that does not read, and labels that disagree are problems. Of several packets none
    counts: readers differ in which one they take.
    """
    container = _CONTAINERS.get(asset.media_type)
    if container is None:
        return Declaration(problems=(("metadata.unsupported", f"metadata of {asset.media_type} is not read"),))
    found = container.scan(asset.data)
    problems = list(found.problems)
    metadata = _packet(found, problems)
    label = _label(found, metadata.aigc if metadata else None, problems)
    if label is not None:
        metadata = replace(metadata or Metadata(), aigc=label)
    places = dict.fromkeys(place for place, _ in (*found.packets, *found.labels))
    return Declaration(metadata=metadata, places=tuple(places), problems=tuple(problems))


def _packet(found: Found, problems: list[tuple[str, str]]) -> Metadata | None:
    if len(found.packets) > 1:
        problems.append(("metadata.several-packets", f"{len(found.packets)} XMP packets, at most one is allowed"))
        return None
    try:
        return parse(found.packets[0][1]) if found.packets else None
    except MetadataError as error:
        problems.append((error.code, str(error)))
        return None


def _label(found: Found, stated: AigcLabel | None, problems: list[tuple[str, str]]) -> AigcLabel | None:
    """Return the one label that all places agree on."""
    labels = [] if stated is None else [stated]
    for _, raw in found.labels:
        try:
            label = AigcLabel.parse(raw.decode("utf-8"))
            Metadata(aigc=label)  # holds only what XML could hold, as one from XMP does
        except UnicodeDecodeError:
            problems.append(("metadata.aigc", "the AIGC label is not UTF-8"))
        except MetadataError as error:
            problems.append((error.code, str(error)))
        else:
            labels.append(label)
    if any(label != labels[0] for label in labels):
        problems.append(("metadata.aigc.disagree", "the file has AIGC labels that say different things"))
        return stated
    return labels[0] if labels else None
