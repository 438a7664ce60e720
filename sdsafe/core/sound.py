"""The one shape a sound has at every slot: 16-bit samples, and how many of them make a second."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field, replace
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["MAX_CHANNELS", "MAX_RATE", "Samples", "Sound", "sound_sha256"]

Samples: TypeAlias = npt.NDArray[np.int16]
"""``int16`` array of shape (samples, channels), linear PCM; left comes before right."""

MAX_CHANNELS = 8
MAX_RATE = 384_000
"""Hertz; the highest rate that converters are built for."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sound:
    """What was made, sample by sample. ``Sound.of`` makes one."""

    samples: Samples = field(repr=False)
    rate: int
    """Samples of each channel in a second."""
    sha256: str
    """See ``sound_sha256``; it stays when the samples are taken away."""

    @classmethod
    def of(cls, samples: Samples, rate: int) -> Self:
        """Return the sound of these samples.

        Raises:
            ValueError: They are not 16-bit samples of one to eight channels, there is none, or the rate is impossible.
        """
        shape = samples.shape
        if samples.dtype != np.int16 or samples.ndim != 2 or not shape[0] or not 1 <= shape[1] <= MAX_CHANNELS:  # noqa: PLR2004 - samples, channels
            msg = f"expected int16 samples of 1 to {MAX_CHANNELS} channels, found {samples.dtype} of shape {shape}"
            raise ValueError(msg)
        if not 1 <= rate <= MAX_RATE:
            msg = f"expected 1 to {MAX_RATE} samples a second, found {rate}"
            raise ValueError(msg)
        return cls(samples=samples, rate=rate, sha256=sound_sha256(samples, rate))

    @property
    def channels(self) -> int:
        """How many there are."""
        return int(self.samples.shape[1])

    @property
    def seconds(self) -> float:
        """How long it is; 0 when the samples were taken away."""
        return len(self.samples) / self.rate

    def emptied(self) -> Self:
        """Return it without its samples; rate, channels and digest stay."""
        return replace(self, samples=self.samples[:0].copy())


def sound_sha256(samples: Samples, rate: int) -> str:
    """Return the SHA-256 over rate (32 bits), channels (16 bits) and the interleaved samples, all little-endian.

    Anyone can repeat it: the samples are the bytes of the ``data`` chunk of the WAV file.
    """
    digest = hashlib.sha256(struct.pack("<IH", rate, samples.shape[1]))
    digest.update(np.ascontiguousarray(samples, dtype="<i2").data)
    return digest.hexdigest()
