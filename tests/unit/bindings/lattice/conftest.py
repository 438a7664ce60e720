from __future__ import annotations

import pytest

from sdsafe.bindings.watermark.carrier import Carrier
from sdsafe.bindings.watermark.framing import Framing
from sdsafe.bindings.watermark.keys import KeySchedule
from sdsafe.bindings.watermark.lattice import LatticeWatermarker

KEY = bytes(range(32))


@pytest.fixture(scope="session")
def schedule() -> KeySchedule:
    return KeySchedule(KEY)


@pytest.fixture(scope="session")
def framing(schedule: KeySchedule) -> Framing:
    return Framing(schedule)


@pytest.fixture(scope="session")
def carrier(schedule: KeySchedule) -> Carrier:
    return Carrier(schedule)


@pytest.fixture(scope="session")
def marker() -> LatticeWatermarker:
    return LatticeWatermarker(KEY, quality="standard")
