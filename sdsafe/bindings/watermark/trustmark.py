"""TrustMark, a listed watermark of Adobe, as a plug-in: the asset id in 100 bits that two networks write and read.

What is ours and what is theirs: the frame (`trustmark_frame`, bit for bit that of the package `trustmark` 0.9.2), the
way to the networks and back (`trustmark_pixels`), and when a reading counts are written afresh and tested. The networks
(`trustmark_networks`) are Adobe's and have to be pulled. **They were never run here**: they cannot be reached where
sdsafe is built. The tests run small networks with the same inputs and outputs.

The mark has no key: whoever has the networks can read it, write it and copy it. That is why a mark alone recovers no
manifest; the repository must know the id, and the fingerprint must agree. See ``docs/guides/trustmark.md``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from sdsafe.bindings.watermark import trustmark_frame as frame
from sdsafe.bindings.watermark import trustmark_weights as weights
from sdsafe.bindings.watermark.embedding import psnr
from sdsafe.bindings.watermark.statistics import DEFAULT_RATE
from sdsafe.bindings.watermark.trustmark_networks import Decoder, Encoder, NetworkFile
from sdsafe.bindings.watermark.trustmark_pixels import region, thumbnail, with_residual
from sdsafe.core.ids import ASSET_ID_BYTES
from sdsafe.core.pixels import is_pixels
from sdsafe.core.softbinding import Detection
from sdsafe.core.trustmark import VARIANTS
from sdsafe.errors import PluginError, WatermarkError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.places import Places

__all__ = ["TrustMarkWatermarker"]

_LEAST_SIDE: Final = 256
_READABLE_SIDE: Final = 64
_LEAST_DB: Final = 34.0
_STRONGER: Final = (1.0, 1.5, 2.0)  # what is tried until the mark reads back
_MOST_STRENGTH: Final = 4.0
_OWN_STRENGTH: Final = {"P": 1.25}  # the package multiplies that of P
_SIDES: Final = {"P": 224}  # of what the decoder is shown, where the file leaves it open
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_OPTIONS: Final[Mapping[str, tuple[type, ...]]] = {
    "variant": (str,),
    "folder": (str,),
    "encoder_sha256": (str,),
    "decoder_sha256": (str,),
    "strength": (int, float),
    "false_positive_rate": (int, float),
    "threads": (int,),
}


class TrustMarkWatermarker:
    """The asset id in TrustMark's schema BCH_4; networks, picture and payload determine every pixel."""

    def __init__(  # noqa: PLR0913 - one argument per option
        self,
        encoder: NetworkFile,
        decoder: NetworkFile,
        *,
        variant: str = "P",
        strength: float = 1.0,
        false_positive_rate: float = DEFAULT_RATE,
        threads: int = 0,
    ) -> None:
        """Note the networks; nothing is read yet. Reading needs the decoder alone.

        Args:
            encoder: What writes.
            decoder: What reads.
            variant: ``P``, ``Q`` or ``C``; says how pictures are cropped, and names the algorithm.
            strength: Of the mark; 1 is what TrustMark writes by itself.
            false_positive_rate: Share of unmarked pictures that may read, as `trustmark_frame` counts it. It decides
                how many bits are corrected: two at 1e-6, three at 1e-5, four at 1e-4.
            threads: Of one inference; 0 leaves it to onnxruntime.

        Raises:
            PluginError: An option has a value that it cannot have.
        """
        if variant not in VARIANTS:
            raise PluginError(
                f"trustmark: variant is one of {', '.join(VARIANTS)}, not {variant!r}",
                hint="Those stand on C2PA's list. P changes pictures least, Q survives more.",
            )
        if not 0 < strength <= _MOST_STRENGTH:
            raise PluginError(
                f"trustmark: strength lies between 0 and {_MOST_STRENGTH:g}, not {strength:g}",
                hint="1 is what TrustMark writes by itself; its authors use 0.8 to 1.5.",
            )
        allowed = frame.allowance(false_positive_rate) if 0 < false_positive_rate < 1 else None
        if allowed is None:
            raise PluginError(
                f"trustmark: a false-positive rate of {false_positive_rate} cannot be kept",
                hint=f"The least that its 36 spare bits can keep is {frame.p_value(0):.1e}, the default is 1e-6.",
            )
        self._variant = variant
        self._strength = strength * _OWN_STRENGTH.get(variant, 1.0)
        self._allowed = allowed
        self._encoder = Encoder(encoder, threads=threads)
        self._decoder = Decoder(decoder, threads=threads, side=_SIDES.get(variant, 256))

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Take the networks from the model cache, or from the option ``folder``, under their published names.

        Raises:
            PluginError: An option is unknown or has the wrong type, or a digest is missing that nobody has published.
        """
        for name, value in options.items():
            if not isinstance(value, _OPTIONS.get(name, ())) or isinstance(value, bool):
                raise PluginError(
                    f"trustmark: option {name!r} is unknown or has the wrong type",
                    hint=f"Known: {', '.join(_OPTIONS)}.",
                )
        variant = str(options.get("variant", "P"))
        named = options.get("folder")
        folder = weights.folder_of(places) if named is None else Path(str(named)).expanduser()
        known: Mapping[str, str] = {each.name: each.sha256 for each in weights.PUBLISHED.get(variant, ())}
        encoder, decoder = (
            NetworkFile(folder / name, _digest(options, f"{role}_sha256", known.get(name)))
            for role, name in (
                ("encoder", weights.encoder_name(variant)),
                ("decoder", weights.decoder_name(variant)),
            )
        )
        return cls(
            encoder,
            decoder,
            variant=variant,
            strength=float(str(options.get("strength", 1.0))),
            false_positive_rate=float(str(options.get("false_positive_rate", DEFAULT_RATE))),
            threads=int(str(options.get("threads", 0))),
        )

    @property
    def alg(self) -> str:
        """``com.adobe.trustmark.P`` and so on, as C2PA's list of soft-binding algorithms has it."""
        return f"com.adobe.trustmark.{self._variant}"

    @property
    def version(self) -> str:
        """Version of this implementation and the beginning of the SHA-256 of the network that reads."""
        return f"1+{self._decoder.sha256[:12]}"

    @property
    def capacity_bits(self) -> int:
        """64: the asset id; check, parity and schema are added inside."""
        return 8 * ASSET_ID_BYTES

    def embed(self, images: Sequence[Pixels], payloads: Sequence[bytes], /) -> list[Pixels]:
        """Return marked copies, each read back from the very pixels that are returned.

        Raises:
            WatermarkError: ``watermark.too-small`` below 256 pixels on the short side, ``watermark.unreadable`` when
                the mark does not read back at 34 dB or better, ``watermark.payload`` for a wrong number or length of
                payloads, ``watermark.not-pixels``.
            ConfigurationError: A network is missing, changed or not usable, or onnxruntime is not installed.
        """
        if len(images) != len(payloads) or any(len(each) != ASSET_ID_BYTES for each in payloads):
            raise WatermarkError(
                f"{self.alg}: one payload of {ASSET_ID_BYTES} bytes is needed per image", code="watermark.payload"
            )
        return [self._embedded(image, bytes(each)) for image, each in zip(images, payloads, strict=True)]

    def check_size(self, width: int, height: int, /) -> None:
        """Return if a picture of this size can be marked: it has room, and both networks are there and load.

        Raises:
            WatermarkError: ``watermark.too-small``.
            ConfigurationError: A network is missing, changed or not usable, which is better known before than after
                a picture was made.
        """
        if min(width, height) < _LEAST_SIDE:
            raise WatermarkError(
                f"a picture of {width}x{height} pixels is too small for this watermark",
                code="watermark.too-small",
                hint=f"It needs {_LEAST_SIDE} pixels on the short side: ask for a larger size.",
            )
        self._encoder.open()
        self._decoder.open()

    def check_legible(self, width: int, height: int, /) -> None:
        """Return if a mark can be looked for in a picture of this size.

        Raises:
            WatermarkError: ``watermark.too-small`` below 64 pixels on the short side.
        """
        if min(width, height) < _READABLE_SIDE:
            raise WatermarkError(
                f"a picture of {width}x{height} pixels is too small to look for a {self.alg} mark in",
                code="watermark.too-small",
                hint=f"It needs {_READABLE_SIDE} pixels on the short side.",
            )

    def detect(self, images: Sequence[Pixels], /) -> list[Detection]:
        """Return the payload of each image whose frame is near enough; too small and unmarked images give None.

        ``p_value`` is the share of random words that read with as few wrong bits; see `trustmark_frame` for what that
        says of a picture. A mark of somebody else's id reads one time of sixteen: the check of ours is four bits.

        Raises:
            ConfigurationError: The network is missing, changed or not usable, or onnxruntime is not installed.
        """
        return [self._detected(image) for image in images]

    def _detected(self, image: Pixels) -> Detection:
        if not is_pixels(image) or min(image.shape[:2]) < _READABLE_SIDE:
            return Detection(payload=None, alg=self.alg)
        found = frame.unpack(self._bits(image), self._allowed)
        if found is None:
            return Detection(payload=None, alg=self.alg)
        asset_id, wrong = found
        return Detection(payload=asset_id, alg=self.alg, p_value=frame.p_value(wrong), corrected=wrong)

    def _bits(self, image: Pixels) -> npt.NDArray[np.bool_]:
        part = region(*image.shape[:2], square=self._variant == "P")
        return self._decoder.bits(lambda side: thumbnail(image, part, side))

    def _embedded(self, image: Pixels, asset_id: bytes) -> Pixels:
        if not is_pixels(image):
            raise WatermarkError("what is to be marked is not an (H, W, 3) uint8 array", code="watermark.not-pixels")
        height, width = image.shape[:2]
        self.check_size(width, height)
        part = region(height, width, square=self._variant == "P")
        residual = self._encoder.residual(lambda side: thumbnail(image, part, side), frame.pack(asset_id))
        for stronger in _STRONGER:
            marked = with_residual(image, part, residual * (self._strength * stronger))
            if psnr(image, marked) < _LEAST_DB:
                break
            if self._detected(marked).payload == asset_id:
                return marked
        raise WatermarkError(
            f"the watermark does not read back from this picture at {_LEAST_DB:.0f} dB or better",
            code="watermark.unreadable",
            hint="Try another seed or a larger size; flat pictures of pure black or white carry little.",
        )


def _digest(options: Mapping[str, object], name: str, default: str | None) -> str:
    value = options.get(name, default)
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise PluginError(
            f"trustmark: option {name!r}: expected 64 lower-case hex digits, found {'nothing' if value is None else 'others'}",
            hint="`sha256sum FILE` prints them. Those of P and Q are known, and need not be given.",
        )
    return value
