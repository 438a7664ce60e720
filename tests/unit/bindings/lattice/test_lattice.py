from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sdsafe._internal import images
from sdsafe.bindings.watermark.embedding import psnr
from sdsafe.bindings.watermark.lattice import LatticeWatermarker
from sdsafe.core.places import Places
from sdsafe.errors import PluginError, WatermarkError
from sdsafe.testing.contracts import WatermarkerContract
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.core.pixels import Pixels

KEY = bytes(range(32))
PAYLOAD = b"\x01\x9a\xff\x00\x7fWXY"


class TestLatticeStandard(WatermarkerContract):
    def make(self) -> LatticeWatermarker:
        return LatticeWatermarker(KEY, quality="standard")


class TestLatticeRobust(WatermarkerContract):
    def make(self) -> LatticeWatermarker:
        return LatticeWatermarker(KEY)


@pytest.fixture(scope="module")
def photograph() -> Pixels:
    data = pytest.importorskip("skimage.data")
    return np.asarray(data.astronaut(), np.uint8)


@pytest.fixture(scope="module")
def marked(photograph: Pixels) -> Pixels:
    return LatticeWatermarker(KEY).embed([photograph], [PAYLOAD])[0]


def resized(picture: Pixels, height: int, width: int) -> Pixels:
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


def jpeg(picture: Pixels, quality: int) -> Pixels:
    return images.decode(images.encode(picture, "image/jpeg", quality=quality))


def turned(picture: Pixels, degrees: float) -> Pixels:
    return np.array(Image.fromarray(picture).rotate(degrees, Image.Resampling.BICUBIC))


