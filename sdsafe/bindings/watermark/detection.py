"""Reading a mark: direct, then blind, with a bound on what all the attempts together may wrongly accept. Pure.

Wherever the lines are read, they are read as they are, and then as an average over a window would have left them.

Every message that any attempt hands to the keyed check counts. The detector stops when the count reaches the
*allowance* that the wanted false-positive rate leaves (`statistics`), whatever it was about to try.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sdsafe.bindings.watermark import averaging, channel, code, folding, frame
from sdsafe.bindings.watermark.refining import Blocks, grown, refined
from sdsafe.bindings.watermark.template import Found, direct, settled

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sdsafe.bindings.watermark.carrier import Carrier
    from sdsafe.bindings.watermark.framing import Framing
    from sdsafe.bindings.watermark.geometry import LatticeMap
    from sdsafe.bindings.watermark.search import Searcher

__all__ = ["Attempts", "Reader", "Reading"]

_LIST = 32
_DIRECT = 2
_BLIND = 6
_DIRECT_GATE = 4.5
_BLIND_GATE = 5.6
_REFINED_GATE = 6.3
_CERTAIN = 9.0  # so rarely seen without a mark that it is read before anything else is looked for
_TILTED = 2
_TILTED_GATE = 7.5
_OCTAVES = (1, 2)
_LIST_GATE = 5.0
_AVERAGED = 3
_LEARNED = 12
_AVERAGED_GATE = 6.5
_NORMAL = (0.8, 1.25)  # scales at which the front end's filters fit the mark as they are


@dataclass(slots=True)
class Attempts:
    """What was tried on one picture."""

    allowance: int
    """How many messages may be looked at."""
    messages: int = 0
    peak: float = 0.0
    """Largest template correlation seen anywhere."""

    @property
    def left(self) -> int:
        """How many messages may still be looked at."""
        return max(0, self.allowance - self.messages)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What was read from one picture."""

    payload: bytes | None
    messages: int
    """How many messages were held against the check, the accepted one included."""
    peak: float
    """Largest correlation with the template, in standard deviations at one place."""
    corrected: int | None = None
    where: LatticeMap | None = field(default=None)
    stage: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A place where the search found the template, refined."""

    blocks: Blocks
    found: Found
    zoom: float
    """How much larger the frame is than what was searched."""


class Reader:
    """Reads the marks of one key."""

    def __init__(self, carrier: Carrier, framing: Framing, searcher: Searcher, allowance: int) -> None:
        """Put the parts together; at most ``allowance`` messages are looked at per picture."""
        self._carrier = carrier
        self._framing = framing
        self._searcher = searcher
        self._allowance = allowance
        self._fading = channel.fading(carrier)

    def read(self, plane: npt.NDArray[np.float32], *, blind: bool = True) -> Reading:
        """Read a luma plane of any size; without ``blind`` only in the framing it was marked in."""
        tried = Attempts(self._allowance)
        small = frame.canonical(plane)
        seen, _ = frame.front_end(small)
        return (
            self._direct(seen, tried)
            or (self._blind(small, seen, tried) if blind else None)
            or Reading(None, tried.messages, tried.peak)
        )

    def read_along(self, plane: npt.NDArray[np.float32], where: LatticeMap, *, adjust: bool = True) -> Reading:
        """Read a canonical frame along a map that is known, with ``adjust`` up to small errors."""
        tried = Attempts(self._allowance)
        if adjust:
            seen, _ = frame.front_end(plane)
            best = refined(Blocks(seen, self._carrier, where), where)
            where, tried.peak = best.where, best.z
        return self._along(plane, where, tried, "given") or Reading(None, tried.messages, tried.peak)

    def _direct(self, seen: npt.NDArray[np.float32], tried: Attempts) -> Reading | None:
        framings = direct(seen, self._carrier)
        tried.peak = framings[0][0].z
        for found, folded in framings[:_DIRECT]:
            if found.z < _DIRECT_GATE:
                break
            reading = self._lines(folded, found.where, tried, "direct")
            if reading:
                return reading
        return self._averaged([(folded, found.where) for found, folded in framings], tried, "direct")

    def _blind(self, small: npt.NDArray[np.float32], seen: npt.NDArray[np.float32], tried: Attempts) -> Reading | None:
        """Search at the frame's size, then at half of it: of a crop the mark is large, and so must the filters be."""
        places: list[_Place] = []
        for part in _OCTAVES:
            if part > 1:
                half = frame.resampled(small, (small.shape[0] // part, small.shape[1] // part))
                seen, _ = frame.front_end(half)
            for candidate in self._searcher.candidates(seen, _BLIND):
                if candidate.z < _BLIND_GATE:
                    break
                blocks = Blocks(seen, self._carrier, candidate.where)
                places.append(_Place(blocks, refined(blocks, candidate.where), small.shape[0] / seen.shape[0]))
            places.sort(key=lambda each: -each.found.z)
            reading = self._at(small, [each for each in places[:1] if each.found.z > _CERTAIN], tried)
            if reading:
                return reading
        likely = [each for each in places[:_BLIND] if each.found.z > _REFINED_GATE]
        return self._at(small, likely, tried) or self._tilted(small, places[:_TILTED], tried)

    def _at(self, small: npt.NDArray[np.float32], places: list[_Place], tried: Attempts) -> Reading | None:
        for place in places:
            tried.peak = max(tried.peak, place.found.z)
            reading = self._along(small, place.found.where.zoomed(place.zoom), tried, "blind")
            if reading:
                return reading
        return None

    def _tilted(self, small: npt.NDArray[np.float32], places: list[_Place], tried: Attempts) -> Reading | None:
        """Try the best places again as parts of a picture in perspective."""
        for place in places:
            found = grown(place.blocks, place.blocks.first)
            if found.z > max(place.found.z, _TILTED_GATE):
                tried.peak = max(tried.peak, found.z)
                reading = self._along(small, found.where.zoomed(place.zoom), tried, "tilted")
                if reading:
                    return reading
        return None

    def _along(self, small: npt.NDArray[np.float32], where: LatticeMap, tried: Attempts, stage: str) -> Reading | None:
        """Read along a map: resample so that the mark has its own size, look again, fold."""
        scale = where.period() / self._carrier.period
        if not _NORMAL[0] < scale < _NORMAL[1]:
            shape = (round(small.shape[0] / scale), round(small.shape[1] / scale))
            where = where.zoomed(shape[0] / small.shape[0])
            small = frame.resampled(small, shape)
        seen, _ = frame.front_end(small)
        folded = folding.fold(seen, where)
        flat = where.shifted(-where.shift)
        return self._lines(folded, flat, tried, stage) or self._averaged([(folded, flat)], tried, stage)

    def _lines(self, folded: folding.Folded, where: LatticeMap, tried: Attempts, stage: str) -> Reading | None:
        """Decode the lines of a fold whose shift is ``where.shift``, nearly."""
        values, noise = folded.lines(self._carrier.index)
        gain, shapes = self._fading
        shift = settled(self._carrier, values * gain, noise, where.shift)
        came = channel.learned(self._carrier, channel.heard(self._carrier, values, noise, shift), gain, shapes)
        return self._decoded(came, where, tried, stage, listed=tried.peak > _LIST_GATE)

    def _averaged(self, places: list[tuple[folding.Folded, LatticeMap]], tried: Attempts, stage: str) -> Reading | None:
        """Decode folds of unknown shift as if the picture had been averaged, where that fits best."""
        found = [
            each
            for folded, where in places
            for each in averaging.likely(self._carrier, *folded.lines(self._carrier.index), where, _AVERAGED_GATE)
        ]
        found.sort(key=lambda each: -each.z)
        learned = [(averaging.learned(self._carrier, each), each) for each in found[:_LEARNED]]
        learned.sort(key=lambda each: -each[0].fit)
        for came, each in learned[:_AVERAGED]:
            tried.peak = max(tried.peak, each.z)
            reading = self._decoded(came, each.where, tried, f"{stage}, averaged", listed=True)
            if reading:
                return reading
        return None

    def _decoded(
        self, came: channel.Channel, where: LatticeMap, tried: Attempts, stage: str, *, listed: bool
    ) -> Reading | None:
        """Decode what came through a channel; with ``listed`` also what is nearly as likely as the likeliest message."""
        soft = self._carrier.soft(came.combined)
        payload = self._recognised([code.decode(soft)], tried)
        if payload is None and listed:
            payload = self._recognised(code.decode_list(soft, _LIST)[1:], tried)
        if payload is None:
            return None
        return Reading(payload, tried.messages, tried.peak, self._framing.corrected(payload, soft), where, stage)

    def _recognised(self, messages: list[npt.NDArray[np.uint8]], tried: Attempts) -> bytes | None:
        looked, payload = self._framing.recognised(messages[: tried.left])
        tried.messages += looked
        return payload
