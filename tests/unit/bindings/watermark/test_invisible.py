from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sdsafe._internal import images
from sdsafe.bindings.watermark.dwt_dct_svd import block_count, embed_bits, read_votes
from sdsafe.bindings.watermark.invisible import InvisibleWatermarker
from sdsafe.bindings.watermark.payload import pack
from sdsafe.core.ids import AssetId
from sdsafe.errors import WatermarkError
from sdsafe.testing.contracts import WatermarkerContract
from sdsafe.testing.samples import sample_picture

PAYLOAD = b"\x01\x9a\xff\x00\x7fWXY"
MARKER = InvisibleWatermarker()


def psnr(before: np.ndarray, after: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((before.astype(float) - after) ** 2)))


def photographs(side: int) -> dict[str, np.ndarray]:
    data = pytest.importorskip("skimage.data")
    pictures = {}
    for name in ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "camera", "coins", "page"):
        picture = getattr(data, name)()
        rgb = np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture[..., :3]
        pictures[name] = np.ascontiguousarray(rgb[:side, :side])
    return {name: picture for name, picture in pictures.items() if picture.shape[:2] == (side, side)}


class TestInvisibleWatermarker(WatermarkerContract):
    def make(self) -> InvisibleWatermarker:
        return InvisibleWatermarker()


@pytest.mark.parametrize("side", [256, 300])
def test_photographs_carry_the_mark_through_png(side: int) -> None:
    covers = photographs(side)
    assert len(covers) >= (7 if side == 256 else 5)
    for name, cover in covers.items():
        (marked,) = MARKER.embed([cover], [PAYLOAD])
        (detection,) = MARKER.detect([images.decode(images.encode(marked))])
        assert detection.payload == PAYLOAD, name
        assert psnr(cover, marked) > 39, name


@pytest.mark.parametrize("level", [0, 1, 3, 128, 252, 254, 255])
def test_flat_gray_carries_the_mark(level: int) -> None:
    cover = np.full((256, 256, 3), level, np.uint8)
    (marked,) = MARKER.embed([cover], [PAYLOAD])
    assert MARKER.detect([marked])[0].payload == PAYLOAD
    assert psnr(cover, marked) > 39


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)])
def test_full_colours_carry_the_mark_above_the_floor(colour: tuple[int, int, int]) -> None:
    cover = np.tile(np.array(colour, np.uint8), (256, 256, 1))
    (marked,) = MARKER.embed([cover], [PAYLOAD])
    assert MARKER.detect([marked])[0].payload == PAYLOAD
    assert psnr(cover, marked) >= 34


def test_noise_and_sharp_black_and_white_carry_the_mark() -> None:
    random = np.random.default_rng(5)
    noise = random.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    squares = np.kron(random.random((16, 16)) > 0.5, np.ones((16, 16)))[..., None].repeat(3, 2).astype(np.uint8) * 255
    for cover in (noise, squares):
        (marked,) = MARKER.embed([cover], [PAYLOAD])
        assert MARKER.detect([marked])[0].payload == PAYLOAD
        assert psnr(cover, marked) > 39


def test_jpeg_at_high_quality_is_survived_by_a_photograph() -> None:
    (marked,) = MARKER.embed([photographs(256)["chelsea"]], [PAYLOAD])
    (detection,) = MARKER.detect([images.decode(images.encode(marked, "image/jpeg", quality=90))])
    assert detection.payload == PAYLOAD
    assert detection.p_value == 2.0**-32


def test_a_picture_below_256_by_256_is_refused_with_a_hint() -> None:
    for height, width in ((255, 256), (256, 255), (8, 8000), (1, 1)):
        with pytest.raises(WatermarkError) as caught:
            MARKER.embed([sample_picture(height=height, width=width)], [PAYLOAD])
        assert caught.value.code == "watermark.too-small"
        assert f"{width}x{height}" in str(caught.value)
        assert caught.value.hint


