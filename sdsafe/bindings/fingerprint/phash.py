"""ImageHash's perceptual hash with 256 bits: a fingerprint that survives recompression, resizing and tone changes.

The picture is reduced to 64x64 gray values; of its two-dimensional DCT the 16x16 lowest frequencies are compared with
their median. Measured on photographs: value edits (JPEG 30, WebP 50, resizing, blur, noise, gray, tone) move at most
7 % of the bits, the closest pair of different pictures differed in 40 %. Crops of more than a tenth, turns of more than
5 degrees and mirroring are not survived: what finds those is the watermark.

Source: github.com/JohannesBuchner/imagehash, ``phash`` (version 4.3.2, BSD-2-Clause).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sdsafe._internal.versions import version
from sdsafe.core.pixels import is_pixels
from sdsafe.errors import AssetError, PluginError

if TYPE_CHECKING:
    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels

__all__ = ["PhashFingerprinter"]

_SIDE = 16
_BITS = _SIDE * _SIDE
_REDUCED = 4 * _SIDE  # what ImageHash reduces to: hash_size times highfreq_factor

# A bit means something when its coefficient is further from the median than rounding to 8 bits could move it.
# Share of such bits: 0.80 to 1.00 on photographs and generated pictures, at most 0.25 on flat ones, plain
# gradients, checkerboards and nearly black or white noise.
_LEAST_DISTANCE = 1.0  # gray levels, in an orthonormal DCT; 3.4 times the standard deviation of rounding
_LEAST_SHARE = 0.5


class PhashFingerprinter:
    """The 256-bit perceptual hash, packed into 32 bytes, row by row, highest bit first."""

    @property
    def alg(self) -> str:
        """``imagehash.phash-16``: the library's function and its hash size."""
        return "imagehash.phash-16"

    @property
    def version(self) -> str:
        """Version of ImageHash."""
        return version("ImageHash")

    @property
    def threshold(self) -> float:
        """31 of 256 bits: nearly twice what value edits move, a third of what separates pictures."""
        return 31 / _BITS

    def compute(self, image: Pixels, /) -> bytes:
        """Return the 32 bytes of the hash.

        Raises:
            AssetError: ``asset.not-pixels``.
            PluginError: ImageHash or scipy is not installed.
        """
        hashed = _imagehash_of(_as_image(image))
        return np.packbits(hashed.ravel()).tobytes()

    def distance(self, a: bytes, b: bytes, /) -> float:
        """Return the share of bits that differ, 0 to 1; fingerprints of another length are as far as can be."""
        if len(a) != len(b) or 8 * len(a) != _BITS:
            return 1.0
        return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_count() / _BITS

    def discriminates(self, image: Pixels, /) -> bool:
        """Say whether at least half of the bits are decided by the picture rather than by rounding."""
        from scipy.fft import dctn  # 0.2 s of import; ImageHash needs scipy too

        reduced = _as_image(image).convert("L").resize((_REDUCED, _REDUCED), Image.Resampling.LANCZOS)
        low = dctn(np.asarray(reduced, dtype=np.float64), norm="ortho")[:_SIDE, :_SIDE]
        decided = np.abs(low - np.median(low)) > _LEAST_DISTANCE
        return bool(decided.mean() >= _LEAST_SHARE)


def _as_image(image: Pixels) -> Image.Image:
    if not is_pixels(image):
        raise AssetError("what is to be fingerprinted is not an (H, W, 3) uint8 array", code="asset.not-pixels")
    return Image.fromarray(image)


def _imagehash_of(image: Image.Image) -> npt.NDArray[np.bool_]:
    try:
        import imagehash  # with scipy, 0.2 s

        hashed: npt.NDArray[np.bool_] = imagehash.phash(image, hash_size=_SIDE).hash
    except ImportError as error:
        raise PluginError(
            f"the phash fingerprint cannot be computed: no module {error.name or 'imagehash'}",
            hint="ImageHash and scipy belong to the base install: pip install --force-reinstall ImageHash",
        ) from error
    return hashed
