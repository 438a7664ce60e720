"""What each task needs, how its pictures are laid out for a model, and how they are put back: pure.

A model takes sides that are multiples of its factor. A picture of any other size is not scaled: its edges are
repeated up to the next multiple, and what the model adds there is cut off again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from sdsafe._internal import images
from sdsafe.core.pixels import is_pixels
from sdsafe.core.request import ADAPTER_PICTURES, InputImage, Size, Task
from sdsafe.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import GenerationRequest, Scalar

__all__ = [
    "CONTROL",
    "IMAGE",
    "MASK",
    "PADS",
    "REFERENCE",
    "Canvas",
    "Kind",
    "kind_of",
    "lay_out",
    "paste",
    "resolve_pictures",
]

IMAGE, MASK = "image", "mask"
"""Roles of input pictures."""

CONTROL, REFERENCE = ADAPTER_PICTURES["controlnet"], ADAPTER_PICTURES["ip-adapter"]
"""Roles of pictures that adapters read."""

PADS = ("pad_left", "pad_top", "pad_right", "pad_bottom")
"""Parameters of outpainting: how many pixels to add at each side."""

Mask: TypeAlias = npt.NDArray[np.uint8]
_Grid = TypeVar("_Grid", np.bool_, np.uint8)

_SELECTED = 128  # a mask pixel that is at least this bright is painted anew
_SEAM = 6  # pixels over which paint fades in, measured from the edge of the mask inwards


class Kind(StrEnum):
    """Which way a task goes through diffusers; ``NONE``: through something else."""

    TEXT = "text to image"
    IMAGE = "image to image"
    INPAINTING = "inpainting"
    UPSCALING = "upscaling"
    SOUND = "text to sound"
    NONE = "pictures without diffusion"


@dataclass(frozen=True, slots=True)
class _Shape:
    kind: Kind
    roles: tuple[str, ...] = (IMAGE,)
    defaults: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))
    """Parameters that are filled in, so that the manifest records them."""


_SHAPES: Mapping[Task, _Shape] = MappingProxyType(
    {
        Task.GENERATE: _Shape(Kind.TEXT, ()),
        Task.TRANSFORM: _Shape(Kind.IMAGE, defaults={"strength": 0.6}),
        Task.VARY: _Shape(Kind.IMAGE, defaults={"strength": 0.4}),
        Task.INPAINT: _Shape(Kind.INPAINTING, (IMAGE, MASK), {"strength": 1.0, "paste_back": True}),
        Task.OUTPAINT: _Shape(
            Kind.INPAINTING, defaults={"strength": 1.0, "paste_back": True, **dict.fromkeys(PADS, 0)}
        ),
        Task.UPSCALE: _Shape(Kind.UPSCALING, defaults={"scale": 2}),
        Task.RESTORE: _Shape(Kind.NONE, defaults={"strength": 1.0}),
        Task.AUDIO: _Shape(Kind.SOUND, ()),
    }
)


def kind_of(task: Task) -> Kind:
    """Return which way a task goes.

    Raises:
        RequestError: This generator cannot carry it out.
    """
    return _shape(task).kind


def resolve_pictures(request: GenerationRequest, without: Collection[str] = ()) -> GenerationRequest:
    """Return the request with the size of its result and the parameters of its task filled in.

    Args:
        request: Its parameters are checked by ``families.check_parameters`` afterwards.
        without: Parameters that the model does not have: they are not filled in.

    Raises:
        RequestError: ``request.task``, ``request.input`` (a picture is missing, too many, or does not fit) or
            ``request.size``.
    """
    shape = _shape(request.task)
    _require_roles(request, shape)
    filled = {name: value for name, value in shape.defaults.items() if name not in without}
    parameters = {**filled, **request.parameters}
    if not shape.roles:  # nothing that the result is made of
        return replace(request, parameters=parameters)
    picture = _size_of(_picture(request, IMAGE))
    if MASK in shape.roles:
        _require_mask(request, picture)
    return replace(request, parameters=parameters, size=_result_size(request, picture, parameters))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Canvas:
    """The pictures of a request as a model takes them, and what has to be put back."""

    kind: Kind
    size: Size
    """Of what the model makes; of the pictures below, where it does not make them larger."""
    result: Size
    """Of the finished picture."""
    image: Pixels | None = None
    mask: Mask | None = None
    """(H, W) ``uint8``: 255 where the model paints, 0 elsewhere."""
    kept: Pixels | None = None
    """Its pixels outside the mask stand in the finished picture as they are; None puts nothing back."""
    control: Pixels | None = None
    """What a ControlNet reads, of ``size``."""
    reference: Pixels | None = None
    """What an IP-adapter reads, of any size."""
    enlarged: Size | None = None
    """Of what an upscaler makes of the picture without its padding; it is brought from there to the result."""

    def finish(self, made: Pixels) -> Pixels:
        """Cut what the model made to the size of the result, and put back what it was not asked to change.

        What is put back is exact outside the mask; just inside its edge, paint and picture fade into each other.
        """
        if self.enlarged is not None:
            whole = np.ascontiguousarray(made[: self.enlarged.height, : self.enlarged.width])
            return images.resize(whole, self.result.width, self.result.height)
        cut = made[: self.result.height, : self.result.width]
        if self.kept is None or self.mask is None:
            return np.ascontiguousarray(cut)
        weight = _inner_edge(self.mask[: self.result.height, : self.result.width] > 0)[..., None]
        blended = np.rint(weight * cut + (1 - weight) * self.kept).astype(np.uint8)
        return np.where(weight > 0, blended, self.kept)


def paste(made: Pixels, kept: Pixels, mask: Mask) -> Pixels:
    """Return ``kept`` with what was made inside the mask, as ``Canvas.finish`` puts back: outside nothing changes."""
    size = _size(kept)
    return Canvas(kind=Kind.NONE, size=size, result=size, mask=mask, kept=kept).finish(made)


def lay_out(request: GenerationRequest, multiple: int, times: int = 1) -> Canvas:
    """Return the pictures of a resolved request as a model takes them.

    Args:
        request: As ``resolve_pictures`` returned it.
        multiple: Sides are multiples of this.
        times: How many times as large the model makes a picture that it enlarges.
    """
    size = request.size
    if size is None:
        raise RequestError("the request is not resolved: size is open", code="request.size")
    kind = kind_of(request.task)
    steering: dict[str, Any] = {
        role: each.pixels for each in request.inputs if (role := each.role) in {CONTROL, REFERENCE}
    }
    if CONTROL in steering:
        steering[CONTROL] = _padded(images.resize(steering[CONTROL], size.width, size.height), multiple)
    if kind is Kind.TEXT:
        return Canvas(kind=kind, size=size, result=size, **steering)
    pixels = _picture(request, IMAGE).pixels
    if kind is Kind.UPSCALING:
        image = _padded(pixels, multiple)
        made, enlarged = _times(_size(image), times), _times(_size(pixels), times)
        return Canvas(kind=kind, size=made, result=size, image=image, enlarged=enlarged)
    if kind is Kind.IMAGE:
        image = _padded(images.resize(pixels, size.width, size.height), multiple)
        return Canvas(kind=kind, size=_size(image), result=size, image=image, **steering)
    kept, selected = _with_mask(request, pixels)
    image, mask = _padded(kept, multiple), _padded(np.where(selected, np.uint8(255), np.uint8(0)), multiple, edge=False)
    back = kept if request.parameters.get("paste_back") else None
    return Canvas(kind=kind, size=_size(image), result=size, image=image, mask=mask, kept=back, **steering)


def _shape(task: Task) -> _Shape:
    shape = _SHAPES.get(task)
    if shape is None:
        raise RequestError(
            f"the task {task.value!r} cannot be carried out by this generator",
            code="request.task",
            hint=f"Tasks: {', '.join(each.value for each in _SHAPES)}.",
        )
    return shape


def _require_roles(request: GenerationRequest, shape: _Shape) -> None:
    given, roles = sorted(each.role for each in request.inputs), request.roles(shape.roles)
    if given != roles:
        wanted = " and ".join(f"one picture with the role {role}" for role in roles) or "no input pictures"
        raise RequestError(
            f"the task {request.task.value!r} takes {wanted}, found {', '.join(given) or 'none'}",
            code="request.input",
            hint="Correct the inputs of the request, or choose another task.",
        )
    for each in request.inputs:
        if not is_pixels(each.pixels):
            raise RequestError(f"the {each.role} is no (H, W, 3) uint8 picture", code="request.input")


def _require_mask(request: GenerationRequest, picture: Size) -> None:
    mask = _picture(request, MASK)
    if _size_of(mask) != picture:
        raise RequestError(
            f"the mask measures {_size_of(mask)}, the picture {picture}",
            code="request.input",
            hint="Draw the mask over the picture itself: white is painted anew, black stays.",
        )
    if not _selected(mask).any():
        raise RequestError(
            "the mask selects nothing: it has no bright pixel",
            code="request.input",
            hint="White is painted anew, black stays.",
        )


def _result_size(request: GenerationRequest, picture: Size, parameters: Mapping[str, Scalar]) -> Size:
    left, top, right, bottom = (_whole(name, parameters.get(name, 0)) for name in PADS)
    scale = _whole("scale", parameters.get("scale", 1))
    if request.task is Task.OUTPAINT and left + top + right + bottom == 0:
        raise RequestError(
            "nothing to paint: all four pads are 0",
            code="request.parameter",
            hint="Say how many pixels to add at the left, top, right and bottom.",
        )
    result = Size(width=(left + picture.width + right) * scale, height=(top + picture.height + bottom) * scale)
    if request.size is None or request.size == result:
        return result
    if kind_of(request.task) is Kind.IMAGE:
        return request.size
    raise RequestError(
        f"the result measures {result}, {request.size} was asked for",
        code="request.size",
        hint="Leave the size out: for this task it follows from the picture.",
    )


def _whole(name: str, value: Scalar) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise RequestError(
            f"parameter {name!r} must be a whole number from 0", code="request.parameter", hint="Correct it."
        )
    return value


def _with_mask(request: GenerationRequest, pixels: Pixels) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """Return the picture at the size of the result, and what of it is painted."""
    if request.task is Task.INPAINT:
        return pixels, _selected(_picture(request, MASK))
    left, top, right, bottom = (_whole(name, request.parameters[name]) for name in PADS)
    around = ((top, bottom), (left, right))
    selected = np.pad(np.zeros(pixels.shape[:2], np.bool_), around, constant_values=True)
    return np.pad(pixels, (*around, (0, 0)), mode="edge"), selected


def _inner_edge(painted: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return how much of the paint shows: 0 outside the mask, rising from its edge inwards to 1.

    The edge of the picture is no edge of the mask. Where the mask is thinner than the fade, the fade is as narrow as
    the mask is: its middle always shows the paint alone, so that a thin stroke covers what it was drawn over.
    """
    depth, left = painted.astype(np.uint8), painted
    for _ in range(_SEAM):
        left = _neighbours(left, np.minimum)
        depth += left
    deepest = depth
    for _ in range(_SEAM):
        deepest = np.where(painted, _neighbours(deepest, np.maximum), np.uint8(0))
    weight: npt.NDArray[np.float32] = np.divide(depth, np.maximum(deepest, 1), dtype=np.float32)
    return weight


