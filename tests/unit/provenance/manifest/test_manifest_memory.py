from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sdsafe.core.placement import MemoryPeak, Offload, Placement
from sdsafe.provenance.manifest.generation import generation_assertion

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.states import Encoded


def _environment(encoded: Encoded) -> Any:
    return generation_assertion(encoded)["environment"]


def test_the_manifest_says_how_a_model_was_laid_out_and_what_it_used(make_encoded: Callable[..., Encoded]) -> None:
    placement = Placement(offload=Offload.MODEL, tiling=True, budget=10, expected=9, reason="it fits")
    peak = MemoryPeak(used=8, before=1, of="device")
    environment = _environment(make_encoded(execution={"placement": placement, "peak": peak}))
    assert environment["placement"] == {
        "offload": "model", "tiling": True, "budget": 10, "expected": 9, "reason": "it fits",
    }  # fmt: skip
    assert environment["peak_memory"] == {"bytes": 8, "before": 1, "of": "device"}


def test_what_nobody_knows_is_left_out(make_encoded: Callable[..., Encoded]) -> None:
    assert not {"placement", "peak_memory"} & set(_environment(make_encoded()))
