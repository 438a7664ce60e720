"""Yahoo's open_nsfw, run by onnxruntime: one score for nudity.

The network (ResNet-50 thin, Caffe, 2016) was trained on photographs; its authors say what it is good for and what
not: https://github.com/yahoo/open_nsfw.
It says nothing about violence, hate, age, or drawings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from PIL import Image

from sdsafe.errors import ConfigurationError
from sdsafe.gates.options import CheckOptions
from sdsafe.gates.safety import weights
from sdsafe.gates.safety.onnx import OnnxModel
from sdsafe.gates.safety.scoring import DEFAULT_TILE, PictureCheck, Scored
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.places import Places

__all__ = ["OpenNsfwCheck", "preprocess"]

_SOURCE = weights.SOURCES["open-nsfw"]
_RESIZED, _CROPPED = 256, 224
_MEAN_BGR = np.array([104.0, 117.0, 123.0], dtype=np.float32)


class OpenNsfwCheck(PictureCheck):
    """Scores nudity from 0 to 1; ``unavailable`` until ``sdsafe models pull open-nsfw`` has run.

    The session is made on first use, from bytes whose SHA-256 was checked in the same breath, and kept.
    onnxruntime sessions may be called from several threads.
    """

    def __init__(self, places: Places, *, threads: int = 0, tile: int = DEFAULT_TILE) -> None:
        """Note where the weights are; nothing is loaded yet.

        Args:
            places: Where the model cache is.
            threads: Threads of one inference; 0 leaves it to onnxruntime.
            tile: Side of the tiles of large pictures, in pixels; 0 looks at the whole picture alone.
        """
        self._places = places
        self.tile = tile
        self._model = OnnxModel(self._weights, threads=threads, install="sdsafe[generate]")

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Return a check from ``[options.open-nsfw]``: ``threads`` and ``tile``."""
        given = CheckOptions("open-nsfw", options)
        check = cls(places, threads=given.integer("threads", 0), tile=given.integer("tile", DEFAULT_TILE))
        given.done()
        return check

    @property
    def name(self) -> str:
        """``open-nsfw``."""
        return "open-nsfw"

    @property
    def version(self) -> str:
        """Version of this adapter and the beginning of the SHA-256 of the weights."""
        return f"2+{_SOURCE.sha256[:12]}"

    def scores(self, pictures: Sequence[Pixels], /) -> list[Mapping[str, Scored]]:
        """Return the network's score of every picture as category ``nudity``."""
        return [{"nudity": Scored(self.score(each))} for each in pictures]

    def score(self, pixels: Pixels) -> float:
        """Return the score of one picture, 0 to 1.

        Raises:
            Unavailable: Weights or onnxruntime are missing, or the weights were changed on disk.
            ValueError: The network answered something that is not two probabilities.
        """
        (answer,) = self._model.get().run(None, {"input:0": preprocess(pixels)})
        scores = np.asarray(answer)
        if scores.shape != (1, 2) or not np.isfinite(scores).all() or abs(float(scores.sum()) - 1) > 1e-3:  # noqa: PLR2004 - softmax of two classes
            msg = "open-nsfw answered something that is not two probabilities"
            raise ValueError(msg)
        return float(np.clip(scores[0, 1], 0, 1))

    def _weights(self) -> bytes:
        try:
            return weights.read("open-nsfw", self._places)
        except ConfigurationError as missing:
            raise Unavailable(f"{missing}. {missing.hint}") from missing


def preprocess(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Return the network's input, (1, 224, 224, 3) ``float32`` BGR with the mean subtracted.

    As in the authors' code: resize to 256x256 (bilinear, aspect not kept), centre crop, Caffe's channel order.
    """
    resized = Image.fromarray(pixels).resize((_RESIZED, _RESIZED), Image.Resampling.BILINEAR)
    edge = (_RESIZED - _CROPPED) // 2
    cropped = np.asarray(resized, dtype=np.float32)[edge : edge + _CROPPED, edge : edge + _CROPPED]
    return np.ascontiguousarray(cropped[None, :, :, ::-1] - _MEAN_BGR)