ORDINARY: dict[str, Callable[[Pixels], Pixels]] = {
    "nothing": lambda a: a,
    "JPEG 30": lambda a: jpeg(a, 30),
    "half size": lambda a: resized(a, 256, 256),
    "aspect": lambda a: resized(a, 460, 563),
    "quarter turn": lambda a: np.rot90(a).copy(),
    "mirror": lambda a: a[:, ::-1].copy(),
    "turned by 5 degrees": lambda a: turned(a, 5),
    "turned by 133 degrees": lambda a: turned(a, 133),
    "cropped to 75 %": lambda a: a[20:404, 100:484].copy(),
    "cropped to half": lambda a: a[150:406, 90:346].copy(),
    "darker": lambda a: (a * 0.6).astype(np.uint8),
    "gray": lambda a: np.repeat(a.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8),
    "noise": lambda a: np.clip(a + np.random.default_rng(0).normal(0, 8, a.shape), 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("attack", ORDINARY)
def test_ordinary_handling_keeps_the_mark(marked: Pixels, attack: str) -> None:
    (detection,) = LatticeWatermarker(KEY).detect([ORDINARY[attack](marked)])
    assert detection.payload == PAYLOAD
    assert detection.p_value is not None
    assert detection.p_value <= 1e-6
    assert detection.corrected is not None


def test_quality_is_kept(photograph: Pixels, marked: Pixels) -> None:
    assert psnr(photograph, marked) > 36.9


def test_another_key_reads_nothing(marked: Pixels) -> None:
    assert LatticeWatermarker(b"\x01" * 32).detect([marked])[0].payload is None


def test_a_second_mark_of_another_key_leaves_the_first(marked: Pixels) -> None:
    other = LatticeWatermarker(b"\x01" * 32, quality="standard")
    (both,) = other.embed([marked], [b"\x00" * 8])
    both = jpeg(both, 75)
    assert LatticeWatermarker(KEY).detect([both])[0].payload == PAYLOAD
    assert other.detect([both])[0].payload == b"\x00" * 8


def test_pictures_of_one_key_share_no_pattern(marker: LatticeWatermarker) -> None:
    """The tile's phase follows the payload: on the same picture two marks are nearly uncorrelated."""
    picture = sample_picture(height=512, width=512)
    first, second = (
        marker.embed([picture], [payload])[0].astype(float) - picture for payload in (b"12345678", b"12345679")
    )
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.15


@pytest.mark.parametrize("shape", [(256, 256), (256, 700), (1200, 300), (2000, 260), (1024, 1024), (301, 433)])
def test_sizes_and_shapes(marker: LatticeWatermarker, shape: tuple[int, int]) -> None:
    picture = sample_picture(4, height=shape[0], width=shape[1])
    (written,) = marker.embed([picture], [PAYLOAD])
    assert written.shape == picture.shape
    assert marker.detect([jpeg(written, 90)])[0].payload == PAYLOAD


@pytest.mark.parametrize("shape", [(255, 256), (400, 255), (256, 256 * 17)])
def test_too_small_and_too_narrow_are_said(marker: LatticeWatermarker, shape: tuple[int, int]) -> None:
    with pytest.raises(WatermarkError) as caught:
        marker.embed([np.zeros((*shape, 3), np.uint8)], [PAYLOAD])
    assert caught.value.code == "watermark.too-small"


@pytest.mark.parametrize("level", [0, 2, 90, 200, 253, 255])
def test_flat_pictures_are_marked_or_refused(marker: LatticeWatermarker, level: int) -> None:
    picture = np.full((512, 512, 3), level, np.uint8)
    try:
        (written,) = marker.embed([picture], [PAYLOAD])
    except WatermarkError as error:
        assert error.code == "watermark.unreadable"  # noqa: PT017 - either outcome is right, silence is not
        return
    assert marker.detect([jpeg(written, 75)])[0].payload == PAYLOAD


def test_one_bit_pictures_are_marked_or_refused(marker: LatticeWatermarker) -> None:
    noise = np.random.default_rng(0).integers(0, 2, (512, 512, 1), np.uint8) * np.uint8(255)
    for picture in (np.repeat(noise, 3, axis=2), np.kron(noise[:32, :32], np.ones((16, 16, 3), np.uint8))):
        try:
            (written,) = marker.embed([picture], [PAYLOAD])
        except WatermarkError as error:
            assert error.code == "watermark.unreadable"  # noqa: PT017 - as above
            continue
        assert marker.detect([written])[0].payload == PAYLOAD


def test_a_strict_rate_allows_fewer_attempts(marked: Pixels) -> None:
    strict = LatticeWatermarker(KEY, false_positive_rate=3e-10)
    assert strict.detect([marked])[0].payload == PAYLOAD
    assert strict.examine(sample_picture(5, height=512, width=512)).messages <= 1


@pytest.mark.parametrize("options", [{"quality": "best"}, {"false_positive_rate": 1e-11}, {"false_positive_rate": 0.0}])
def test_impossible_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(PluginError):
        LatticeWatermarker(KEY, **options)  # type: ignore[arg-type]


def test_the_first_embedding_makes_a_key_and_reading_makes_none(tmp_path: Path) -> None:
    places = Places(state=tmp_path / "state", cache=tmp_path / "cache")
    picture = sample_picture()
    reader = LatticeWatermarker.configure(places, {})
    for ask in (lambda: reader.detect([picture]), lambda: reader.key_id):
        with pytest.raises(WatermarkError) as caught:
            ask()
        assert caught.value.code == "watermark.no-key"
    assert not places.state.exists()
    (marked,) = LatticeWatermarker.configure(places, {"quality": "standard"}).embed([picture], [PAYLOAD])
    assert reader.detect([marked])[0].payload == PAYLOAD


def test_another_key_can_be_named(tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    other.write_bytes(KEY)
    named = LatticeWatermarker.configure(Places(state=tmp_path, cache=tmp_path), {"key_file": str(other)})
    assert named.key_id == LatticeWatermarker(KEY).key_id


def test_what_is_too_small_to_read_is_said(marker: LatticeWatermarker) -> None:
    marker.check_legible(64, 9000)
    assert marker.detect([np.zeros((63, 900, 3), np.uint8)])[0].payload is None
    with pytest.raises(WatermarkError, match="900x63 pixels is too small to look for") as caught:
        marker.check_legible(900, 63)
    assert caught.value.code == "watermark.too-small"


@pytest.mark.parametrize("options", [{"strength": 3}, {"key_file": 7}, {"false_positive_rate": "small"}])
def test_unknown_options_are_refused(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(PluginError):
        LatticeWatermarker.configure(Places(state=tmp_path, cache=tmp_path), options)


def test_detection_needs_no_torch() -> None:
    program = (
        "import sys, numpy as np\n"
        "from sdsafe.bindings.watermark.lattice import LatticeWatermarker\n"
        "LatticeWatermarker(bytes(32)).detect([np.zeros((300, 300, 3), np.uint8)])\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'cv2', 'pywt')))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
