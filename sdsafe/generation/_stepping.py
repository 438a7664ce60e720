"""Steps: how a pipe tells of them, and how a watch follows them and stops the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sdsafe.errors import CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.protocols import Watch

__all__ = ["callbacks", "follow", "stop"]


def callbacks(accepted: frozenset[str], step: Callable[[int, int], None]) -> dict[str, Any]:
    """Return the call arguments that have ``step`` told the step and the total, both from 1; none, where it cannot be.

    Args:
        accepted: Names in the call signature of the pipe; some classes tell nobody about their steps.
        step: Stops the run by raising.
    """

    def on_step_end(pipe: Any, index: int, _timestep: object, tensors: dict[str, Any]) -> dict[str, Any]:
        step(index + 1, max(index + 1, getattr(pipe, "num_timesteps", None) or 0))
        return tensors

    def legacy(index: int, _timestep: object, _latents: object) -> None:
        step(index + 1, index + 1)

    if "callback_on_step_end" in accepted:
        return {"callback_on_step_end": on_step_end, "callback_on_step_end_tensor_inputs": []}
    if "callback" in accepted:
        return {"callback": legacy, "callback_steps": 1}
    return {}


def follow(watch: Watch | None, index: int) -> Callable[[int, int], None]:
    """Return what is called after every step of image ``index``; it raises when the watch says stop.

    The exception passes through the pipeline. Asking the pipeline to interrupt itself would not do: it then
    returns a half-made picture like any other.
    """

    def step(number: int, total: int) -> None:
        if watch is not None:
            watch.step(index, number, total)
        stop(watch)

    stop(watch)
    return step


def stop(watch: Watch | None) -> None:
    """Raise ``CancelledError`` if the watch says so."""
    if watch is not None and watch.cancelled():
        raise CancelledError("cancelled on request; there is no picture", hint="Images released before stay.")
