"""What a walk through a container brings back, before anything in it is parsed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from sdsafe.errors import MetadataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["MAX_PARTS", "MAX_PIECES", "Found", "bounded", "damaged", "occupied"]

MAX_PARTS = 100_000
"""Most chunks, segments or items of one file that are walked over; pixels in pieces of 8 KB make 800 MB of them."""

MAX_PIECES = 16
"""Most packets, labels and EXIF blocks of one file that are looked into."""

_Part = TypeVar("_Part")


@dataclass(slots=True)
class Found:
    """Raw packets and labels, each with the place it was found in, and what is wrong with the container."""

    packets: list[tuple[str, bytes]] = field(default_factory=list)
    """XMP packets."""
    labels: list[tuple[str, bytes]] = field(default_factory=list)
    """AIGC labels outside XMP."""
    exif: bool = False
    """Whether there is an EXIF block, with or without a label in it."""
    problems: list[tuple[str, str]] = field(default_factory=list)
    """(code, explanation)."""

    _pieces: int = 0

    def take(self) -> bool:
        """Say whether one more piece may be looked into; a flood of them is a problem of its own."""
        self._pieces += 1
        if self._pieces == MAX_PIECES + 1:
            self.problem("metadata.container.flood", f"more than {MAX_PIECES} pieces of metadata")
        return self._pieces <= MAX_PIECES

    def packet(self, place: str, data: bytes) -> None:
        """Keep a packet."""
        self.packets.append((place, data))

    def label(self, place: str, data: bytes | None) -> None:
        """Keep a label, if there is one."""
        if data is not None:
            self.labels.append((place, data))

    def cut_off(self) -> None:
        """Note that the container ends before it should."""
        self.problem("metadata.container.truncated", "the file ends in the middle of a part")

    def problem(self, code: str, explanation: str) -> None:
        """Note something wrong."""
        if len(self.problems) < MAX_PIECES:
            self.problems.append((code, explanation))


def bounded(parts: Iterable[_Part], found: Found) -> Iterator[_Part]:
    """Yield the first ``MAX_PARTS`` parts; more are a problem."""
    for number, part in enumerate(parts):
        if number == MAX_PARTS:
            found.problem("metadata.container.parts", f"more than {MAX_PARTS:,} parts; the rest was not looked at")
            return
        yield part


def damaged(what: str) -> MetadataError:
    """Return the error for a file that nothing can be put into."""
    return MetadataError(
        f"the {what} file is cut off or damaged: nothing can be put into it", code="metadata.container"
    )


def occupied(what: str) -> MetadataError:
    """Return the error for a file that declares something already."""
    return MetadataError(
        f"the file has {what} already; a second one would contradict it",
        code="metadata.present",
        hint="Metadata is put into files that were just encoded.",
    )
