"""TrustMark's two networks, as the ONNX files that Adobe publishes: pinned by SHA-256 and run by onnxruntime.

ONNX holds a graph and numbers. The ``.ckpt`` files beside them are pickles, and are never read. What is hashed is what
runs: a file is read once, its digest is taken of these very bytes, and the session is made of them.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sdsafe._internal.onnx import open_session
from sdsafe.bindings.watermark.trustmark_frame import FRAME_BITS
from sdsafe.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy.typing as npt

    _Shown = Callable[[int], npt.NDArray[np.float32]]

__all__ = ["Decoder", "Encoder", "NetworkFile"]

_MOST_BYTES: Final = 1 << 29  # ten times the largest that is published
_LEAST_SIDE, _MOST_SIDE = 16, 2048
_COLOURS: Final = 3


@dataclass(frozen=True, slots=True)
class NetworkFile:
    """A network on disk and the digest that pins it."""

    path: Path
    sha256: str

    def read(self) -> bytes:
        """Return the file's bytes, of which the digest was taken.

        Raises:
            ConfigurationError: ``watermark.network-missing``, ``watermark.network-changed``.
        """
        try:
            if self.path.stat().st_size > _MOST_BYTES:
                raise _unusable(self.path.name, "it is larger than any network of TrustMark")
            data = self.path.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"TrustMark's network {self.path.name!r} cannot be read: {error.strerror}",
                code="watermark.network-missing",
                hint="`sdsafe models pull trustmark-P` (or trustmark-Q) fetches it; or name its folder with the option "
                "folder of [options.trustmark].",
            ) from error
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise ConfigurationError(
                f"TrustMark's network {self.path.name!r} has SHA-256 {found[:12]}..., pinned is {self.sha256[:12]}...",
                code="watermark.network-changed",
                hint="It was changed, or another was published: find out which before you pin it.",
            )
        return data


class _Network:
    """A session that is made on first use, for all threads, and kept."""

    def __init__(self, file: NetworkFile, *, threads: int) -> None:
        self._file = file
        self._threads = threads
        self._session: Any = None
        self._lock = threading.Lock()

    @property
    def sha256(self) -> str:
        """The digest that pins it."""
        return self._file.sha256

    def open(self) -> Any:
        """Return the session.

        Raises:
            ConfigurationError: The file is missing, changed, or no network that onnxruntime runs.
            MissingExtraError: onnxruntime is not installed.
        """
        with self._lock:
            if self._session is None:
                self._session = self._opened()
            return self._session

    def run(self, given: Mapping[str, npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
        """Return its answers.

        Raises:
            ConfigurationError: ``watermark.network-unusable``: it does not run, or answers anything but numbers.
        """
        session = self.open()
        try:
            return [np.asarray(each, np.float32) for each in session.run(None, dict(given))]
        except Exception as error:
            raise self.unlike(f"it does not run ({type(error).__name__})") from error

    def inputs(self, ranks: tuple[int, ...]) -> list[tuple[str, list[object]]]:
        """Return names and shapes of the inputs, one for each rank.

        Exporters name inputs as they like; a picture has four axes and a frame has two.

        Raises:
            ConfigurationError: There are others.
        """
        found = {len(each.shape): (each.name, list(each.shape)) for each in self.open().get_inputs()}
        if sorted(found) != sorted(ranks) or len(self.open().get_inputs()) != len(ranks):
            raise self.unlike("its inputs are not those of TrustMark")
        return [found[rank] for rank in ranks]

    def unlike(self, why: str) -> ConfigurationError:
        """Return an error that says what is wrong with the file."""
        return _unusable(self._file.path.name, why)

    def side(self, shape: list[object], default: int) -> int:
        """Return the side of the pictures that it takes; the default where it leaves that open."""
        _, colours, *sides = shape
        fixed = {each for each in sides if isinstance(each, int)}
        if isinstance(colours, int) and colours != _COLOURS:
            raise self.unlike("its pictures have other than three colours")
        if len(fixed) > 1 or any(not _LEAST_SIDE <= each <= _MOST_SIDE for each in fixed):
            raise self.unlike("its pictures are no squares of a usual size")
        return fixed.pop() if fixed else default

    def _opened(self) -> Any:
        try:
            return open_session(self._file.read, threads=self._threads)
        except ImportError as missing:
            raise MissingExtraError("TrustMark", extra="trustmark", detail="no module onnxruntime") from missing
        except ValueError as error:
            raise _unusable(self._file.path.name, str(error)) from error


class Encoder(_Network):
    """Writes a frame into a small picture."""

    def residual(self, shown: _Shown, frame: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return what it adds, (3, side, side), in halves of the whole range; its mean colour is zero.

        Args:
            shown: Returns the picture at the side that it is called with.
            frame: The 100 bits.

        Raises:
            ConfigurationError: ``watermark.network-unusable``: it is no encoder, or answers no picture.
            MissingExtraError: onnxruntime is not installed.
        """
        (picture, shape), (bits, _) = self.inputs((4, 2))
        cover = shown(self.side(shape, 256))
        answers = self.run({picture: cover, bits: frame[None]})
        stego = next((each for each in answers if each.shape == cover.shape), None)
        if stego is None or not np.isfinite(stego).all():
            raise self.unlike("it answers no picture")
        residual = (np.clip(stego, -1, 1) - cover)[0]
        centred: npt.NDArray[np.float32] = residual - residual.mean(axis=(1, 2), keepdims=True)
        return centred


class Decoder(_Network):
    """Reads a frame from a small picture, marked or not: it always answers."""

    def __init__(self, file: NetworkFile, *, threads: int, side: int) -> None:
        """Note what to load.

        Args:
            file: The network.
            threads: Of one inference.
            side: Of the pictures that it is shown, where it leaves that open.
        """
        super().__init__(file, threads=threads)
        self._side = side

    def bits(self, shown: _Shown) -> npt.NDArray[np.bool_]:
        """Return the 100 bits that it reads.

        Args:
            shown: Returns the picture at the side that it is called with.

        Raises:
            ConfigurationError: ``watermark.network-unusable``: it is no decoder, or answers no 100 numbers.
            MissingExtraError: onnxruntime is not installed.
        """
        ((picture, shape),) = self.inputs((4,))
        answers = self.run({picture: shown(self.side(shape, self._side))})
        numbers = answers[0].reshape(-1) if answers else np.empty(0)
        if numbers.shape != (FRAME_BITS,) or not np.isfinite(numbers).all():
            raise self.unlike(f"it answers no {FRAME_BITS} numbers")
        read: npt.NDArray[np.bool_] = numbers > 0
        return read


def _unusable(name: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name!r} is not usable as a network of TrustMark: {why}",
        code="watermark.network-unusable",
        hint="It has to be one of Adobe's .onnx files; the .ckpt files are pickles and are never loaded.",
    )
