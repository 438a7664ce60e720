from __future__ import annotations

import threading
import time

import pytest

from sdsafe._internal.turns import Turns


def _queued(turns: Turns, number: int) -> None:
    while len(turns._queue) < number:
        time.sleep(0.001)


def test_turns_are_taken_in_the_order_of_asking() -> None:
    turns, order, threads = Turns(), [], []
    with turns.turn():
        for number in range(8):
            thread = threading.Thread(target=lambda n=number: _take(turns, order, n))
            thread.start()
            threads.append(thread)
            _queued(turns, number + 2)
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def _take(turns: Turns, order: list[int], number: int) -> None:
    with turns.turn():
        order.append(number)


def test_whoever_gives_up_waiting_leaves_the_queue() -> None:
    turns, caught = Turns(), []

    def still() -> None:
        raise InterruptedError

    def wait() -> None:
        try:
            with turns.turn(still):
                caught.append("ran")
        except InterruptedError:
            caught.append("left")

    with turns.turn():
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(5)
        assert caught == ["left"]
        assert len(turns._queue) == 1
    with turns.turn(still):  # free at once: nobody asks whether it is still wanted
        pass


def test_an_error_inside_gives_the_turn_back() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="inside"), turns.turn():
        raise ValueError("inside")
    with turns.turn():
        pass
