"""The one door to Pillow: file bytes to pixels and back, once for the whole project.

What comes out of ``decode`` is always the same thing, whatever went in: 8-bit sRGB, upright, no alpha, one frame.

- EXIF orientation is applied.
- An embedded ICC profile is converted to sRGB (relative colorimetric, black point compensation); without one, or
  with one that cannot be used, the values are taken as sRGB, as viewers do.
- Alpha is composited on **white**.
- 16-bit channels keep their upper 8 bits. Palettes, gray, bilevel, CMYK and YCbCr become RGB.
- Of an animation the first frame counts.

Limits are checked before any pixel is decoded: bytes of the file, then width times height from its header.
Pillow's own limit is a global of the process that belongs to the application; it is neither read nor set here.
Plug-ins are called by class instead of through ``Image.open``: only the one that is needed is imported (4 to 11 ms
against 42 ms for ``Image.preinit`` and 64 ms for ``Image.init``, cold), and no other parser ever sees the bytes.

Every function is safe to call from several threads: nothing is shared between calls.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from sdsafe.core.pixels import is_pixels
from sdsafe.errors import AssetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.ImageFile import ImageFile

    from sdsafe.core.pixels import Pixels

__all__ = [
    "ENCODABLE",
    "LOSSLESS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "QUALITIES",
    "SUFFIXES",
    "decode",
    "encode",
    "resize",
    "sniff",
]

MAX_PIXELS = 1 << 26
"""Default limit of width times height: 67 million, twice 8K. Decoding takes up to 10 bytes a pixel meanwhile."""

MAX_BYTES = 1 << 29
"""Default limit of the file: 512 MiB, the largest uncompressed 16-bit RGBA picture of ``MAX_PIXELS``."""

_READERS = {
    "image/png": ("PIL.PngImagePlugin", "PngImageFile"),
    "image/jpeg": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "image/webp": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "image/avif": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "image/tiff": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "image/gif": ("PIL.GifImagePlugin", "GifImageFile"),
}

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    # Classic and BigTIFF in both byte orders.
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"II+\x00": "image/tiff",
    b"MM\x00+": "image/tiff",
}

# KiB and ms of processor time, Pillow with zlib-ng, 1024x1024:
#                        level 1     level 3     level 6     level 1, run lengths only
#   drawn scene          63, 16      57, 16      39, 21      42, 15
#   drawn scene, marked  774, 55     688, 93     589, 242    584, 52
#   noisy waves          1680, 92    1627, 141   1416, 412   1396, 78
# A marked picture is noise over smooth areas: after PNG's filter nothing repeats but runs, and looking for more
# makes the file larger at level 1 and takes four times as long for the same size at level 6.
_PNG_LEVEL = 1
_Z_RLE = 3  # zlib's strategy of that name

_SAVE_OPTIONS: dict[str, tuple[str, dict[str, object]]] = {
    "image/png": ("PNG", {"compress_level": _PNG_LEVEL, "compress_type": _Z_RLE}),
    # 4:4:4: half-resolution chroma would cost a mark that lives in chroma. No `optimize`: Pillow's buffer for it is
    # too small for noise at high quality ("Suspension not allowed here").
    "image/jpeg": ("JPEG", {"subsampling": 0}),
    "image/webp": ("WEBP", {"method": 4}),
    # One thread: the AV1 encoder divides the picture by thread count, and bytes must not depend on the machine.
    "image/avif": ("AVIF", {"subsampling": "4:4:4", "max_threads": 1}),
    "image/tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
}

ENCODABLE = frozenset(_SAVE_OPTIONS)
"""Media types that ``encode`` writes."""

LOSSLESS = frozenset({"image/png", "image/tiff"})
"""Those of them that keep every pixel."""

SUFFIXES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}
"""How files of these formats are called."""

_AVIF_BRANDS = {b"avif", b"avis"}
QUALITIES = range(1, 101)
"""Of lossy formats; higher is better."""


def sniff(data: bytes) -> str | None:
    """Return the media type that the first bytes announce, or None for anything we do not read.

    Only the signature is looked at: a result does not mean that the file decodes.
    """
    for signature, media_type in _SIGNATURES.items():
        if data.startswith(signature):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp" and _ftyp_brands(data) & _AVIF_BRANDS:
        return "image/avif"
    return None


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> Pixels:
    """Return the picture in ``data`` as upright sRGB pixels; see the module for what is converted how.

    Args:
        data: A whole PNG, JPEG, WebP, AVIF, TIFF or GIF file.
        max_pixels: Largest width times height that is decoded.
        max_bytes: Largest file that is looked at.

    Returns:
        (H, W, 3) ``uint8``, writable, contiguous, owned by the caller.

    Raises:
        AssetError: ``asset.too-large``, ``asset.not-an-image`` (unknown signature), ``asset.truncated`` (it begins
            like a picture but is cut off or damaged), ``asset.unsupported`` (32-bit integer or floating-point
            samples, whose range the file does not state). Nothing else.
    """
    if len(data) > max_bytes:
        raise AssetError(
            f"the picture file has {len(data):,} bytes, the limit is {max_bytes:,}",
            code="asset.too-large",
            hint="Use a smaller file, or a format that compresses.",
        )
    image = _open(data)
    width, height = image.size
    if width * height > max_pixels:
        raise AssetError(
            f"the picture has {width}x{height} pixels, the limit is {max_pixels:,} in all",
            code="asset.too-large",
            hint="Scale the picture down. The limit protects against files that unpack to fill the memory.",
        )
    with _translated(f"the {image.format} file"):
        image.load()
        return _to_pixels(image)


def encode(pixels: Pixels, media_type: str = "image/png", *, quality: int = 95) -> bytes:
    """Return ``pixels`` as a file without any metadata; equal pixels give equal bytes on one Pillow build.

    Args:
        pixels: (H, W, 3) ``uint8``; not changed.
        media_type: One of ``ENCODABLE``.
        quality: 1 to 100 for lossy formats; those of ``LOSSLESS`` ignore it.

    Raises:
        AssetError: ``asset.not-pixels`` for anything but pixels, ``asset.unsupported`` for another media type or
            quality, ``asset.too-large`` for a size that the format cannot hold.
    """
    if not is_pixels(pixels):
        raise AssetError("what is to be encoded is not an (H, W, 3) uint8 array", code="asset.not-pixels")
    if media_type not in _SAVE_OPTIONS or quality not in QUALITIES:
        raise AssetError(
            f"cannot encode {media_type} at quality {quality}",
            code="asset.unsupported",
            hint=f"Media types: {', '.join(sorted(ENCODABLE))}; quality is 1 to 100.",
        )
    name, options = _SAVE_OPTIONS[media_type]
    extra = {} if media_type in LOSSLESS else {"quality": quality}
    buffer = io.BytesIO()
    try:
        Image.fromarray(pixels).save(buffer, format=name, **options, **extra)
    except (OSError, ValueError, MemoryError) as error:
        height, width, _ = pixels.shape
        raise AssetError(
            f"a picture of {width}x{height} pixels cannot be written as {media_type}",
            code="asset.too-large",
            hint="JPEG holds 65535 pixels a side, WebP 16383; PNG holds any size.",
        ) from error
    return buffer.getvalue()


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return ``pixels`` at another size, by Lanczos; a copy where the size is the same.

    Raises:
        AssetError: ``asset.not-pixels`` for anything but pixels.
    """
    if not is_pixels(pixels):
        raise AssetError("what is to be scaled is not an (H, W, 3) uint8 array", code="asset.not-pixels")
    if pixels.shape[:2] == (height, width):
        return pixels.copy()
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS), dtype=np.uint8)


