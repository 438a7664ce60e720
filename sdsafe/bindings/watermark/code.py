"""The error-correcting code: convolutional, rate 1/4, constraint length 9, decoded softly with a list. Pure.

Generators 463, 535, 733, 745 (octal), free distance 24 (Proakis, "Digital Communications", table 8.2-3; the code of
IS-95 and CDMA2000 up to bit order). Eight zeros end it. Soft decisions keep what a hard decision would throw away,
about 2 dB. The parallel list Viterbi algorithm (Seshadri and Sundberg, "List Viterbi decoding algorithms with
applications", IEEE Trans. Comm. 42, 1994) returns the best few messages instead of one; keyed check bits then say
which of them is the payload.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["RATE", "TAIL", "coded_length", "decode", "decode_list", "encode"]

_GENERATORS = (0o463, 0o535, 0o733, 0o745)
RATE = len(_GENERATORS)
"""4 code bits per message bit."""
TAIL = 8
"""Zeros after the message, which bring the encoder back to state 0."""

_STATES = 1 << TAIL
_NEW = np.arange(_STATES)
_INPUT = _NEW >> (TAIL - 1)
# A state is the last eight inputs, newest in the highest bit; two states lead to each.
_FROM = np.stack([(_NEW << 1) & (_STATES - 1), ((_NEW << 1) & (_STATES - 1)) | 1])


def _outputs() -> npt.NDArray[np.float32]:
    """Return the sign (+1 for bit 0) of the four code bits on each of the two ways into each state."""
    register = (_INPUT << TAIL) | _FROM
    bits = [np.array([int(each & g).bit_count() & 1 for each in register.ravel()]) for g in _GENERATORS]
    return (1 - 2 * np.stack(bits, axis=-1).reshape(2, _STATES, RATE)).astype(np.float32)


_SIGNS = _outputs()


def coded_length(message_bits: int) -> int:
    """Return the number of code bits of a message."""
    return (message_bits + TAIL) * RATE


def encode(message: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the code bits of ``message``, ``coded_length(len(message))`` of them."""
    padded = np.concatenate([np.zeros(TAIL, np.uint8), message, np.zeros(TAIL, np.uint8)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, TAIL + 1)[:, ::-1]  # newest bit first
    taps = np.array([[(g >> (TAIL - i)) & 1 for i in range(TAIL + 1)] for g in _GENERATORS], np.uint8)
    return np.asarray((windows @ taps.T) & 1, np.uint8).ravel()


def decode(soft: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return the most likely message.

    Args:
        soft: Log-likelihood ratio of each code bit up to a common factor, positive for 0.
    """
    branch = _branches(soft)
    metric = np.full(_STATES, -np.inf, np.float32)
    metric[0] = 0
    choices = np.empty((len(branch), _STATES), bool)
    for step, (first, second) in enumerate(branch):
        a, b = metric[_FROM[0]] + first, metric[_FROM[1]] + second
        np.greater(b, a, out=choices[step])
        metric = np.maximum(a, b)
    state, message = 0, np.empty(len(branch), np.uint8)
    for step in range(len(branch) - 1, -1, -1):
        message[step] = state >> (TAIL - 1)
        state = int(_FROM[int(choices[step, state]), state])
    return message[:-TAIL]


def decode_list(soft: npt.NDArray[np.float32], size: int) -> list[npt.NDArray[np.uint8]]:
    """Return the ``size`` most likely messages, best first."""
    branch = _branches(soft)
    metric = np.full((_STATES, size), -np.inf, np.float32)
    metric[0, 0] = 0
    origins = np.empty((len(branch), _STATES, size), np.int16)
    for step, (first, second) in enumerate(branch):
        ways = np.concatenate([metric[_FROM[0]] + first[:, None], metric[_FROM[1]] + second[:, None]], axis=1)
        best = np.argsort(-ways, axis=1, kind="stable")[:, :size]
        origins[step] = best
        metric = np.take_along_axis(ways, best, axis=1)
    return [_traced(origins, rank) for rank in range(size) if np.isfinite(metric[0, rank])]


def _traced(origins: npt.NDArray[np.int16], rank: int) -> npt.NDArray[np.uint8]:
    size, state = origins.shape[2], 0
    message = np.empty(len(origins), np.uint8)
    for step in range(len(origins) - 1, -1, -1):
        message[step] = state >> (TAIL - 1)
        way, rank = divmod(int(origins[step, state, rank]), size)
        state = int(_FROM[way, state])
    return message[:-TAIL]


def _branches(soft: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return (steps, 2, states): how well each way into each state fits."""
    steps = np.asarray(soft, np.float32).reshape(-1, RATE)
    return (steps @ _SIGNS.reshape(-1, RATE).T).reshape(len(steps), 2, _STATES)
