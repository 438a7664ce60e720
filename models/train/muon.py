"""Muon: momentum whose matrix steps are orthogonalised, with Adam for vectors (Jordan et al. 2024)."""

from collections.abc import Iterable
from typing import Any

import torch


def orthogonal(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Return the nearest semi-orthogonal matrix, roughly, by a quintic Newton-Schulz iteration."""
    x = (matrix / (matrix.norm() + 1e-7)).bfloat16()  # the iteration forgives rounding, and bf16 is four times faster
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    for _ in range(steps):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    result: torch.Tensor = (x.T if tall else x).to(matrix.dtype)
    return result


class Muon(torch.optim.Optimizer):
    """Steps matrices and convolutions by Muon at `lr` and everything else by Adam at `lr * adam_scale`."""

    def __init__(
        self,
        params: Iterable[torch.nn.Parameter],
        lr: float,
        *,
        momentum: float = 0.95,
        adam_scale: float = 1.0,
        vectors: Iterable[torch.nn.Parameter] = (),
    ) -> None:
        # Look-up tables are lists of vectors, whatever their shape.
        self._vectors = {id(parameter) for parameter in vectors}
        super().__init__(list(params), {"lr": lr, "momentum": momentum, "adam_scale": adam_scale})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take one step; `closure` is not supported."""
        del closure
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if (
                    id(parameter) not in self._vectors
                    and parameter.ndim >= 2
                    and min(parameter.shape[0], parameter[0].numel()) > 3
                ):
                    self._matrix(parameter, group)
                else:
                    self._vector(parameter, group)

    def _matrix(self, parameter: torch.Tensor, group: dict[str, Any]) -> None:
        slot = self.state[parameter]
        gradient = parameter.grad
        assert gradient is not None  # noqa: S101  (checked by the caller)
        if "momentum" not in slot:
            slot["momentum"] = torch.zeros_like(gradient)
        slot["momentum"].lerp_(gradient, 1 - group["momentum"])
        ahead = gradient.lerp(slot["momentum"], group["momentum"])
        flat = ahead.reshape(ahead.shape[0], -1)
        change = orthogonal(flat)
        # Match the root mean square of an Adam step, so that one rate fits all shapes.
        scale = 0.2 * max(flat.shape) ** 0.5
        parameter.add_(change.view_as(parameter), alpha=-group["lr"] * scale)

    def _vector(self, parameter: torch.Tensor, group: dict[str, Any]) -> None:
        slot = self.state[parameter]
        gradient = parameter.grad
        assert gradient is not None  # noqa: S101  (checked by the caller)
        if "first" not in slot:
            slot["first"], slot["second"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
            slot["count"] = torch.zeros(())
        slot["count"] += 1
        slot["first"].lerp_(gradient, 0.1)
        slot["second"].lerp_(gradient.square(), 0.02)
        count = float(slot["count"])
        first, second = slot["first"] / (1 - 0.9**count), slot["second"] / (1 - 0.98**count)
        parameter.addcdiv_(first, second.sqrt() + 1e-8, value=-group["lr"] * group["adam_scale"])
