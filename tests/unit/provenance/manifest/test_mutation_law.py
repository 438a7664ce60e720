"""The law: whatever is done to a signed file, it is *valid* only while pixels, claim and assertions are the original's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdsafe._internal import images
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.states import Asset
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.probe import ManifestProbe

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.states import Encoded

_where = st.floats(0, 1, exclude_max=True)
_MUTATIONS: dict[str, Callable[[bytes, float, float, int], bytes]] = {
    "flip": lambda d, a, _b, n: _put(d, a, bytes([d[int(a * len(d))] ^ (1 << n % 8)])),
    "set": lambda d, a, _b, n: _put(d, a, bytes([n % 256])),
    "cut the end": lambda d, a, _b, _n: d[: int(a * len(d))],
    "cut out": lambda d, a, _b, n: d[: int(a * len(d))] + d[int(a * len(d)) + 1 + n % 64 :],
    "insert": lambda d, a, _b, n: d[: int(a * len(d))] + bytes([n % 256]) * (1 + n % 16) + d[int(a * len(d)) :],
    "double": lambda d, a, _b, n: d[: int(a * len(d)) + n] + d[int(a * len(d)) :],
    "move": lambda d, a, b, n: _put(d, b, d[int(a * len(d)) : int(a * len(d)) + n]),
}


def _put(data: bytes, where: float, piece: bytes) -> bytes:
    position = int(where * len(data))
    return (data[:position] + piece + data[position + len(piece) :])[: len(data)]


@settings(max_examples=400, deadline=2_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(sorted(_MUTATIONS)), a=_where, b=_where, n=st.integers(1, 300))
def test_valid_means_unchanged(*, signed: Asset, encoded: Encoded, kind: str, a: float, b: float, n: int) -> None:
    mutated = Asset(data=_MUTATIONS[kind](signed.data, a, b, n), media_type="image/png")
    seen = ManifestProbe().examine(mutated, Evidence())
    if seen.manifest not in (ManifestState.VALID, ManifestState.TRUSTED):
        return
    assert np.array_equal(images.decode(mutated.data), encoded.marked.pixels)
    assert _c2pa.read(mutated).manifest.get("assertions") == _c2pa.read(signed).manifest.get("assertions")
    assert mutated.data == signed.data
