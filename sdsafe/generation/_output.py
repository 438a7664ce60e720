"""What comes out of a pipe, as pixels: finite, of the size that was asked for, rounded as diffusers does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sdsafe.core.pixels import is_pixels
from sdsafe.errors import GenerationError
from sdsafe.generation._libraries import torch

if TYPE_CHECKING:
    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import Size

__all__ = ["pixels_of", "watch_for_overflow"]


def watch_for_overflow(pipe: Any) -> list[bool]:
    """Note infinities and NaN behind the autoencoder: diffusers clamps the first to white before we see them."""
    seen: list[bool] = []

    def look(_module: object, _inputs: object, output: Any) -> None:
        if isinstance(output, torch.Tensor) and not bool(torch.isfinite(output).all()):
            seen.append(True)

    decoder = getattr(getattr(pipe, "vae", None), "decoder", None)
    if isinstance(decoder, torch.nn.Module):
        decoder.register_forward_hook(look)
    return seen


def pixels_of(images: object, size: Size, *, overflowed: bool) -> Pixels:
    """Return the one image as 8-bit RGB, by the rounding of diffusers' ``numpy_to_pil``."""
    array = np.asarray(images)
    if images is None or array.dtype.kind != "f" or array.ndim != 4 or len(array) != 1:  # noqa: PLR2004 - batch, height, width, channel
        raise GenerationError("the model gave no single image", code="generation.no-image")
    if overflowed or not np.isfinite(array).all():
        raise GenerationError(
            "the model produced numbers that are not finite; there is no picture",
            code="generation.not-finite",
            hint="Half precision can overflow: set dtype to float32 (or bfloat16), or check the weights.",
        )
    pixels: Pixels = (array[0] * 255).round().astype(np.uint8)
    if not is_pixels(pixels) or pixels.shape[:2] != (size.height, size.width):
        raise GenerationError(
            f"the model made {'x'.join(map(str, array.shape[1:]))} (height, width, channels) instead of {size} RGB",
            code="generation.wrong-size",
            hint="Ask for a size that this model supports.",
        )
    return pixels
