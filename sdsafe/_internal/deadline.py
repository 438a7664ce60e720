"""Calls that foreign machines may hold up for ever, given a time in which they end or are left alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["within"]

_Result = TypeVar("_Result")


def within(seconds: float, call: Callable[[], _Result]) -> _Result:
    """Return what ``call`` returns, or raise what it raises, within ``seconds``.

    A socket's own time-out is for one read: whoever sends a byte now and then, in headers or body, keeps a call for
    as long as it likes. It runs in a thread of its own here, which is left behind when time is up; it must hold
    nothing that others wait for.

    Raises:
        TimeoutError: It did not end in time.
    """
    results: list[_Result] = []
    faults: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as fault:  # noqa: BLE001 - raised again by whoever waits
            faults.append(fault)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if faults:
        raise faults[0]
    if not results:
        raise TimeoutError
    return results[0]
