"""ONNX networks at work: a picture, or boxes of it, through a network on the CPU and back into the picture.

What a network takes and gives is read from its own signature: where the channels stand, numbers or bytes, one size or
any. Colours are RGB. Nothing here looks at what the picture shows.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sdsafe._internal import images
from sdsafe._internal.onnx import open_session
from sdsafe.core.findings import Box
from sdsafe.core.regions import read_boxes
from sdsafe.core.request import Task
from sdsafe.errors import CancelledError, GenerationError, MissingExtraError, RequestError
from sdsafe.generation.processing import execution_without_diffusion, only_picture
from sdsafe.generation.signature import TYPES, Signature, read_signature
from sdsafe.generation.tasks import paste
from sdsafe.generation.tiles import around, taken, tiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.states import Admitted, Generated
    from sdsafe.generation.tiles import Tile
    from sdsafe.protocols import Watch

__all__ = ["Network", "make"]

_RANGES = {"0..1": (0.0, 1.0), "-1..1": (-1.0, 1.0), "0..255": (0.0, 255.0)}
_STRAY = 0.25  # of the width of the range: how far single values may lie outside before they count
_MOST_STRAY = 0.01  # of all values


def make(admitted: Admitted, read: Callable[[], bytes], *, threads: int, watch: Watch | None = None) -> Generated:
    """Return what a network makes of the picture of a resolved request.

    Args:
        admitted: Of a request that ``NetworkLocator.resolve`` returned.
        read: Returns the file of the network, whose digest it has checked.
        threads: Of one inference.
        watch: Told of every tile and every box; may stop it between two.

    Raises:
        RequestError: The network is none that makes a picture out of a picture, or does not enlarge as was asked.
        GenerationError: It does not run, or gives no finite picture.
        CancelledError: ``watch`` says so.
        MissingExtraError: onnxruntime is not installed.
    """
    request = admitted.request
    if request.size is None or request.seed is None:
        raise RequestError("the request is not resolved: size or seed is open")
    started = time.perf_counter()
    network = Network.open(read, request, threads=threads)
    (picture,) = request.inputs
    steps = _Steps(watch)
    if request.task is Task.UPSCALE:
        enlarged = network.tiled(picture.pixels, steps, int(request.parameters["scale"]))
        pixels = images.resize(enlarged, request.size.width, request.size.height)
    else:
        pixels = _restored(picture.pixels, network, request, steps)
    execution = execution_without_diffusion(
        request.model,
        started,
        dtype=network.signature.dtype,
        threads=threads,
        libraries=("numpy", "onnxruntime", "pillow"),
    )
    return only_picture(admitted, request.seed, pixels, execution)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """A network that makes a picture out of a picture, and how its numbers are meant."""

    session: Any
    signature: Signature
    low: float
    """What black is."""
    high: float
    """What full brightness is."""

    @classmethod
    def open(cls, read: Callable[[], bytes], request: GenerationRequest, *, threads: int) -> Network:
        """Load the network of a request; see ``make``."""
        try:
            session = open_session(read, threads=threads, seed=request.seed or 0)
        except ImportError as missing:
            raise MissingExtraError("ONNX networks", extra="generate", detail="no module onnxruntime") from missing
        except ValueError as error:
            raise RequestError(
                f"the file is no ONNX network that can be run: {error}",
                code="request.network",
                hint="It has to be one whole .onnx file: weights in further files and operators of others are not "
                "loaded.",
            ) from error
        signature = read_signature(session)
        stated = request.parameters.get("range")
        if stated not in {None, "0..255"} and signature.dtype == "uint8":
            raise RequestError(
                f"the network takes bytes, 0..255, and the range {stated} was stated",
                code="request.network",
                hint="Leave the range out.",
            )
        low, high = _RANGES["0..255" if signature.dtype == "uint8" else str(stated or "0..1")]
        return cls(session=session, signature=signature, low=low, high=high)

    def tiled(self, pixels: Pixels, steps: _Steps, scale: int = 1) -> Pixels:
        """Return what it makes of a picture of any size, as many times as large as its output is.

        Tiles overlap, and what is near the edge of one is taken from the next. What would be too large for one
        picture is brought to ``scale`` tile by tile.

        Args:
            pixels: The picture.
            steps: Told of every tile.
            scale: How many times as large the result is wanted; above 1 the network has to enlarge.
        """
        height, width = pixels.shape[:2]
        cut = tiles(height, width, self.signature.height, self.signature.width)
        made: Pixels | None = None
        times = scale
        for tile in steps.over(cut):
            values = self._run(taken(pixels, tile.window))
            if made is None:
                own = values.shape[0] // (tile.window.bottom - tile.window.top)
                if own == 1 < scale:
                    raise _no_enlarging()
                times = own if height * width * own * own <= images.MAX_PIXELS else scale
                made = np.empty((height * times, width * times, 3), np.uint8)
            _put(made, values, tile, times)
        if made is None:  # pragma: no cover - a picture has at least one tile
            raise GenerationError("the picture is empty", code="generation.no-image")
        return made

    def region(self, pixels: Pixels, box: Box, steps: _Steps) -> Pixels:
        """Return what it makes of a box, of the size of the box.

        A network of one size is shown the box in its own proportions, with what stands around it, so that nothing is
        squeezed; beyond the edge of the picture the edge is repeated.
        """
        height, width = box.bottom - box.top, box.right - box.left
        own = self.signature
        if own.height is None or own.width is None:
            return images.resize(self.tiled(pixels[box.top : box.bottom, box.left : box.right], steps), width, height)
        shown = around(box, own.width, own.height)
        if (shown.right - shown.left) * (shown.bottom - shown.top) > images.MAX_PIXELS:
            raise RequestError(
                f"{width}x{height} is too far from the proportions of the network, {own.width}x{own.height}",
                code="request.box",
                hint="Give boxes that are more like it.",
            )
        crop = images.resize(taken(pixels, shown), own.width, own.height)
        (made,) = [self._run(crop) for _ in steps.over([box])]
        back = images.resize(made, shown.right - shown.left, shown.bottom - shown.top)
        top, left = box.top - shown.top, box.left - shown.left
        return back[top : top + height, left : left + width]

    def _run(self, pixels: Pixels) -> Pixels:
        own = self.signature
        ordered = pixels.transpose(2, 0, 1) if own.channels_first else pixels
        given = ordered[None]
        if own.dtype != "uint8":
            given = (self.low + given * ((self.high - self.low) / 255)).astype(own.dtype)
        try:
            (found,) = self.session.run([own.output], {own.input: np.ascontiguousarray(given)})
        except Exception as error:
            height, width = pixels.shape[:2]
            raise GenerationError(
                f"the network does not run on {width}x{height} pixels ({type(error).__name__})",
                code="generation.network",
                hint=f"Its signature says {own}. Networks that take some sizes only have to say so.",
            ) from error
        return self._pixels(np.asarray(found), pixels.shape[:2])

    def _pixels(self, found: npt.NDArray[Any], shown: tuple[int, ...]) -> Pixels:
        """Return what came out as pixels: finite, in range, the same number of times as high and as wide."""
        picture = _channels_last(found, first=self.signature.channels_first)
        height, width = (picture.shape[0] // shown[0], picture.shape[1] // shown[1]) if picture.size else (0, 0)
        if not height or height != width or picture.shape[:2] != (shown[0] * height, shown[1] * width):
            raise GenerationError(
                f"the network gave {'x'.join(map(str, found.shape))} for a picture of {shown[1]}x{shown[0]}",
                code="generation.wrong-size",
                hint="It has to give a picture of the same size, or a whole number of times as large.",
            )
        if picture.dtype == np.uint8:
            return np.ascontiguousarray(picture)
        values = (picture.astype(np.float32) - self.low) / (self.high - self.low)
        _require_sensible(values, self.low, self.high)
        whole: Pixels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
        return np.ascontiguousarray(whole)


class _Steps:
    """Tells a watch how far it is, and stops where that says so."""

    def __init__(self, watch: Watch | None) -> None:
        self._watch = watch
        self._done = self._total = 0

    def expect(self, boxes: int) -> None:
        """Count boxes that are still to come, so that the total does not start anew with each."""
        self._total += boxes

    def over(self, parts: list[Any]) -> Iterator[Any]:
        self._total = max(self._total, self._done + len(parts))
        for each in parts:
            if self._watch is not None and self._watch.cancelled():
                raise CancelledError("cancelled on request; there is no picture")
            yield each
            self._done += 1
            if self._watch is not None:
                self._watch.step(0, self._done, self._total)


def _restored(pixels: Pixels, network: Network, request: GenerationRequest, steps: _Steps) -> Pixels:
    """Return the picture with every box of it restored; outside of them it is what it was, to the pixel."""
    strength = float(request.parameters["strength"])
    boxes = read_boxes(str(request.parameters.get("boxes", "")))
    if not boxes:
        whole = Box(left=0, top=0, right=pixels.shape[1], bottom=pixels.shape[0])
        return _blended(pixels, network.region(pixels, whole, steps), strength)
    steps.expect(len(boxes))
    result = pixels.copy()
    for box in boxes:
        inside = pixels[box.top : box.bottom, box.left : box.right]
        _lay(result, box, _blended(inside, network.region(pixels, box, steps), strength))
    return result


def _blended(before: Pixels, after: Pixels, strength: float) -> Pixels:
    if strength >= 1:
        return after
    mixed: Pixels = np.rint((1 - strength) * before + strength * after).astype(np.uint8)
    return mixed


def _lay(result: Pixels, box: Box, made: Pixels) -> None:
    """Put what was made into its box, fading in over the pixels just inside its edge."""
    height, width = result.shape[:2]
    # One pixel around: it tells an edge of the box from an edge of the picture, where nothing has to fade.
    top, left = max(0, box.top - 1), max(0, box.left - 1)
    bottom, right = min(height, box.bottom + 1), min(width, box.right + 1)
    kept = result[top:bottom, left:right]
    inner = np.s_[box.top - top : box.bottom - top, box.left - left : box.right - left]
    mask, shown = np.zeros(kept.shape[:2], np.uint8), kept.copy()
    mask[inner], shown[inner] = 255, made
    result[top:bottom, left:right] = paste(shown, kept, mask)


def _no_enlarging() -> RequestError:
    return RequestError(
        "the network gives pictures of the size that it is shown: it does not enlarge",
        code="request.network",
        hint="`sdsafe restore` is for such networks.",
    )


def _put(made: Pixels, values: Pixels, tile: Tile, times: int) -> None:
    """Put the core of a tile where it belongs, ``times`` as large as it was shown."""
    core, window = tile.core, tile.window
    values = images.resize(values, (window.right - window.left) * times, (window.bottom - window.top) * times)
    top, left = (core.top - window.top) * times, (core.left - window.left) * times
    height, width = (core.bottom - core.top) * times, (core.right - core.left) * times
    at = np.s_[core.top * times : core.bottom * times, core.left * times : core.right * times]
    made[at] = values[top : top + height, left : left + width]


def _channels_last(found: npt.NDArray[Any], *, first: bool) -> npt.NDArray[Any]:
    """Return the one picture of an output as (height, width, 3)."""
    if found.ndim == 4 and len(found) == 1 and found.dtype.name in TYPES.values():  # noqa: PLR2004 - batch, and three
        ways = (np.moveaxis(found[0], 0, 2), found[0])
        picture: npt.NDArray[Any]
        for picture in ways if first else reversed(ways):
            if picture.shape[2] == 3:  # noqa: PLR2004 - R, G, B
                return picture
    raise GenerationError(
        f"the network gave {'x'.join(map(str, found.shape))} {found.dtype.name} and no single RGB picture",
        code="generation.no-image",
        hint="It has to give one picture of three channels.",
    )


def _require_sensible(values: npt.NDArray[np.float32], low: float, high: float) -> None:
    """Refuse what is not finite, and what shows that the range is another one: clipped, it would be a lie."""
    if not np.isfinite(values).all():
        raise GenerationError(
            "the network produced numbers that are not finite; there is no picture",
            code="generation.not-finite",
            hint="Check the network, and whether the range of its numbers is the one that was stated.",
        )
    stray = np.count_nonzero((values < -_STRAY) | (values > 1 + _STRAY)) / values.size
    if stray > _MOST_STRAY:
        least, most = (float(each) * (high - low) + low for each in (values.min(), values.max()))
        raise GenerationError(
            f"the network gave numbers from {least:.3g} to {most:.3g}, and {low:g} to {high:g} is what was expected",
            code="generation.range",
            hint="State the range that it was made for: --range -1..1 or --range 0..255.",
        )
