"""Where paint meets the picture: exact outside the mask, a fade inside it, and never a stroke that does not cover."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sdsafe.core.request import Size
from sdsafe.generation.tasks import Canvas, Kind

SIDE = 64


def finished(painted: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the red channel of a picture of 100 that a model painted with 200."""
    size = Size(width=SIDE, height=SIDE)
    canvas = Canvas(
        kind=Kind.INPAINTING,
        size=size,
        result=size,
        mask=np.where(painted, np.uint8(255), np.uint8(0)),
        kept=np.full((SIDE, SIDE, 3), 100, np.uint8),
    )
    return canvas.finish(np.full((SIDE, SIDE, 3), 200, np.uint8))[..., 0].astype(np.int64)


def test_the_fade_is_inside_the_mask_and_nothing_outside_changes() -> None:
    painted = np.zeros((SIDE, SIDE), np.bool_)
    painted[16:48, 16:48] = True
    result = finished(painted)
    assert (result[~painted] == 100).all()
    assert (result[24:40, 24:40] == 200).all()
    assert np.abs(np.diff(result, axis=1)).max() < 20  # a hard edge would be a step of 100


def test_a_stroke_thinner_than_the_fade_still_covers() -> None:
    painted = np.zeros((SIDE, SIDE), np.bool_)
    painted[32, 10:50] = True
    painted[10:13, 10:50] = True
    result = finished(painted)
    assert (result[32, 10:50] == 200).all()
    assert (result[11, 11:49] == 200).all()
    assert (result[~painted] == 100).all()


def test_the_edge_of_the_picture_is_no_edge_of_the_mask() -> None:
    painted = np.zeros((SIDE, SIDE), np.bool_)
    painted[:, 32:] = True
    result = finished(painted)
    assert (result == result[:1]).all()
    assert (result[:, 40:] == 200).all()
