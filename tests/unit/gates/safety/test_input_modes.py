"""One picture in every way a file can hold it: checks see the same, because files are dealt with before them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sdsafe._internal import images
from sdsafe.gates.pinned import folder_digest
from sdsafe.gates.safety.classifier import ClassifierCheck

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.core.pixels import Pixels

GREY = np.repeat(np.arange(96, dtype=np.uint8)[None, :, None] * 2, 64, axis=0).repeat(3, axis=2)


def _saved(image: Image.Image, **more: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **more)
    return buffer.getvalue()


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn to the right
    return _saved(Image.fromarray(np.ascontiguousarray(np.rot90(GREY))), exif=exif.tobytes())


FILES = {
    "RGB": _saved(Image.fromarray(GREY)),
    "RGBA": _saved(Image.fromarray(GREY).convert("RGBA")),
    "L": _saved(Image.fromarray(GREY[..., 0])),
    "16-bit": _saved(Image.fromarray(GREY[..., 0].astype(np.uint16) * 257)),
    "palette": _saved(Image.fromarray(GREY).quantize(96)),
    "EXIF": _turned(),
}


@pytest.mark.parametrize("mode", FILES)
def test_every_way_to_hold_a_picture_scores_the_same(vit_folder: Path, mode: str) -> None:
    check = ClassifierCheck(vit_folder, folder_digest(vit_folder), {"nsfw": "nudity"})

    def score(pixels: Pixels) -> float:
        return check.look(pixels)["nudity"].score

    assert score(images.decode(FILES[mode])) == pytest.approx(score(GREY), abs=1e-3)
    assert score(np.ascontiguousarray(GREY[:, ::-1])) != pytest.approx(score(GREY), abs=1e-3)
