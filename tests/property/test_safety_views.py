from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sdsafe.gates.safety.views import MAX_TILES, views

sides = st.integers(1, 3000)


@settings(max_examples=60, deadline=None)
@given(height=sides, width=sides, tile=st.integers(16, 1500))
def test_tiles_cover_every_pixel_and_stay_few(height: int, width: int, tile: int) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    looked = views(pixels, tile=tile)
    assert looked[0].box is None
    assert looked[0].pixels is pixels
    assert len(looked) <= MAX_TILES + 1
    if len(looked) > 1:
        seen = np.zeros((height, width), bool)
        for view in looked[1:]:
            assert view.box is not None
            assert view.pixels.shape[:2] == (view.box.bottom - view.box.top, view.box.right - view.box.left)
            seen[view.box.top : view.box.bottom, view.box.left : view.box.right] = True
        assert seen.all()


@settings(max_examples=40, deadline=None)
@given(side=st.integers(1300, 3000), tile=st.integers(200, 1000), thing=st.integers(8, 40), at=st.floats(0, 1))
def test_a_small_thing_is_whole_in_some_tile(side: int, tile: int, thing: int, at: float) -> None:
    left = int(at * (side - thing))
    looked = views(np.zeros((side, side, 3), np.uint8), tile=tile)
    boxes = [view.box for view in looked if view.box is not None]
    assert any(box.left <= left and left + thing <= box.right for box in boxes)