def test_a_narrow_picture_with_room_enough_is_marked() -> None:
    cover = sample_picture(height=128, width=512)
    (marked,) = MARKER.embed([cover], [PAYLOAD])
    assert MARKER.detect([marked])[0].payload == PAYLOAD


def test_one_bad_picture_refuses_the_batch() -> None:
    with pytest.raises(WatermarkError):
        MARKER.embed([sample_picture(), sample_picture(height=8, width=8)], [PAYLOAD, PAYLOAD])


def test_what_is_not_pixels_is_refused() -> None:
    with pytest.raises(WatermarkError) as caught:
        MARKER.embed([np.zeros((300, 300), np.uint8)], [PAYLOAD])
    assert caught.value.code == "watermark.not-pixels"


def test_an_unreadable_mark_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules[InvisibleWatermarker.__module__]
    monkeypatch.setattr(module, "embed_bits", lambda pixels, _bits, **_options: pixels.copy())
    with pytest.raises(WatermarkError) as caught:
        MARKER.embed([sample_picture()], [PAYLOAD])
    assert caught.value.code == "watermark.unreadable"


def test_too_much_change_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules[InvisibleWatermarker.__module__]
    monkeypatch.setattr(module, "_LEAST_PSNR", 60.0)
    with pytest.raises(WatermarkError) as caught:
        MARKER.embed([sample_picture()], [PAYLOAD])
    assert caught.value.code == "watermark.unreadable"


def test_a_mark_with_a_wrong_check_is_not_a_payload() -> None:
    bits = np.unpackbits(np.frombuffer(pack(AssetId(PAYLOAD)), np.uint8))
    bits[70] ^= 1
    assert MARKER.detect([embed_bits(sample_picture(), bits)])[0].payload is None


def test_votes_are_certain_where_nothing_disturbs() -> None:
    bits = np.array([0, 1, 1, 0, 1], np.uint8)
    votes = read_votes(embed_bits(sample_picture(), bits), len(bits))
    assert ((votes > 0) == bits).all()
    assert np.abs(votes).min() > 0.8


def test_edges_beyond_whole_blocks_are_left_alone() -> None:
    cover = sample_picture(height=263, width=261)
    (marked,) = MARKER.embed([cover], [PAYLOAD])
    assert np.array_equal(marked[256:], cover[256:])
    assert np.array_equal(marked[:, 256:], cover[:, 256:])
    assert block_count(263, 261) == 32 * 32


def test_red_is_never_touched_where_nothing_clips() -> None:
    cover = sample_picture()
    (marked,) = MARKER.embed([cover], [PAYLOAD])
    assert np.array_equal(marked[..., 0], cover[..., 0])


def test_neither_opencv_nor_torch_is_needed() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['cv2', 'torch', 'pywt', 'imwatermark', 'scipy']));"
        "import numpy as np; from sdsafe.bindings.watermark.invisible import InvisibleWatermarker as W;"
        "(m,) = W().embed([np.full((256, 256, 3), 90, np.uint8)], [b'12345678']);"
        "assert W().detect([m])[0].payload == b'12345678'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_the_original_reads_ours_and_we_read_the_original() -> None:
    imwatermark = pytest.importorskip("imwatermark", exc_type=ImportError)  # OpenCV without libGL
    frame = pack(AssetId(PAYLOAD))
    for name in ("astronaut", "chelsea", "coffee"):
        cover = photographs(300)[name]
        bgr = np.ascontiguousarray(cover[..., ::-1])

        decoder = imwatermark.WatermarkDecoder("bytes", len(frame) * 8)
        (ours,) = MARKER.embed([cover], [PAYLOAD])
        assert decoder.decode(np.ascontiguousarray(ours[..., ::-1]), "dwtDctSvd") == frame

        encoder = imwatermark.WatermarkEncoder()
        encoder.set_watermark("bytes", frame)
        theirs = encoder.encode(bgr, "dwtDctSvd")[..., ::-1]
        assert MARKER.detect([np.ascontiguousarray(theirs)])[0].payload == PAYLOAD
        assert psnr(cover, ours) > psnr(cover, theirs) + 1