def _neighbours(values: npt.NDArray[_Grid], worst: np.ufunc) -> npt.NDArray[_Grid]:
    """Return minimum or maximum over the 3x3 pixels around each pixel."""
    around = np.pad(values, 1, mode="edge")
    rows = worst(worst(around[:-2], around[1:-1]), around[2:])
    result: npt.NDArray[_Grid] = worst(worst(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    return result


def _padded(picture: Pixels, multiple: int, *, edge: bool = True) -> Pixels:
    height, width = picture.shape[:2]
    around = [(0, -height % multiple), (0, -width % multiple), *[(0, 0)] * (picture.ndim - 2)]
    return np.pad(picture, around, mode="edge") if edge else np.pad(picture, around)


def _picture(request: GenerationRequest, role: str) -> InputImage:
    return next(each for each in request.inputs if each.role == role)


def _selected(mask: InputImage) -> npt.NDArray[np.bool_]:
    selected: npt.NDArray[np.bool_] = mask.pixels.mean(axis=2) >= _SELECTED
    return selected


def _times(size: Size, times: int) -> Size:
    return Size(width=size.width * times, height=size.height * times)


def _size_of(image: InputImage) -> Size:
    return _size(image.pixels)


def _size(pixels: Pixels) -> Size:
    return Size(width=pixels.shape[1], height=pixels.shape[0])
