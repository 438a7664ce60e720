"""Pictures that pass through without a diffusion model: kept, enlarged, or given to an ONNX network."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sdsafe._internal.versions import version
from sdsafe.core.canonical import canonical_digest
from sdsafe.core.digests import pixels_sha256
from sdsafe.core.states import Execution, Generated

if TYPE_CHECKING:
    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import ModelRef
    from sdsafe.core.states import Admitted

__all__ = ["execution_without_diffusion", "only_picture"]


def only_picture(admitted: Admitted, seed: int, pixels: Pixels, execution: Execution) -> Generated:
    """Return the one picture that comes of a request: what passes through does not come in variants."""
    return Generated(
        admitted=admitted,
        index=0,
        asset_id=admitted.asset_ids[0],
        seed=seed,
        pixels=pixels,
        pixels_sha256=pixels_sha256(pixels),
        execution=execution,
    )


def execution_without_diffusion(
    model: ModelRef,
    started: float,
    *,
    dtype: str = "uint8",
    threads: int = 1,
    libraries: tuple[str, ...] = ("numpy", "pillow"),
) -> Execution:
    """Return the record of what ran on the CPU, without a scheduler.

    Args:
        model: What did it.
        started: Of ``time.perf_counter``.
        dtype: Number type that was computed with.
        threads: How many took part.
        libraries: Distributions that took part.
    """
    return Execution(
        model=model,
        device="cpu",
        dtype=dtype,
        scheduler="none",
        scheduler_digest=canonical_digest({}),
        libraries={name: version(name) for name in libraries},
        threads=threads,
        ms=(time.perf_counter() - started) * 1000,
    )
