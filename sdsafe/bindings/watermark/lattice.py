"""The built-in watermarker: a keyed, blind, invisible mark with a bounded false-positive rate, and no weights.

How it works, in the order of the modules: `keys` (what is secret), `framing` and `code` (64 bits become 416), `carrier`
(416 bits become a spectrum), `frame`, `mask` and `embedding` (a spectrum becomes pixels, where they hide it),
`strength` (how much), `template`, `search` and `refining` (finding it again), `folding` and `detection` (reading it),
`statistics` (what a reading is worth). It is described, measured and its limits are stated in
``docs/concepts/watermark.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from sdsafe.bindings.watermark import embedding, frame, keys, statistics, strength
from sdsafe.bindings.watermark.carrier import Carrier
from sdsafe.bindings.watermark.detection import Reader, Reading
from sdsafe.bindings.watermark.framing import PAYLOAD_BITS, PAYLOAD_BYTES, Framing
from sdsafe.bindings.watermark.search import Searcher
from sdsafe.core.pixels import is_pixels
from sdsafe.core.softbinding import Detection
from sdsafe.errors import PluginError, WatermarkError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sdsafe.bindings.watermark.strength import Written
    from sdsafe.core.pixels import Pixels
    from sdsafe.core.places import Places

__all__ = ["LatticeWatermarker"]

_LEAST_SIDE = 256
_READABLE_SIDE = 64
_MOST_ASPECT = 16
_QUALITIES = ("standard", "robust")
_LEAST_DB = 34.0
_RESCUE_DB = (41.0, 39.0, 37.0, 35.0)


class _Codec:
    """Everything that is derived from one key."""

    def __init__(self, key: bytes, allowed: int) -> None:
        self.keys = keys.KeySchedule(key)
        self.framing = Framing(self.keys)
        self.carrier = Carrier(self.keys)
        self.reader = Reader(self.carrier, self.framing, Searcher(self.carrier), allowed)


class LatticeWatermarker:
    """The asset id in a keyed lattice mark. Deterministic: picture, payload and key determine every pixel."""

    def __init__(
        self, key: bytes, *, quality: str = "robust", false_positive_rate: float = statistics.DEFAULT_RATE
    ) -> None:
        """Mark and read with ``key``.

        Args:
            key: 32 secret bytes; whoever has them can read and forge.
            quality: ``standard`` writes in one pass; ``robust`` attacks its own result and strengthens what fails.
            false_positive_rate: Bound per unmarked picture, over everything that is tried.

        Raises:
            PluginError: An option has a value that it cannot have.
        """
        if quality not in _QUALITIES:
            raise PluginError(f"lattice: quality is one of {', '.join(_QUALITIES)}, not {quality!r}")
        if not 0 < false_positive_rate < 1 or statistics.allowance(false_positive_rate) < 1:
            raise PluginError(
                f"lattice: a false-positive rate of {false_positive_rate} cannot be kept",
                hint="The least that 32 check bits can keep is 2.4e-10, the default is 1e-6.",
            )
        self._quality = quality
        self._rate = false_positive_rate
        self._key: bytes | None = key
        self._made_at: Path | None = None
        self._parts: _Codec | None = None

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Take the key from the state folder, or from the option ``key_file``.

        In the state folder the first *embedding* makes one. Reading makes nothing: an auditor's machine stays as it
        was, and says that it has no key.

        Raises:
            PluginError: An option is unknown or has the wrong type.
            WatermarkError: The named key cannot be read.
        """
        known: dict[str, type] = {"key_file": str, "quality": str, "false_positive_rate": float}
        for name, value in options.items():
            if not isinstance(value, known.get(name, ())):
                raise PluginError(f"lattice: option {name!r} is unknown or has the wrong type")
        named = options.get("key_file")
        quality, rate = options.get("quality", "robust"), options.get("false_positive_rate", statistics.DEFAULT_RATE)
        key = bytes(keys.KEY_BYTES) if named is None else keys.read_key(Path(str(named)).expanduser())
        made = cls(key, quality=str(quality), false_positive_rate=float(str(rate)))
        if named is None:
            made._key, made._made_at = None, places.state / keys.KEY_FILE
        return made

    @property
    def alg(self) -> str:
        """``org.sdsafe.lattice.1``; another code, carrier or framing would be another number."""
        return "org.sdsafe.lattice.1"

    @property
    def version(self) -> str:
        """Version of this implementation."""
        return "2"

    @property
    def capacity_bits(self) -> int:
        """64: the asset id; check bits and code are added inside."""
        return PAYLOAD_BITS

    @property
    def key_id(self) -> str:
        """Eight hexadecimal digits that name the key in a manifest; ``WatermarkError`` where there is none."""
        return self._codec(make=False).keys.key_id

    def embed(self, images: Sequence[Pixels], payloads: Sequence[bytes], /) -> list[Pixels]:
        """Return marked copies, each read back from the very pixels that are returned.

        Raises:
            WatermarkError: ``watermark.too-small`` below 256 pixels on the short side, ``watermark.unreadable`` when
                the mark does not read back at 34 dB or better, ``watermark.payload`` for a wrong number or length of
                payloads, ``watermark.not-pixels``.
        """
        if len(images) != len(payloads) or any(len(each) != PAYLOAD_BYTES for each in payloads):
            raise WatermarkError(
                f"{self.alg}: one payload of {PAYLOAD_BYTES} bytes is needed per image", code="watermark.payload"
            )
        return [self.write(image, bytes(each)).image for image, each in zip(images, payloads, strict=True)]

    def check_size(self, width: int, height: int, /) -> None:
        """Return if a picture of this size has room for the mark.

        Raises:
            WatermarkError: ``watermark.too-small``.
        """
        _require_size(height, width)

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
        """Return what each image carries; too small and unmarked images give no payload.

        ``p_value`` of a payload bounds the probability that an unmarked image gives one within as many attempts.
        """
        return [self._detection(self.examine(image)) for image in images]

    def examine(self, image: Pixels) -> Reading:
        """Return what was read from one image, and where; ``detect`` with everything that was learned.

        Raises:
            WatermarkError: ``watermark.no-key``: there is no key here to read with.
        """
        if not is_pixels(image) or min(image.shape[:2]) < _READABLE_SIDE:
            return Reading(None, 0, 0.0)
        return self._codec(make=False).reader.read(frame.luma(image))

    def write(self, image: Pixels, payload: bytes) -> Written:
        """Return one marked image with its quality, and what the closed loop found.

        Raises:
            WatermarkError: As `embed`.
        """
        _require_room(image)
        codec = self._codec(make=True)
        ready = embedding.prepare(image, payload, codec.carrier, codec.framing, codec.keys)
        if self._quality == "robust":
            written = strength.robust(image, ready, codec.carrier, codec.reader, payload)
        else:
            written = strength.Written(*strength.standard(image, ready, codec.carrier), (), ())
        for aim in (None, *_RESCUE_DB):
            if aim is not None:
                written = strength.Written(*strength.at_psnr(image, ready, codec.carrier, aim), (), ())
            if codec.reader.read(frame.luma(written.image), blind=False).payload == payload:
                quality = embedding.psnr(image, written.image)
                if quality >= _LEAST_DB:
                    return strength.Written(written.image, quality, written.passed, written.failed)
        raise WatermarkError(
            f"the watermark does not read back from this picture at {_LEAST_DB:.0f} dB or better",
            code="watermark.unreadable",
            hint="Try another seed or a larger size; pictures of pure black or white carry little.",
        )

    def _codec(self, *, make: bool) -> _Codec:
        """Return the parts, made once; the key is made by ``make`` where there is none yet."""
        if self._key is None and self._made_at is not None:
            if not make and not self._made_at.exists():
                raise WatermarkError(
                    "there is no watermark key on this machine, so no mark can be looked for",
                    code="watermark.no-key",
                    hint="Name the key with the option key_file; whoever marks pictures keeps it.",
                )
            self._key = keys.load_or_make(self._made_at)
        if self._parts is None:
            self._parts = _Codec(self._key or b"", statistics.allowance(self._rate))
        return self._parts

    def _detection(self, reading: Reading) -> Detection:
        if reading.payload is None:
            return Detection(payload=None, alg=self.alg)
        return Detection(
            payload=reading.payload,
            alg=self.alg,
            p_value=statistics.p_value(reading.messages),
            corrected=reading.corrected,
        )


def _require_room(image: Pixels) -> None:
    if not is_pixels(image):
        raise WatermarkError("what is to be marked is not an (H, W, 3) uint8 array", code="watermark.not-pixels")
    _require_size(*image.shape[:2])


def _require_size(height: int, width: int) -> None:
    if min(height, width) < _LEAST_SIDE:
        raise WatermarkError(
            f"a picture of {width}x{height} pixels is too small for this watermark",
            code="watermark.too-small",
            hint=f"It needs {_LEAST_SIDE} pixels on the short side: ask for a larger size.",
        )
    if max(height, width) > _MOST_ASPECT * min(height, width):
        raise WatermarkError(
            f"a picture of {width}x{height} pixels is too narrow for this watermark", code="watermark.too-small"
        )
