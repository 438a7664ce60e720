"""Yahoo's open_nsfw, run by onnxruntime: one score for nudity.

The network (ResNet-50 thin, Caffe, 2016) was trained on photographs; its authors say what it is good for and what
not: https://github.com/yahoo/open_nsfw.
It says nothing about violence, hate, age, or drawings.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from PIL import Image

from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.errors import ConfigurationError, PluginError
from sdsafe.gates.safety import weights
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.places import Places
    from sdsafe.core.states import Generated

__all__ = ["OpenNsfwCheck", "preprocess"]

_SOURCE = weights.SOURCES["open-nsfw"]
_RESIZED, _CROPPED = 256, 224
_MEAN_BGR = np.array([104.0, 117.0, 123.0], dtype=np.float32)


class OpenNsfwCheck:
    """Scores nudity from 0 to 1; ``unavailable`` until ``sdsafe models pull open-nsfw`` has run.

    The session is made on first use, from bytes whose SHA-256 was checked in the same breath, and kept.
    onnxruntime sessions may be called from several threads.
    """

    def __init__(self, places: Places, *, threads: int = 0) -> None:
        """Note where the weights are; nothing is loaded yet.

        Args:
            places: Where the model cache is.
            threads: Threads of one inference; 0 leaves it to onnxruntime.
        """
        self._places = places
        self._threads = threads
        self._session: Any = None
        self._lock = threading.Lock()

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Return a check; the one option is ``threads``."""
        threads = options.get("threads", 0)
        if set(options) - {"threads"} or not isinstance(threads, int) or threads < 0:
            raise PluginError("open-nsfw: unknown option or value", hint="Known: threads = 0, 1, 2, ...")
        return cls(places, threads=threads)

    @property
    def name(self) -> str:
        """``open-nsfw``."""
        return "open-nsfw"

    @property
    def version(self) -> str:
        """Version of this adapter and the beginning of the SHA-256 of the weights."""
        return f"1+{_SOURCE.sha256[:12]}"

    def check(self, generated: Generated, /) -> Iterable[Finding]:
        """Return one finding, category ``nudity``, with the network's score."""
        score = self.score(generated.pixels)
        yield Finding(
            code="output.score",
            severity=Severity.INFORMATIONAL,
            stage=Stage.OUTPUT,
            source=self.name,
            source_version=self.version,
            category="nudity",
            score=score,
            explanation=f"nudity {score:.3f} by open-nsfw",
        )

    def score(self, pixels: Pixels) -> float:
        """Return the score of one picture, 0 to 1.

        Raises:
            Unavailable: Weights or onnxruntime are missing, or the weights were changed on disk.
            ValueError: The network answered something that is not two probabilities.
        """
        (answer,) = self._loaded().run(None, {"input:0": preprocess(pixels)})
        scores = np.asarray(answer)
        if scores.shape != (1, 2) or not np.isfinite(scores).all() or abs(float(scores.sum()) - 1) > 1e-3:  # noqa: PLR2004 - softmax of two classes
            msg = "open-nsfw answered something that is not two probabilities"
            raise ValueError(msg)
        return float(np.clip(scores[0, 1], 0, 1))

    def _loaded(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = self._load()
            return self._session

    def _load(self) -> Any:
        try:
            import onnxruntime
        except ImportError as missing:
            raise Unavailable("onnxruntime is not installed: pip install 'sdsafe[generate]'") from missing
        try:
            model = weights.read("open-nsfw", self._places)
        except ConfigurationError as missing:
            raise Unavailable(f"{missing}. {missing.hint}") from missing
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3  # errors only: the graph is old and onnxruntime comments on it
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def preprocess(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Return the network's input, (1, 224, 224, 3) ``float32`` BGR with the mean subtracted.

    As in the authors' code: resize to 256x256 (bilinear, aspect not kept), centre crop, Caffe's channel order.
    """
    resized = Image.fromarray(pixels).resize((_RESIZED, _RESIZED), Image.Resampling.BILINEAR)
    edge = (_RESIZED - _CROPPED) // 2
    cropped = np.asarray(resized, dtype=np.float32)[edge : edge + _CROPPED, edge : edge + _CROPPED]
    return np.ascontiguousarray(cropped[None, :, :, ::-1] - _MEAN_BGR)