def _ftyp_brands(data: bytes) -> set[bytes]:
    """Return the major and compatible brands of an ISO base media file (ISO/IEC 14496-12, 4.3)."""
    size = min(int.from_bytes(data[:4], "big"), len(data), 256)
    return {data[8:12], *(data[at : at + 4] for at in range(16, size - 3, 4))}


def _open(data: bytes) -> ImageFile:
    """Read the header, no pixels."""
    media_type = sniff(data)
    if media_type is None:
        raise AssetError(
            "not a picture in a format we know",
            code="asset.not-an-image",
            hint="PNG, JPEG, WebP, AVIF, TIFF and GIF are recognised by their first bytes.",
        )
    module, reader = _READERS[media_type]
    with _translated(f"the {media_type} file"):
        opener: Any = getattr(import_module(module), reader)
        image: ImageFile = opener(io.BytesIO(data))
        if min(image.size) < 1:
            raise ValueError("empty picture")
    return image


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turn whatever a parser fed with hostile bytes raises into ``AssetError``."""
    try:
        yield
    except AssetError:
        raise
    except MemoryError as error:
        raise AssetError(f"{what} does not fit into memory", code="asset.too-large") from error
    except Exception as error:
        raise AssetError(
            f"{what} is cut off or damaged: it begins like a picture but does not decode to the end",
            code="asset.truncated",
            hint="Fetch the file again; a half-finished download looks like this.",
        ) from error


def _to_pixels(image: Image.Image) -> Pixels:
    """Turn a loaded image of any mode into upright sRGB."""
    orientation = _orientation(image)
    flat = _to_rgb(_on_white(_to_eight_bits(image)), image.info.get("icc_profile"))
    return np.array(_upright(flat, orientation), dtype=np.uint8)


def _to_eight_bits(image: Image.Image) -> Image.Image:
    if image.mode in {"I", "F"}:
        raise AssetError(
            f"{image.format} with 32-bit samples: the file does not say which value is white",
            code="asset.unsupported",
            hint="Convert it to 8 or 16 bits per channel.",
        )
    if image.mode.startswith("I;16"):
        # Pillow clips at 255 when it converts; the upper byte is the picture.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image


def _on_white(image: Image.Image) -> Image.Image:
    """Drop alpha by compositing on white; images without it pass through."""
    if not image.has_transparency_data:
        return image
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    # Gray stays gray: its ICC profile, if any, is one for gray.
    return Image.alpha_composite(white, rgba).convert("L" if image.mode in {"LA", "La"} else "RGB")


def _to_rgb(image: Image.Image, profile: object) -> Image.Image:
    if isinstance(profile, bytes) and profile:
        converted = _through_profile(image, profile)
        if converted is not None:
            return converted
    return image.convert("RGB")


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Return the image in sRGB, or None when the profile is broken or made for other channels."""
    from PIL import ImageCms  # loads LittleCMS; most files have no profile

    if image.mode in {"1", "P", "PA"}:
        image = image.convert("RGB")
    try:
        source = ImageCms.getOpenProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 where there is none or the EXIF block is damaged."""
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # noqa: BLE001 - metadata from outside; the pixels are what counts here
        return 1
    return value if isinstance(value, int) else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    method = _TRANSPOSE.get(orientation)
    return image if method is None else image.transpose(method)
