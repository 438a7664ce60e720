from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sdsafe._internal import images
from sdsafe.bindings.fingerprint.phash import PhashFingerprinter
from sdsafe.bindings.watermark.invisible import InvisibleWatermarker
from sdsafe.errors import PluginError
from sdsafe.protocols import Discriminating
from sdsafe.testing.contracts import FingerprinterContract
from sdsafe.testing.samples import sample_picture

PHASH = PhashFingerprinter()


class TestPhashFingerprinter(FingerprinterContract):
    def make(self) -> PhashFingerprinter:
        return PhashFingerprinter()


def test_it_is_the_librarys_hash_with_its_bits_in_order() -> None:
    imagehash = pytest.importorskip("imagehash")
    picture = sample_picture(4)
    expected = str(imagehash.phash(Image.fromarray(picture), hash_size=16))
    assert PHASH.compute(picture).hex() == expected
    assert len(expected) == 64


def test_the_threshold_is_31_bits_inclusive() -> None:
    a = bytes(32)
    b = (2**31 - 1).to_bytes(32, "big")
    c = (2**32 - 1).to_bytes(32, "big")
    assert PHASH.distance(a, b) <= PHASH.threshold < PHASH.distance(a, c)


@pytest.mark.parametrize("edit", ["jpeg30", "half", "double", "brighter", "noise", "gray"])
def test_value_edits_stay_near(edit: str) -> None:
    picture = sample_picture(1, height=320, width=400)
    image = Image.fromarray(picture)
    noise = np.random.default_rng(0).normal(0, 10, picture.shape)
    edited = {
        "jpeg30": lambda: images.decode(images.encode(picture, "image/jpeg", quality=30)),
        "half": lambda: np.asarray(image.resize((200, 160))),
        "double": lambda: np.asarray(image.resize((800, 640))),
        "brighter": lambda: np.clip(picture * 1.15, 0, 255).astype(np.uint8),
        "noise": lambda: np.clip(picture + noise, 0, 255).astype(np.uint8),
        "gray": lambda: np.asarray(image.convert("L").convert("RGB")),
    }[edit]()
    assert PHASH.distance(PHASH.compute(picture), PHASH.compute(edited)) <= PHASH.threshold


def test_the_mark_does_not_move_it_far() -> None:
    picture = sample_picture(2)
    (marked,) = InvisibleWatermarker().embed([picture], [b"12345678"])
    assert PHASH.distance(PHASH.compute(picture), PHASH.compute(marked)) <= 8 / 256


def test_a_crop_of_half_is_another_picture() -> None:
    picture = sample_picture(2)
    assert PHASH.distance(PHASH.compute(picture), PHASH.compute(picture[64:192, 64:192])) > PHASH.threshold


@pytest.mark.parametrize("level", [0, 3, 128, 255])
def test_flat_pictures_are_not_told_apart(level: int) -> None:
    flat = np.full((256, 256, 3), level, np.uint8)
    assert not PHASH.discriminates(flat)
    # Why it matters: all flat pictures but black have one and the same hash.
    assert PHASH.distance(PHASH.compute(flat), PHASH.compute(np.full((256, 256, 3), 77, np.uint8))) <= 1 / 256


def test_gradients_checkerboards_and_near_black_noise_are_not_told_apart() -> None:
    ramp = np.tile(np.linspace(0, 255, 256), (256, 1))
    gradient = np.stack([ramp, ramp.T, 255 - ramp], axis=-1).astype(np.uint8)
    board = (np.indices((256, 256)).sum(0) // 32 % 2)[..., None].repeat(3, 2).astype(np.uint8) * 255
    dark = np.random.default_rng(1).integers(0, 12, (256, 256, 3), dtype=np.uint8)
    assert not any(PHASH.discriminates(picture) for picture in (gradient, board, dark))


def test_drawn_pictures_and_photographs_are_told_apart() -> None:
    data = pytest.importorskip("skimage.data")
    assert isinstance(PHASH, Discriminating)
    assert all(PHASH.discriminates(sample_picture(seed)) for seed in range(5))
    for name in ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "colorwheel"):
        assert PHASH.discriminates(np.ascontiguousarray(getattr(data, name)()[..., :3])), name


def test_a_broken_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "imagehash":
            raise ModuleNotFoundError("no", name="imagehash")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(PluginError, match="imagehash") as caught:
        PHASH.compute(sample_picture())
    assert "ImageHash" in caught.value.hint
