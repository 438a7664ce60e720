from __future__ import annotations

import pytest

from sdsafe.errors import SigningError
from sdsafe.signer.bucket import Bucket


class Clock:
    moment = 100.0

    def __call__(self) -> float:
        return self.moment


def takes(bucket: Bucket) -> int:
    for taken in range(100):
        try:
            bucket.take()
        except SigningError:
            return taken
    return 100


def test_a_minute_holds_what_it_holds() -> None:
    clock = Clock()
    bucket = Bucket(6, clock=clock)
    assert takes(bucket) == 6
    clock.moment += 9.9
    assert takes(bucket) == 0
    clock.moment += 0.2
    assert takes(bucket) == 1
    clock.moment += 3600
    assert takes(bucket) == 6


@pytest.mark.parametrize(("spent", "left"), [(0, 6), (4, 2), (6, 0), (9, 0)])
def test_a_restart_gives_nothing_away(spent: int, left: int) -> None:
    assert takes(Bucket(6, spent=spent, clock=Clock())) == left


def test_the_hint_says_when() -> None:
    bucket = Bucket(2, spent=2, clock=Clock())
    with pytest.raises(SigningError) as caught:
        bucket.take()
    assert caught.value.code == "signer.rate"
    assert "30 s" in caught.value.hint
