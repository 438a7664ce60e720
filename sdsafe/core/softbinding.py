"""Soft bindings: what leads back to a manifest after the file was stripped of it."""

from __future__ import annotations

from base64 import b32encode
from dataclasses import dataclass
from enum import StrEnum

from sdsafe.core import trustmark

__all__ = ["ISCC", "BindingKind", "Detection", "NoiseMatch", "SoftBinding", "listed_value"]

ISCC = "io.iscc.v0"
"""The one fingerprint here that stands on C2PA's list of soft-binding algorithms; of the marks, TrustMark does."""


class BindingKind(StrEnum):
    """The two kinds of soft binding of C2PA 2.x, section 9.3."""

    WATERMARK = "watermark"
    FINGERPRINT = "fingerprint"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftBinding:
    """An algorithm and the value it found or wrote."""

    alg: str
    value: bytes
    kind: BindingKind


def listed_value(binding: SoftBinding) -> str | None:
    """Return the value of a binding as the owner of a listed algorithm writes it; None for all others.

    Only listed algorithms may stand in an assertion ``c2pa.soft-binding`` (C2PA 2.4, section 18.10).
    """
    if binding.kind is BindingKind.WATERMARK:
        return trustmark.value_of(binding.alg, binding.value)
    if binding.alg != ISCC:
        return None
    return "ISCC:" + b32encode(binding.value).decode("ascii").rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What a watermark detector says about one image.

    ``payload`` is None when no valid mark was read.
    ``p_value`` bounds the probability that an *unmarked* image gives a payload at all, over everything the
    detector tried; None where the scheme cannot state one.
    """

    payload: bytes | None
    alg: str
    p_value: float | None = None
    corrected: int | None = None
    """Symbols that error correction changed, where the scheme counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseMatch:
    """How well a recovered noise fits one candidate id."""

    agreeing: int
    """Signs that agree, among ``compared``; half of them do by chance."""
    compared: int
    score: float
    """How many standard deviations the noise lies nearer to that of the id than chance puts it."""
    p_value: float
    """Probability of that score, or a higher one, in a noise that was not drawn for this id.

    Whoever tries k candidates multiplies by k.
    """
