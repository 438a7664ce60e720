"""Messages between a signer in a process of its own and whoever asks it: framed, limited, in bounded time.

A message is ``SDSG``, one byte of version, four bytes of length (big-endian), a JSON object of that length, and then
as many bytes as the numbers in its key ``parts`` add up to. Whoever reads knows every length before it reads on.
"""

from __future__ import annotations

import json
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

__all__ = ["MOST_HEADER_BYTES", "MOST_PART_BYTES", "Deadline", "Message", "WireError", "receive", "send"]

MOST_HEADER_BYTES = 4 << 20
"""The manifest's document has at most a megabyte."""

MOST_PART_BYTES = 256 << 20
"""Of all parts of one message together: the file, and the files that went in."""

_MAGIC = b"SDSG\x01"
_PREFIX = struct.Struct(">5sI")
_MOST_PARTS = 64
_PIECE = 1 << 20


class WireError(ValueError):
    """What came is no message, or too large; the text says which and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its JSON object without ``parts``, and the parts."""

    header: Mapping[str, Any]
    parts: tuple[bytes, ...] = ()


class Deadline:
    """A moment after which nobody waits any more, however slowly bytes trickle in."""

    __slots__ = ("_end",)

    def __init__(self, seconds: float) -> None:
        """Begin to count now."""
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left; ``TimeoutError`` when there are none."""
        rest = self._end - time.monotonic()
        if rest <= 0:
            raise TimeoutError
        return rest


def send(connection: socket.socket, header: Mapping[str, object], parts: Sequence[bytes], deadline: Deadline) -> None:
    """Send one message.

    Raises:
        WireError: It is larger than whoever receives it would take.
        OSError: The other side went away; ``TimeoutError``: it did not take it in time.
    """
    text = json.dumps({**header, "parts": [len(part) for part in parts]}, allow_nan=False).encode()
    _require_size(len(text), [len(part) for part in parts])
    for piece in (_PREFIX.pack(_MAGIC, len(text)), text, *parts):
        connection.settimeout(deadline.left())
        connection.sendall(piece)


def receive(connection: socket.socket, deadline: Deadline) -> Message | None:
    """Return the next message; None when the other side has closed between two.

    Raises:
        WireError: What came is no message.
        OSError: The connection broke; ``TimeoutError``: not all of it came in time.
    """
    first = _read(connection, _PREFIX.size, deadline, may_end=True)
    if not first:
        return None
    magic, length = _PREFIX.unpack(first)
    if magic != _MAGIC:
        raise WireError("what came does not begin like a message of this version")
    _require_size(length, [])
    header = _parsed(_read(connection, length, deadline))
    sizes = header.pop("parts", None)
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise WireError("the message does not say how long its parts are")
    _require_size(length, sizes)
    return Message(header, tuple(_read(connection, size, deadline) for size in sizes))


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(
            text.decode("utf-8"), object_pairs_hook=_once, parse_float=_no_float, parse_constant=_no_float
        )
    except (ValueError, RecursionError) as error:
        raise WireError("the message is not the JSON that is expected") from error
    if not isinstance(header, dict):
        raise WireError("the message is not a JSON object")
    return header


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse names that come twice: two readers would disagree on what was said."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise WireError("a name stands twice in the message")
    return found


def _no_float(_text: str) -> None:
    raise WireError("the message holds a float")


def _require_size(header: int, parts: Sequence[int]) -> None:
    if header > MOST_HEADER_BYTES or len(parts) > _MOST_PARTS or sum(parts) > MOST_PART_BYTES:
        raise WireError("the message is too large")


def _read(connection: socket.socket, count: int, deadline: Deadline, *, may_end: bool = False) -> bytes:
    received = bytearray()
    while len(received) < count:
        connection.settimeout(deadline.left())
        piece = connection.recv(min(count - len(received), _PIECE))
        if not piece:
            if may_end and not received:
                return b""
            raise WireError("the message ends too soon")
        received += piece
    return bytes(received)
