"""Measures the signal of a sound: silence, clipping, offset, and how much of the asked length is missing.

It says whether there is a sound at all and whether it is whole. It says nothing about what is heard: speech, music,
whose voice or whose song it is, no check that ships with sdsafe can tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt

    from sdsafe.core.sound import Samples, Sound
    from sdsafe.core.states import Generated

__all__ = ["CATEGORIES", "SoundSignalCheck"]

CATEGORIES: Mapping[str, str] = {
    "sound_silence": "share of the pieces of 20 ms in which every channel is quieter than -60 dB of full scale",
    "sound_clipping": "share of the samples that lie at full scale, where louder ones were cut off",
    "sound_offset": "how far the middle of the most displaced channel lies from zero; 1 is full scale",
    "sound_shortfall": "share of the asked length that is missing",
}
"""What is scored, and what each score from 0 to 1 means."""

_FULL = 32767
_QUIET = _FULL * 10 ** (-60 / 20)
_PIECE_S = 0.02


class SoundSignalCheck:
    """Scores the four ``CATEGORIES``, by arithmetic on the samples: no weights, no thresholds of its own."""

    name = "sound-signal"
    version = "1"

    def check(self, generated: Generated, /) -> Iterable[Finding]:
        """Return one scored finding for each category.

        Raises:
            Unavailable: There is no sound, or nothing of it is left.
        """
        sound, asked = generated.sound, generated.admitted.request.seconds
        if sound is None or not len(sound.samples):
            raise Unavailable(f"{self.name} looks at sounds only")
        scores = {
            "sound_silence": _silence(sound),
            "sound_clipping": float(np.mean((sound.samples >= _FULL) | (sound.samples <= -_FULL))),
            "sound_offset": float(np.abs(_middle(sound.samples)).max()) / (_FULL + 1),
            "sound_shortfall": max(0.0, 1 - sound.seconds / asked) if asked else 0.0,
        }
        for category, score in scores.items():
            yield Finding(
                code=f"output.{category.replace('_', '-')}",
                severity=Severity.INFORMATIONAL,
                stage=Stage.OUTPUT,
                source=self.name,
                source_version=self.version,
                category=category,
                score=score,
                explanation=CATEGORIES[category],
            )


def _middle(samples: Samples) -> npt.NDArray[np.float64]:
    middle: npt.NDArray[np.float64] = np.mean(samples, axis=0, dtype=np.float64)
    return middle


def _silence(sound: Sound) -> float:
    """Return the share of quiet pieces; a channel that stands still away from zero is as silent as one at zero."""
    length = max(1, round(sound.rate * _PIECE_S))
    starts = np.arange(0, len(sound.samples), length)
    sizes = np.diff(np.append(starts, len(sound.samples)))
    loud = np.zeros(len(starts), np.bool_)
    for channel, middle in zip(sound.samples.T, _middle(sound.samples), strict=True):
        power = np.add.reduceat((channel - middle) ** 2, starts) / sizes
        loud |= power > _QUIET**2
    return float(1 - loud.mean())
