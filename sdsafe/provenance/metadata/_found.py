"""What a walk through a container brings back, before anything in it is parsed."""

from __future__ import annotations

from dataclasses import dataclass, field

from sdsafe.errors import MetadataError

__all__ = ["MAX_PIECES", "Found", "damaged", "occupied"]

MAX_PIECES = 16
"""Most packets and labels that are kept of one file."""


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

    def packet(self, place: str, data: bytes) -> None:
        """Keep a packet; of a flood only the first."""
        if len(self.packets) < MAX_PIECES:
            self.packets.append((place, data))

    def label(self, place: str, data: bytes | None) -> None:
        """Keep a label, if there is one."""
        if data is not None and len(self.labels) < MAX_PIECES:
            self.labels.append((place, data))

    def cut_off(self) -> None:
        """Note that the container ends before it should."""
        self.problem("metadata.container.truncated", "the file ends in the middle of a part")

    def problem(self, code: str, explanation: str) -> None:
        """Note something wrong."""
        if len(self.problems) < MAX_PIECES:
            self.problems.append((code, explanation))


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
