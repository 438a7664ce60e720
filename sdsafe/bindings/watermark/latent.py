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
  for every id; it is what a *candidate* id is matched against.

The stream cipher is HMAC-SHA256 in counter mode (`keys.KeyStream`). Everything is a function of key, id and shape, so a
replay finds the same noise. Reading needs the noise back, which a caller gets by inverting the model (DDIM inversion).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from sdsafe.bindings.watermark import code, statistics
from sdsafe.bindings.watermark.framing import CODE_BITS, PAYLOAD_BYTES, Framing
from sdsafe.bindings.watermark.keys import KEY_BYTES, KeySchedule
from sdsafe.core.softbinding import Detection
from sdsafe.errors import WatermarkError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["LatentMarker", "NoiseMatch"]

_LIST = 8
_LEAST = 2 * CODE_BITS  # numbers: each code bit once in the locator


@dataclass(frozen=True, slots=True)
class NoiseMatch:
    """How well a noise fits one candidate id."""

    agreeing: int
    """Signs of the witness that agree."""
    compared: int
    p_value: float
    """Probability that as many agree, or more, in a noise that was not drawn for this id: an exact binomial tail.

    Whoever tries k candidates multiplies by k.
    """


class LatentMarker:
    """Draws and reads noises under one key."""

    def __init__(self, key: bytes, *, blind: bool = True) -> None:
        """Derive from the watermark key; marks in pixels and in noise share no secret beyond it.

        Args:
            key: At least 32 secret bytes.
            blind: Give half of the numbers to the locator; without it only `match` reads.
        """
        self._keys = KeySchedule(KeySchedule(key).expand(b"latent", KEY_BYTES))
        self._framing = Framing(self._keys)
        self._blind = blind

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
        locator, witness = self._halves(count)
        signs = np.empty(count, np.float64)
        signs[witness] = self._witness(asset_id, len(witness))
        bits = np.resize(self._framing.encoded(asset_id), len(locator))
        signs[locator] = (1 - 2.0 * bits) * self._locator(len(locator))
        even = self._keys.stream(b"magnitude", asset_id).uniform(count)
        magnitude = -special.ndtri((1 - even) / 2)  # in this form the largest is finite: 8.2
        return np.asarray((signs * magnitude).reshape(shape), np.float32)

    def read(self, noise: npt.NDArray[np.float32], /) -> Detection:
        """Return the id in a recovered noise, blind; ``p_value`` bounds how often an unmarked one gives one."""
        values = _finite(noise)
        locator, _ = self._halves(len(values))
        if len(locator) < CODE_BITS:
            return Detection(payload=None, alg=self.alg)
        votes = values[locator] * self._locator(len(locator))
        soft = np.bincount(np.arange(len(votes)) % CODE_BITS, votes, CODE_BITS).astype(np.float32)
        looked, payload = self._framing.recognised(code.decode_list(soft, _LIST))
        if payload is None:
            return Detection(payload=None, alg=self.alg)
        corrected = self._framing.corrected(payload, soft)
        return Detection(payload=payload, alg=self.alg, p_value=statistics.p_value(looked), corrected=corrected)

    def match(self, noise: npt.NDArray[np.float32], asset_id: bytes, /) -> NoiseMatch:
        """Return how well a recovered noise fits a candidate id, by the signs of the witness alone.

        The locator is left out: its repetition would make agreement between different ids of one key less random
        than the binomial distribution says.
        """
        values = _finite(noise)
        _, witness = self._halves(len(values))
        agreeing = int(np.count_nonzero(values[witness] * self._witness(asset_id, len(witness)) > 0))
        p_value = float(special.bdtrc(agreeing - 1, len(witness), 0.5)) if agreeing else 1.0
        return NoiseMatch(agreeing, len(witness), p_value)

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
