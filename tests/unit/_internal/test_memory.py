from __future__ import annotations

import pytest

from sdsafe._internal.memory import process_peak, read_high_water


@pytest.mark.parametrize(
    ("status", "peak"),
    [
        ("Name:\tx\nVmHWM:\t    1024 kB\nVmRSS:\t 512 kB\n", 1 << 20),
        ("Name:\tx\n", None),
        ("VmHWM:\tmany kB\n", None),
        ("VmHWM:\t1024 pages\n", None),
    ],
)
def test_the_high_water_mark_is_read_in_bytes(status: str, peak: int | None) -> None:
    assert read_high_water(status) == peak


def test_the_peak_of_a_process_never_falls() -> None:
    before = process_peak()
    block = bytearray(8 << 20)
    after = process_peak()
    assert before is not None
    assert after is not None
    assert 1 << 20 < before <= after
    assert len(block) == 8 << 20
