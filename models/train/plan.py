"""What one sitting of training is asked to do."""

import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where to work, how long, how fast, and from what to start."""

    work: Path
    minutes: float
    rate: float
    batch: int
    warm: Path | None = None
    """Pipeline folder whose weights to start from where there is no checkpoint."""
    capacity: int = 100_000
    """Latents the store has room for."""
    jitter: float = 0.05
    """Noise added to latents while the decoder learns."""
    outer: int = 0
    """Outer levels of the autoencoder in use."""
    rank: int = 0
    ranks: int = 1
    began: float = field(default_factory=time.monotonic)

    def elapsed(self) -> float:
        """Return the seconds since this sitting began."""
        return time.monotonic() - self.began

    def left(self, elapsed: float) -> float:
        """Return the share of the sitting that is left, never negative."""
        return max(0.0, 1 - elapsed / (self.minutes * 60)) if self.minutes else 0.0
