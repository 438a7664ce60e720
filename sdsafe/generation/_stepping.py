"""How a pipe tells of its steps: what it is called with, so that somebody can follow it and stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["callbacks"]


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
