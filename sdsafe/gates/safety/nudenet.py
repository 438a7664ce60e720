"""``nudenet``: boxes of bared body parts, by the detector inside the ``nudenet`` wheel (extra ``nudenet``).

The network is read from the wheel and run by onnxruntime; the wheel's own code is not used: it hands the network red
and blue exchanged, answers a picture of floats with an empty list, and needs OpenCV
(https://github.com/notAI-tech/NudeNet/issues/203).

Licence: the wheel calls itself MIT, but ships AGPL-3.0 texts, and its weights say AGPL-3.0. So it is never a default,
and whoever uses it is told, and the version that goes into every manifest says so.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from PIL import Image

from sdsafe.core.findings import Box
from sdsafe.gates.options import CheckOptions
from sdsafe.gates.safety.onnx import OnnxModel
from sdsafe.gates.safety.scoring import DEFAULT_TILE, PictureCheck, Scored
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.places import Places

__all__ = ["NudeNetCheck"]

_log = logging.getLogger(__name__)

_MEMBER: Final = "nudenet/320n.onnx"
_SHA256: Final = "c15d8273adad2d0a92f014cc69ab2d6c311a06777a55545f2c4eb46f51911f0f"
_SIDE: Final = 320
_CLASSES: Final = (
    "FEMALE_GENITALIA_COVERED",
    "FACE_FEMALE",
    "BUTTOCKS_EXPOSED",
    "FEMALE_BREAST_EXPOSED",
    "FEMALE_GENITALIA_EXPOSED",
    "MALE_BREAST_EXPOSED",
    "ANUS_EXPOSED",
    "FEET_EXPOSED",
    "BELLY_COVERED",
    "FEET_COVERED",
    "ARMPITS_COVERED",
    "ARMPITS_EXPOSED",
    "FACE_MALE",
    "BELLY_EXPOSED",
    "MALE_GENITALIA_EXPOSED",
    "ANUS_COVERED",
    "FEMALE_BREAST_COVERED",
    "BUTTOCKS_COVERED",
)
_CATEGORIES: Final = {
    "nudity": (
        "BUTTOCKS_EXPOSED",
        "FEMALE_BREAST_EXPOSED",
        "FEMALE_GENITALIA_EXPOSED",
        "ANUS_EXPOSED",
        "MALE_GENITALIA_EXPOSED",
    ),
    "face": ("FACE_FEMALE", "FACE_MALE"),
}
"""What policy may refer to. Feet, bellies and armpits are no reason for anything."""

_NOTICE: Final = (
    "nudenet: the weights in this wheel are under AGPL-3.0 (https://github.com/notAI-tech/NudeNet/issues/177); "
    "serving pictures that they judged may oblige you to publish your source"
)


class NudeNetCheck(PictureCheck):
    """Scores bared body parts and faces, each with the box of its best detection."""

    def __init__(self, *, threads: int = 0, tile: int = DEFAULT_TILE) -> None:
        """Note how to run; nothing is loaded yet.

        Args:
            threads: Threads of one inference; 0 leaves it to onnxruntime.
            tile: Side of the tiles of large pictures, in pixels; 0 looks at the whole picture alone.
        """
        self.tile = tile
        self._model = OnnxModel(_weights, threads=threads, install="sdsafe[nudenet]")

    @classmethod
    def configure(cls, _places: Places, options: Mapping[str, object]) -> Self:
        """Return a check from ``[options.nudenet]``: ``threads`` and ``tile``."""
        given = CheckOptions("nudenet", options)
        check = cls(threads=given.integer("threads", 0), tile=given.integer("tile", DEFAULT_TILE))
        given.done()
        return check

    @property
    def name(self) -> str:
        """``nudenet``."""
        return "nudenet"

    @property
    def version(self) -> str:
        """Version of this adapter, the beginning of the SHA-256 of the weights, and their licence."""
        return f"1+{_SHA256[:12]}.AGPL-3.0"

    def scores(self, pictures: Sequence[Pixels], /) -> list[Mapping[str, Scored]]:
        """Return the best detection of every category; 0 where there is none."""
        session = self._model.get()
        name = session.get_inputs()[0].name
        return [self._read(session.run(None, {name: _prepare(each)})[0], each) for each in pictures]

    def _read(self, answer: Any, picture: Pixels) -> dict[str, Scored]:
        """Read (1, 4 + classes, anchors): centre, size, and the score of every class at every anchor."""
        if answer.ndim != 3 or answer.shape[:2] != (1, 4 + len(_CLASSES)):  # noqa: PLR2004 - batch, rows, anchors
            msg = "nudenet answered in another shape than its classes"
            raise ValueError(msg)
        places, shares = answer[0, :4], answer[0, 4:]
        found = {}
        for category, members in _CATEGORIES.items():
            rows = shares[[_CLASSES.index(each) for each in members]]
            row, anchor = np.unravel_index(int(np.argmax(rows)), rows.shape)
            found[category] = Scored(float(rows[row, anchor]), _box(places[:, anchor], picture))
        return found


def _weights() -> bytes:
    try:
        wheel = importlib.metadata.distribution("nudenet")
    except importlib.metadata.PackageNotFoundError as missing:
        raise Unavailable("nudenet is not installed: pip install 'sdsafe[nudenet]'") from missing
    member = next((file for file in wheel.files or () if file.as_posix() == _MEMBER), None)
    data = member.read_binary() if member is not None else b""
    found = hashlib.sha256(data).hexdigest()
    if found != _SHA256:
        raise Unavailable(f"the weights of nudenet have SHA-256 {found[:12]}..., pinned is {_SHA256[:12]}...")
    _log.warning("%s", _NOTICE)
    return data


def _prepare(picture: Pixels) -> Any:
    """Return (1, 3, 320, 320) ``float32`` RGB, 0 to 1: padded to a square at right and bottom, then resized."""
    height, width = picture.shape[:2]
    longer = max(height, width)
    square = np.zeros((longer, longer, 3), np.uint8)
    square[:height, :width] = picture
    small = Image.fromarray(square).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(small, np.float32).transpose(2, 0, 1)[None] / 255)


def _box(place: Any, picture: Pixels) -> Box | None:
    height, width = picture.shape[:2]
    scale = max(height, width) / _SIDE
    x, y, wide, high = (float(value) * scale for value in place)
    box = Box(
        left=max(0, int(x - wide / 2)),
        top=max(0, int(y - high / 2)),
        right=min(width, int(x + wide / 2) + 1),
        bottom=min(height, int(y + high / 2) + 1),
    )
    return box if box.left < box.right and box.top < box.bottom else None
