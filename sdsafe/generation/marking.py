"""The mark in the initial noise, as the generator sees it: who draws for which picture, and what is said about it.

Light: torch is not imported here.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from sdsafe.core.request import Size, Task
from sdsafe.core.states import NoiseMark
from sdsafe.generation.families import family_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from sdsafe.core.ids import AssetId
    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.states import Generated
    from sdsafe.generation._noise import Drawn
    from sdsafe.generation.identity import Located
    from sdsafe.protocols import NoiseMarker

__all__ = ["STEPS_BACK", "backwards", "drawing", "noted", "said", "warn"]

_log = logging.getLogger(__name__)

STEPS_BACK = 10
"""Of the way back where a request does not say; more find no more of the noise (``benchmarks/noise_mark.py``)."""

_DISTILLED = frozenset({"flux"})
"""Families whose guidance is an input of the model: it has to be there, on the way back, too."""


def drawing(
    marker: NoiseMarker | None, asset_id: AssetId
) -> Callable[[tuple[int, ...]], npt.NDArray[np.float32]] | None:
    """Return what draws the noise of one picture; None: its seed does."""
    return None if marker is None else lambda shape: marker.noise(asset_id.value, shape)


def said(marker: NoiseMarker | None, drawn: Drawn | None) -> NoiseMark | None:
    """Return what the manifest says about the noise of one picture."""
    if marker is None or drawn is None:
        return None
    if not drawn.shape:
        return _none(marker, drawn.why_not or "the pipeline drew no noise")
    return NoiseMark(alg=marker.alg, version=marker.version, key_id=marker.key_id, shape=drawn.shape)


def noted(generated: Generated, marker: NoiseMarker | None, why_not: str = "no diffusion model took part") -> Generated:
    """Return what carries no mark in its noise, saying why where one was asked for."""
    if marker is None:
        return generated
    mark = _none(marker, why_not)
    return replace(generated, execution=replace(generated.execution, noise_mark=mark))


def warn(drawn: Drawn | None) -> None:
    """Say that a mark was asked for which the picture does not carry."""
    if drawn is not None and drawn.why_not:
        _log.warning("no mark in the noise: %s; the manifest says so", drawn.why_not)


def backwards(request: GenerationRequest, image: Pixels, located: Located) -> GenerationRequest:
    """Return the request by which ``image`` would have been made from text, open where the model's defaults will do.

    Guidance is left out where nothing is said: on the way back it harms.
    """
    plain = None if family_of(located.pipeline).name in _DISTILLED else 1.0
    return replace(
        request,
        task=Task.GENERATE,
        inputs=(),
        count=1,
        seed=0,
        scheduler=None,
        size=request.size or Size(width=image.shape[1], height=image.shape[0]),
        steps=request.steps or STEPS_BACK,
        guidance=plain if request.guidance is None else request.guidance,
    )


def _none(marker: NoiseMarker, why: str) -> NoiseMark:
    return NoiseMark(alg=marker.alg, version=marker.version, why_not=why)
