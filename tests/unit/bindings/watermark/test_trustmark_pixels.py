from __future__ import annotations

import numpy as np
import pytest

from sdsafe.bindings.watermark.trustmark_pixels import Region, region, thumbnail, with_residual
from sdsafe.testing.samples import sample_picture


@pytest.mark.parametrize(
    ("height", "width", "square", "part"),
    [
        (512, 512, True, Region(0, 0, 512, 512)),
        (512, 512, False, Region(0, 0, 512, 512)),
        (500, 1000, False, Region(0, 0, 500, 1000)),
        (500, 1001, False, Region(0, 250, 500, 500)),
        (500, 501, True, Region(0, 0, 500, 500)),
        (900, 300, True, Region(300, 0, 300, 300)),
        (900, 300, False, Region(300, 0, 300, 300)),
    ],
)
def test_the_part_is_the_picture_or_its_middle_square(height: int, width: int, square: bool, part: Region) -> None:
    assert region(height, width, square=square) == part


def test_a_thumbnail_is_what_the_networks_expect() -> None:
    image = sample_picture(height=300, width=500)
    shown = thumbnail(image, Region(0, 100, 300, 300), 256)
    assert shown.shape == (1, 3, 256, 256)
    assert shown.dtype == np.float32
    assert -1 <= shown.min() < shown.max() <= 1
    same = thumbnail(sample_picture(), Region(0, 0, 256, 256), 256)
    assert np.array_equal(np.rint((same[0].transpose(1, 2, 0) + 1) * 127.5).astype(np.uint8), sample_picture())


def test_black_and_white_are_the_ends_of_the_range() -> None:
    for level, value in ((0, -1.0), (255, 1.0)):
        shown = thumbnail(np.full((64, 64, 3), level, np.uint8), Region(0, 0, 64, 64), 32)
        assert np.array_equal(shown, np.full((1, 3, 32, 32), value, np.float32))


@pytest.mark.parametrize(("height", "width"), [(256, 256), (300, 700), (131, 97), (1100, 900)])
def test_the_residual_is_enlarged_as_torch_does(height: int, width: int) -> None:
    torch = pytest.importorskip("torch")
    residual = np.random.default_rng(5).normal(0, 0.1, (3, 256, 256)).astype(np.float32)
    image = np.full((height, width, 3), 128, np.uint8)
    large = torch.nn.functional.interpolate(
        torch.from_numpy(residual)[None], size=(height, width), mode="bilinear", align_corners=False
    )
    marked = with_residual(image, Region(0, 0, height, width), residual).astype(float) - 128
    inside = slice(60, -60) if min(height, width) > 200 else slice(5, -5)
    expected = 127.5 * large[0].permute(1, 2, 0).numpy()
    assert np.abs(marked - expected)[inside, inside].max() <= 0.51


def test_outside_of_its_part_nothing_is_touched_and_inside_it_fades_in() -> None:
    image = np.full((400, 1000, 3), 100, np.uint8)
    part = region(400, 1000, square=False)
    marked = with_residual(image, part, np.full((3, 256, 256), 0.2, np.float32))
    assert np.array_equal(marked[:, : part.left], image[:, : part.left])
    assert np.array_equal(marked[:, part.left + part.width :], image[:, part.left + part.width :])
    row = marked[200, part.left : part.left + part.width, 0].astype(int) - 100
    assert row[0] < row[1] < row[2] < row[3] == row[200] == 26
    assert np.array_equal(row, row[::-1])


def test_what_would_leave_the_range_ends_at_its_ends() -> None:
    strong = np.full((3, 64, 64), 2.0, np.float32)
    image = sample_picture()
    assert with_residual(image, Region(0, 0, 256, 256), strong)[50:200, 50:200].min() == 255
    assert with_residual(image, Region(0, 0, 256, 256), -strong)[50:200, 50:200].max() == 0


def test_nothing_given_is_changed() -> None:
    image, residual = sample_picture(), np.full((3, 64, 64), 0.1, np.float32)
    kept = image.copy()
    image.setflags(write=False)
    residual.setflags(write=False)
    marked = with_residual(image, Region(0, 0, 256, 256), residual)
    assert np.array_equal(image, kept)
    assert not np.shares_memory(image, marked)


def test_no_residual_leaves_the_picture_as_it_is() -> None:
    image = sample_picture(height=700, width=300)
    part = region(700, 300, square=True)
    assert np.array_equal(with_residual(image, part, np.zeros((3, 256, 256), np.float32)), image)
