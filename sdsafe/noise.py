"""Reading the mark in the noise of a picture: lead it back through the model, then ask whose noise that is.

The model has to be that which made the picture. Whose noise it is can be asked in two ways: of each candidate id, which
needs little of the noise, or blind, which needs much. Candidates are the id that the caller names, or that in the pixel
mark and those of the recorded assets that the picture looks like.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from sdsafe import api, plugins
from sdsafe._internal import images
from sdsafe.bindings.watermark.statistics import DEFAULT_RATE
from sdsafe.core.ids import ASSET_ID_BYTES, AssetId
from sdsafe.core.request import Size
from sdsafe.core.softbinding import BindingKind, SoftBinding
from sdsafe.errors import ConfigurationError, PluginError, RepositoryError, RequestError, WatermarkError
from sdsafe.protocols import Invertible
from sdsafe.records.repository.sqlite import SqliteRepository

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.softbinding import NoiseMatch
    from sdsafe.protocols import Generator, NoiseMarker
    from sdsafe.settings import Settings

__all__ = ["NoiseReading", "judge_noises", "read_noise_mark"]

_DEFAULT_MARKER = "gaussian-shading"
_MOST_CANDIDATES = 100
_SAME_SHAPE = 0.02  # relative difference of aspects that rounding to whole pixels leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseReading:
    """What was found out about the noise of a picture."""

    asset_id: AssetId | None
    """The id that it was drawn for; None when none is below the rate, which says nothing about the picture."""
    p_value: float
    """Bounds the probability that a picture without the mark is taken for one with it: over everything tried."""
    rate: float
    """What the p-value had to stay below."""
    match: NoiseMatch | None = None
    """How well the noise fits the likeliest id; None: there was no id to hold it against."""
    likeliest: AssetId | None = None
    """The id of ``match``, found or not."""
    blind: bool = False
    """Whether the id was read without a candidate."""
    candidates: int = 0
    sizes: tuple[Size, ...] = ()
    """At which the picture was led back."""
    mirrored: bool = False
    """Whether it was led back in a mirror, too: only where it told nothing as it was."""
    alg: str
    key_id: str


def read_noise_mark(
    pixels: Pixels,
    request: GenerationRequest,
    *,
    settings: Settings,
    asset_id: AssetId | None = None,
    rate: float = DEFAULT_RATE,
) -> NoiseReading:
    """Return whose noise a picture was made of, as far as it can be told.

    Args:
        pixels: The picture.
        request: The model that made it. Its prompt may be empty; what is open is chosen by the generator, a size that
            is open by the record of ``asset_id``, by the picture, and by the model.
        settings: Name the generator, the key, and the repository that candidates come from.
        asset_id: The only candidate; None: look for some.
        rate: False positives per picture without a mark.

    Raises:
        WatermarkError: ``watermark.no-key``.
        RequestError: The model cannot be run backwards, or the picture fits none of its sizes.
        GenerationError: It could not be run.
    """
    marker = _marker(settings)
    key_id = marker.key_id  # asked before anything is loaded: without a key there is nothing to do
    generator = api.open_generator(replace(settings, noise_marker=""))
    if not isinstance(generator, Invertible):
        raise PluginError(f"the generator {settings.generator!r} cannot lead pictures back to their noise")
    repository = SqliteRepository.open_existing(settings.places)
    candidates = (asset_id,) if asset_id else _candidates(pixels, repository, settings)
    sizes = _sizes(pixels, request, generator, _recorded_size(asset_id, repository))
    noises: list[npt.NDArray[np.float32]] = []
    planned = 2 * len(sizes)
    for mirrored in (False, True):
        for size in sizes:
            scaled = images.resize(pixels[:, ::-1] if mirrored else pixels, size.width, size.height)
            noises.append(generator.invert(scaled, replace(request, size=size)))
        found = judge_noises(noises, marker, candidates, rate=rate, blind=asset_id is None, planned=planned)
        if found.asset_id is not None:
            break
    return replace(found, sizes=sizes, mirrored=mirrored, key_id=key_id)


def judge_noises(  # noqa: PLR0913 - two of six say what else was or would be asked, which the p-value counts
    noises: Sequence[npt.NDArray[np.float32]],
    marker: NoiseMarker,
    candidates: Sequence[AssetId],
    *,
    rate: float = DEFAULT_RATE,
    blind: bool = True,
    planned: int = 0,
) -> NoiseReading:
    """Return whose noise the likeliest of several recovered noises is. Pure.

    The p-value is the smallest of all, times how many are asked for: a union bound.

    Args:
        noises: Of the same picture, led back in different ways.
        marker: Reads them.
        candidates: Ids that it may carry.
        rate: False positives per picture without a mark.
        blind: Look for an id that is no candidate, too.
        planned: How many noises would have been judged, had the first ones told nothing.
    """
    asked = max(1, max(planned, len(noises)) * (len(candidates) + blind))
    nothing = NoiseReading(
        asset_id=None, p_value=1.0, rate=rate, candidates=len(candidates), alg=marker.alg, key_id=marker.key_id
    )
    readings = [_told(nothing, marker, noise, each, asked) for noise in noises for each in candidates]
    for noise in noises if blind else ():
        read = marker.read(noise)
        if read.payload is not None and read.p_value is not None and len(read.payload) == ASSET_ID_BYTES:
            told = _told(nothing, marker, noise, AssetId(read.payload), asked)
            readings.append(replace(told, p_value=min(1.0, read.p_value * asked), blind=True))
    best = min(readings, key=lambda each: each.p_value, default=nothing)
    return replace(best, asset_id=best.likeliest if best.p_value <= rate else None)


def _told(
    nothing: NoiseReading, marker: NoiseMarker, noise: npt.NDArray[np.float32], asset_id: AssetId, asked: int
) -> NoiseReading:
    match = marker.match(noise, asset_id.value)
    return replace(nothing, p_value=min(1.0, match.p_value * asked), match=match, likeliest=asset_id)


def _marker(settings: Settings) -> NoiseMarker:
    name = settings.noise_marker or _DEFAULT_MARKER
    marker: NoiseMarker = plugins.load("sdsafe.noise_markers", name, settings.places, settings.options_for(name))
    return marker


def _candidates(pixels: Pixels, repository: SqliteRepository | None, settings: Settings) -> tuple[AssetId, ...]:
    """Return the id in the pixel mark, where one reads, and those of recorded assets that the picture looks like."""
    return tuple(dict.fromkeys((*_in_the_pixels(pixels, settings), *_neighbours(pixels, repository, settings))))


def _in_the_pixels(pixels: Pixels, settings: Settings) -> Iterator[AssetId]:
    try:
        marker = plugins.load(
            "sdsafe.watermarkers", settings.watermarker, settings.places, settings.options_for(settings.watermarker)
        )
        (found,) = marker.detect([pixels])
    except (ConfigurationError, WatermarkError):  # it is one way to a candidate; the noise is what was asked about
        return
    if found.payload is not None and len(found.payload) == ASSET_ID_BYTES:
        yield AssetId(found.payload)


def _neighbours(pixels: Pixels, repository: SqliteRepository | None, settings: Settings) -> Iterator[AssetId]:
    if repository is None:
        return
    for name in settings.fingerprinters:
        each = plugins.load("sdsafe.fingerprinters", name, settings.places, settings.options_for(name))
        binding = SoftBinding(alg=each.alg, value=each.compute(pixels), kind=BindingKind.FINGERPRINT)
        found = (stored.asset_id for stored in repository.find(binding, within=each.threshold))
        yield from islice(found, _MOST_CANDIDATES)


def _recorded_size(asset_id: AssetId | None, repository: SqliteRepository | None) -> Size | None:
    """Return the size at which an asset was made, where its record can be read."""
    if asset_id is None or repository is None:
        return None
    try:
        recorded = repository.opening(asset_id).parameters.get("size")
    except RepositoryError:
        return None
    return Size(width=int(recorded["width"]), height=int(recorded["height"])) if isinstance(recorded, dict) else None


def _sizes(pixels: Pixels, request: GenerationRequest, generator: Generator, recorded: Size | None) -> tuple[Size, ...]:
    """Return the sizes at which the picture may have been made.

    Raises:
        RequestError: ``request.size``: none is known that has its proportions.
    """
    if request.size is not None or recorded is not None:
        return tuple(each for each in (request.size or recorded,) if each)
    height, width = pixels.shape[:2]
    own, usual = Size(width=width, height=height), generator.resolve(replace(request, seed=0)).size
    sizes = [own] if _fits(own, request, generator) else []
    if usual is not None and usual != own and abs(usual.width * height / (usual.height * width) - 1) < _SAME_SHAPE:
        sizes.append(usual)
    if not sizes:
        raise RequestError(
            f"a picture of {own} was not made at its size by this model, and nobody says at which",
            code="request.size",
            hint="Name the size that it was generated at.",
        )
    return tuple(sizes)


def _fits(size: Size, request: GenerationRequest, generator: Generator) -> bool:
    try:
        generator.resolve(replace(request, seed=0, size=size))
    except RequestError as error:
        if error.code != "request.size":
            raise
        return False
    return True
