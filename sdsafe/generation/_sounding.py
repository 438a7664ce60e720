"""Runs a pipe that makes sounds, and brings what comes out of it into one shape."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sdsafe.core.sound import MAX_CHANNELS, Sound
from sdsafe.errors import GenerationError, RequestError
from sdsafe.generation._encoding import encoded_texts
from sdsafe.generation._libraries import torch
from sdsafe.generation._output import watch_for_overflow
from sdsafe.generation._pipes import call_names
from sdsafe.generation._placing import meter
from sdsafe.generation._scheduling import scheduler_of
from sdsafe.generation._stepping import callbacks
from sdsafe.generation._translating import translated
from sdsafe.generation.schedulers import config_digest
from sdsafe.generation.sound_families import sound_family_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from sdsafe.core.placement import MemoryPeak, Placement
    from sdsafe.core.sound import Samples
    from sdsafe.core.states import EncodedText
    from sdsafe.generation._noise import Drawn
    from sdsafe.generation._placing import Seats
    from sdsafe.generation.schedulers import SchedulerChoice

__all__ = ["Sounded", "samples_of", "sounder"]

_FULL = 32767  # of 16 bits; 1.0 and -1.0 lie equally far from zero


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sounded:
    """One sound and what was learnt while making it."""

    sound: Sound
    scheduler: str
    """Class name."""
    scheduler_digest: str
    encoded: tuple[EncodedText, ...]
    """What the text encoders read."""
    ms: float
    placement: Placement
    """What could really be set of what was wanted."""
    peak: MemoryPeak | None
    drawn: Drawn | None = None
    """Noise is drawn by the seed alone."""


def sounder(pipe: Any, seats: Seats, lock: threading.Lock) -> Callable[..., Sounded]:
    """Return what runs ``pipe``; it takes turns with whatever else holds ``lock``.

    Args:
        pipe: Of any kind; one that makes no sounds is refused when it is run.
        seats: Puts it where it runs.
        lock: One thread at a time.
    """
    own, overflow = pipe.scheduler, watch_for_overflow(pipe)

    def make(
        arguments: Mapping[str, Any],
        seed: int,
        choice: SchedulerChoice,
        step: Callable[[int, int], None],
        placement: Placement,
    ) -> Sounded:
        family = sound_family_of(type(pipe).__name__)
        seconds = arguments.get(family.length)
        if not isinstance(seconds, float):
            raise RequestError("the request is not resolved: seconds is open", code="request.seconds")
        with lock:
            started, peak = time.perf_counter(), meter(seats.device)
            seats.seat(pipe)
            arranged = seats.arrange(pipe, placement)
            overflow.clear()
            pipe.scheduler = scheduler = scheduler_of(own, choice)
            try:
                with translated("run", quiet=True):
                    encoded = encoded_texts(pipe, arguments)  # tokenizers, too, serve one thread at a time
                    component, key = family.rate
                    rate = int(getattr(getattr(pipe, component).config, key))  # of transformers no mapping
                    given = {**arguments, **_fixed(pipe, step)}
                    output = pipe(**given, generator=torch.Generator("cpu").manual_seed(seed))
            finally:
                pipe.scheduler = own
                pipe.maybe_free_model_hooks()
            samples = samples_of(
                getattr(output, "audios", None), longest=int(seconds * rate), overflowed=bool(overflow)
            )
            return Sounded(
                sound=Sound.of(samples, rate),
                scheduler=type(scheduler).__name__,
                scheduler_digest=config_digest(scheduler.config),
                encoded=encoded,
                ms=(time.perf_counter() - started) * 1000,
                placement=arranged,
                peak=peak(),
            )

    return make


def samples_of(audios: object, *, longest: int, overflowed: bool = False) -> Samples:
    """Return the one sound as 16-bit samples, (samples, channels); what is louder than full scale is cut off there.

    Args:
        audios: What a pipe gave: floating point, (1, channels, samples) or (1, samples).
        longest: More samples than these were not asked for.
        overflowed: Whether infinities were seen on the way.

    Raises:
        GenerationError: ``generation.no-sound`` or ``generation.not-finite``.
    """
    array = np.asarray(audios)
    if array.ndim == 2:  # noqa: PLR2004 - batch, samples: one channel
        array = array[:, None]
    whole = audios is not None and array.dtype.kind == "f" and array.ndim == 3 and len(array) == 1  # noqa: PLR2004 - batch, channel, sample
    if not whole or not array.size or array.shape[1] > MAX_CHANNELS:
        raise GenerationError("the model gave no single sound", code="generation.no-sound")
    if overflowed or not np.isfinite(array).all():
        raise GenerationError(
            "the model produced numbers that are not finite; there is no sound",
            code="generation.not-finite",
            hint="Half precision can overflow: set dtype to float32 (or bfloat16), or check the weights.",
        )
    cut = array[0].T[:longest].astype(np.float64)
    return np.ascontiguousarray(np.rint(np.clip(cut, -1, 1) * _FULL).astype(np.int16))


def _fixed(pipe: Any, step: Callable[[int, int], None]) -> dict[str, Any]:
    """Return the call arguments that no caller may choose."""
    accepted = call_names(pipe)
    fixed: dict[str, Any] = {"return_dict": True}
    fixed |= {name: 1 for name in ("num_waveforms_per_prompt", "batch_size") if name in accepted}
    if "output_type" in accepted:
        fixed["output_type"] = "np"
    return fixed | callbacks(accepted, step)
