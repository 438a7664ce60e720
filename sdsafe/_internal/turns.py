"""A lock whose queue is fair: whoever asks first goes first, and whoever gives up leaves no trace."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Turns"]

_LOOK_S = 0.05  # seconds between two looks at whether a waiting caller still wants its turn


class Turns:
    """One at a time, in the order of asking.

    ``threading.Lock`` promises no order: with many pictures a waiting thread may starve.
    """

    __slots__ = ("_changed", "_queue")

    def __init__(self) -> None:
        """Start with an empty queue."""
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()

    @contextmanager
    def turn(self, still: Callable[[], None] | None = None) -> Iterator[None]:
        """Wait for a turn, and hold it while the block runs.

        Args:
            still: Called now and then while waiting; what it raises leaves the queue and is passed on.
        """
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
        try:
            self._wait(ticket, still)
            yield
        finally:
            with self._changed:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def _wait(self, ticket: object, still: Callable[[], None] | None) -> None:
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._queue[0] is ticket, None if still is None else _LOOK_S):
                    return
            if still is not None:  # outside the lock: it is the caller's code
                still()
