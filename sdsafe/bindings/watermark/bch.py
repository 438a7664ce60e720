"""The BCH code of TrustMark's schema BCH_4: 68 data bits and 28 of parity, of which any four may be wrong. Pure.

It is the binary BCH code of length 127 with designed distance 9, over GF(2^7) with the primitive polynomial
x^7 + x^3 + 1 (137), systematic, shortened to 100 places (Lin and Costello, "Error Control Coding", chapter 6). TrustMark
fills its 68 data bits up to nine whole bytes, so that four of the 100 places are always zero and are not sent. A word
that could only be corrected there is no word of this code.

Words are integers of 96 bits: data, then parity, the first bit sent the most significant one.
"""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import Final

from sdsafe.core.trustmark import DATA_BITS

__all__ = ["CORRECTABLE", "PARITY_BITS", "WORD_BITS", "corrected", "encoded"]

CORRECTABLE: Final = 4
"""Wrong bits of a word that are found for certain; two words differ in nine places or more."""

PARITY_BITS: Final = 28
WORD_BITS: Final = DATA_BITS + PARITY_BITS
"""96."""

_POLYNOMIAL: Final = 137
_ORDER: Final = 127
_FILLING: Final = -DATA_BITS % 8  # places between data and parity that are always zero


def _powers() -> list[int]:
    """Return the powers of the primitive element, twice over, so that sums of two logarithms need no reduction."""
    powers = [1]
    while len(powers) < 2 * _ORDER:
        value = powers[-1] << 1
        powers.append(value ^ _POLYNOMIAL if value > _ORDER else value)
    return powers


_POWER: Final = _powers()
_LOGARITHM: Final = {value: exponent for exponent, value in enumerate(_POWER[:_ORDER])}


def _times(a: int, b: int) -> int:
    return _POWER[_LOGARITHM[a] + _LOGARITHM[b]] if a and b else 0


def _generator() -> int:
    """Return the polynomial whose roots are the powers 1, 3, 5 and 7 and their conjugates, as bits."""
    roots = {odd * 2**doubled % _ORDER for odd in range(1, 2 * CORRECTABLE, 2) for doubled in range(7)}
    coefficients = [1]
    for root in sorted(roots):
        shifted, scaled = [0, *coefficients], [*(_times(each, _POWER[root]) for each in coefficients), 0]
        coefficients = [a ^ b for a, b in zip(shifted, scaled, strict=True)]
    return sum(each << exponent for exponent, each in enumerate(coefficients))


_GENERATOR: Final = _generator()


def _places() -> tuple[tuple[int, ...], ...]:
    """Return what an error adds to each syndrome, for every bit of a word, the least significant first."""
    exponents = [place if place < PARITY_BITS else place + _FILLING for place in range(WORD_BITS)]
    return tuple(tuple(_POWER[k * each % _ORDER] for k in range(1, 2 * CORRECTABLE + 1)) for each in exponents)


_SYNDROMES: Final = _places()
_BACK: Final = tuple(-_LOGARITHM[first] % _ORDER for first, *_ in _SYNDROMES)
"""For every bit of a word the logarithm of the locator's root that points at it."""


def encoded(data: int) -> int:
    """Return the word of 68 bits of data."""
    rest = data << (_FILLING + PARITY_BITS)
    while (above := rest.bit_length() - _GENERATOR.bit_length()) >= 0:
        rest ^= _GENERATOR << above
    return data << PARITY_BITS | rest


def corrected(word: int) -> tuple[int, int] | None:
    """Return the data of the word nearest to ``word`` and how many bits differ; None where none is within four."""
    wrong = [_SYNDROMES[place] for place in range(WORD_BITS) if word >> place & 1]
    syndromes = [reduce(xor, column) for column in zip(*wrong, strict=True)] if wrong else [0] * (2 * CORRECTABLE)
    if not any(syndromes):
        return word >> PARITY_BITS, 0
    locator = _locator(syndromes)
    flips = [place for place, back in enumerate(_BACK) if _is_root(locator, back)]
    data = reduce(xor, (1 << place for place in flips), word) >> PARITY_BITS
    # What comes out is held against the code itself: nothing rests on the search alone.
    distance = (encoded(data) ^ word).bit_count()
    return (data, distance) if distance <= CORRECTABLE else None


def _is_root(locator: list[int], exponent: int) -> bool:
    terms = (_times(each, _POWER[exponent * k % _ORDER]) for k, each in enumerate(locator))
    return reduce(xor, terms) == 0


def _locator(syndromes: list[int]) -> list[int]:
    """Return the shortest polynomial that makes the syndromes (Massey, IEEE Trans. Inf. Theory 15, 1969)."""
    current, former, length, gap, scale = [1], [1], 0, 1, 1
    for at, syndrome in enumerate(syndromes):
        found = reduce(
            xor, (_times(current[k], syndromes[at - k]) for k in range(1, min(length, len(current) - 1) + 1)), syndrome
        )
        if found:
            factor = _POWER[_LOGARITHM[found] - _LOGARITHM[scale] + _ORDER]
            change = [0] * gap + [_times(factor, each) for each in former]
            width = max(len(current), len(change))
            padded = [line + [0] * (width - len(line)) for line in (current, change)]
            if 2 * length <= at:
                former, length, scale, gap = current, at + 1 - length, found, 0
            current = [a ^ b for a, b in zip(*padded, strict=True)]
        gap += 1
    return current
