from __future__ import annotations

import threading
import time

import pytest

from sdsafe._internal.deadline import within


def test_what_ends_in_time_is_returned_or_raised() -> None:
    assert within(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)
    assert within(5, lambda: None) is None


def test_what_does_not_is_left() -> None:
    held = threading.Event()
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        within(0.1, lambda: held.wait(10))
    assert time.monotonic() - started < 5
    held.set()
