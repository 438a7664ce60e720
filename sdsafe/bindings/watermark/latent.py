"""A mark in the initial noise of a diffusion model: nothing is added to the picture, it is only drawn from other noise.

Gaussian shading (Yang et al., "Gaussian Shading: Provable Performance-Lossless Image Watermarking for Diffusion Models",
CVPR 2024, arXiv 2404.04956) with one bit per number: the sign of each number of the noise is a message bit enciphered
with a stream cipher, its magnitude is drawn from the half-normal distribution. Enciphered bits are uniform, so the
numbers are independent and standard normal, and so are the pictures that a model makes of them: for whoever has no
key, one picture says nothing about whether it is marked.

A keyed permutation parts the numbers into two halves.

- The **locator** carries the id's 416 code bits over and over, under a key stream that is the same for all ids, so that it
  can be read *blind*. The price: over very many noises of one key (not over one) its repetition could be noticed by
  somebody who inverts them exactly. ``blind=False`` leaves the locator out.
- The **witness** is pure key stream, with the id as its nonce. Nobody knows it who does not have key and id, and it differs
  for every id; it is what a *candidate* id is matched against: not by its signs alone, for the magnitudes follow from the
  id, too. Its scalar product with whatever was recovered, divided by the length of that, is standard normal for every
  other id, exactly and whatever was recovered. Against signs alone this needs two fifths of the numbers.

The stream cipher is HMAC-SHA256 in counter mode (`keys.KeyStream`). Everything is a function of key, id and shape, so a
replay finds the same noise. Reading needs the noise back, which a caller gets by inverting the model (DDIM inversion).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import special

from sdsafe.bindings.watermark import code, keys, statistics
from sdsafe.bindings.watermark.framing import CODE_BITS, PAYLOAD_BYTES, Framing
from sdsafe.bindings.watermark.keys import KEY_BYTES, KeySchedule
from sdsafe.core.softbinding import Detection, NoiseMatch
from sdsafe.errors import PluginError, WatermarkError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from sdsafe.core.places import Places

__all__ = ["LatentMarker"]

_LIST = 8
_LEAST = 2 * CODE_BITS  # numbers: each code bit once in the locator


class LatentMarker:
    """Draws and reads noises under one key: the noise marker ``gaussian-shading``."""

    def __init__(self, key: bytes, *, blind: bool = True) -> None:
        """Derive from the watermark key; marks in pixels and in noise share no secret beyond it.

        Args:
            key: At least 32 secret bytes.
            blind: Give half of the numbers to the locator; without it only `match` reads.
        """
        self._secret: Path | KeySchedule = KeySchedule(key)
        self._blind = blind
        self._derived: tuple[KeySchedule, Framing] | None = None

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Take the key of the pixel mark from the state folder, or from the option ``key_file``.

        In the state folder the first *drawing* makes one where there is none; reading makes nothing.

        Raises:
            PluginError: An option is unknown or has the wrong type.
            WatermarkError: The named key cannot be read.
        """
        known: dict[str, type] = {"key_file": str, "blind": bool}
        for name, value in options.items():
            if not isinstance(value, known.get(name, ())):
                raise PluginError(f"gaussian-shading: option {name!r} is unknown or has the wrong type")
        named, blind = options.get("key_file"), bool(options.get("blind", True))
        if named is not None:
            return cls(keys.read_key(Path(str(named)).expanduser()), blind=blind)
        made = cls(bytes(KEY_BYTES), blind=blind)
        made._secret = places.state / keys.KEY_FILE
        return made

    @property
    def key_id(self) -> str:
        """Eight hexadecimal digits that name the key; ``WatermarkError`` where there is none."""
        return self._named(make=False).key_id

    @property
    def alg(self) -> str:
        """``org.sdsafe.latent.1``."""
        return "org.sdsafe.latent.1"

    @property
    def version(self) -> str:
        """Version of this implementation."""
        return "1"

    def noise(self, asset_id: bytes, shape: tuple[int, ...], /) -> npt.NDArray[np.float32]:
        """Return the standard normal noise of this id, of any shape with at least 832 numbers.

        Raises:
            WatermarkError: ``watermark.too-small``, or ``watermark.payload`` for an id that has not 8 bytes.
        """
        if len(asset_id) != PAYLOAD_BYTES:
            raise WatermarkError(f"{self.alg}: the id has {PAYLOAD_BYTES} bytes", code="watermark.payload")
        count = math.prod(shape)
        if count < _LEAST:
            raise WatermarkError(
                f"a noise of {count} numbers is too small for this mark, which needs {_LEAST}",
                code="watermark.too-small",
                hint="Ask for a larger size.",
            )
        _, framing = self._parts(make=True)
        locator, witness = self._halves(count)
        signs = np.empty(count, np.float64)
        signs[witness] = self._witness(asset_id, len(witness))
        bits = np.resize(framing.encoded(asset_id), len(locator))
        signs[locator] = (1 - 2.0 * bits) * self._locator(len(locator))
        return np.asarray((signs * self._magnitudes(asset_id, count)).reshape(shape), np.float32)

    def read(self, noise: npt.NDArray[np.float32], /) -> Detection:
        """Return the id in a recovered noise, blind; ``p_value`` bounds how often an unmarked one gives one.

        Raises:
            WatermarkError: ``watermark.no-key``: there is no key here to read with.
        """
        _, framing = self._parts(make=False)
        values = _finite(noise)
        locator, _ = self._halves(len(values))
        if len(locator) < CODE_BITS:
            return Detection(payload=None, alg=self.alg)
        votes = values[locator] * self._locator(len(locator))
        soft = np.bincount(np.arange(len(votes)) % CODE_BITS, votes, CODE_BITS).astype(np.float32)
        looked, payload = framing.recognised(code.decode_list(soft, _LIST))
        if payload is None:
            return Detection(payload=None, alg=self.alg)
        corrected = framing.corrected(payload, soft)
        return Detection(payload=payload, alg=self.alg, p_value=statistics.p_value(looked), corrected=corrected)

    def match(self, noise: npt.NDArray[np.float32], asset_id: bytes, /) -> NoiseMatch:
        """Return how well a recovered noise fits a candidate id, by the witness alone.

        The locator is left out: its repetition would make different ids of one key less independent than the
        p-value says.

        Raises:
            WatermarkError: ``watermark.no-key``: there is no key here to read with.
        """
        self._parts(make=False)
        values = _finite(noise)
        _, witness = self._halves(len(values))
        seen = values[witness]
        drawn = self._witness(asset_id, len(witness)) * self._magnitudes(asset_id, len(values))[witness]
        length = float(np.linalg.norm(seen))
        score = float(seen @ drawn) / length if length else 0.0
        agreeing = int(np.count_nonzero(seen * drawn > 0))
        return NoiseMatch(agreeing=agreeing, compared=len(witness), score=score, p_value=float(special.ndtr(-score)))

    def _named(self, *, make: bool) -> KeySchedule:
        """Return the schedule of the key itself; it is made by ``make`` where there is none yet."""
        if isinstance(self._secret, Path):
            if not make and not self._secret.exists():
                raise WatermarkError(
                    "there is no watermark key on this machine, so no mark can be looked for",
                    code="watermark.no-key",
                    hint="Name the key with the option key_file; whoever marks pictures keeps it.",
                )
            self._secret = KeySchedule(keys.load_or_make(self._secret))
        return self._secret

    def _parts(self, *, make: bool) -> tuple[KeySchedule, Framing]:
        """Return what is derived from the key, for this mark alone."""
        if self._derived is None:
            own = KeySchedule(self._named(make=make).expand(b"latent", KEY_BYTES))
            self._derived = own, Framing(own)
        return self._derived

    @property
    def _keys(self) -> KeySchedule:
        return self._parts(make=True)[0]

    def _magnitudes(self, asset_id: bytes, count: int) -> npt.NDArray[np.float64]:
        """Return absolute values of standard normal numbers."""
        even = self._keys.stream(b"magnitude", asset_id).uniform(count)
        return np.asarray(-special.ndtri((1 - even) / 2), np.float64)  # in this form the largest is finite: 8.2

    def _halves(self, count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        order = self._keys.stream(b"halves", count.to_bytes(8, "big")).permutation(count)
        middle = count // 2 if self._blind else 0
        return order[:middle], order[middle:]

    def _locator(self, count: int) -> npt.NDArray[np.float64]:
        return _signs(self._keys, b"locator", b"", count)

    def _witness(self, asset_id: bytes, count: int) -> npt.NDArray[np.float64]:
        return _signs(self._keys, b"witness", asset_id, count)


def _signs(keys: KeySchedule, label: bytes, nonce: bytes, count: int) -> npt.NDArray[np.float64]:
    """Return ``count`` bits of a key stream as -1 and 1."""
    words = keys.stream(label, nonce).words(-(-count // 64)).astype(">u8")
    return np.asarray(1.0 - 2.0 * np.unpackbits(words.view(np.uint8))[:count], np.float64)


def _finite(noise: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the numbers in a row; what an inversion left undefined says nothing and becomes 0."""
    return np.nan_to_num(np.asarray(noise, np.float64).ravel(), nan=0.0, posinf=0.0, neginf=0.0)
