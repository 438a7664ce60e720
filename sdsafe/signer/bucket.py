"""How many signatures a minute: a bucket that fills steadily and never holds more than a minute's worth."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from sdsafe.errors import SigningError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Bucket"]

_MINUTE = 60.0


class Bucket:
    """Gives out at most ``per_minute`` permissions in any minute that begins with a full bucket. Safe for threads."""

    __slots__ = ("_clock", "_level", "_lock", "_rate", "_seen")

    def __init__(self, per_minute: int, *, spent: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with a full bucket, less what was spent in the last minute, so that a restart gives nothing away.

        Args:
            per_minute: From 1.
            spent: Signatures in the log that are younger than a minute.
            clock: Seconds that never go back.
        """
        self._rate, self._clock = per_minute, clock
        self._level, self._seen = float(max(0, per_minute - spent)), clock()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Take one permission.

        Raises:
            SigningError: ``signer.rate``: there is none; the hint says when there will be.
        """
        with self._lock:
            moment = self._clock()
            self._level = min(float(self._rate), self._level + (moment - self._seen) * self._rate / _MINUTE)
            self._seen = moment
            if self._level < 1:
                wait = math.ceil((1 - self._level) * _MINUTE / self._rate)
                raise SigningError(
                    f"more than {self._rate} signatures a minute",
                    code="signer.rate",
                    hint=f"Ask again in {wait} s, or start the signer with a larger --rate.",
                )
            self._level -= 1
