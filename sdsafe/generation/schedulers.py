"""Names of schedulers, and the diffusers classes they stand for.

A scheduler is always built from the configuration of the one that came with the model, so that noise schedule and
prediction type stay those it was trained with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sdsafe.core.canonical import canonical_digest
from sdsafe.errors import RequestError

__all__ = ["SCHEDULERS", "SchedulerChoice", "choose", "config_digest", "name_of"]


@dataclass(frozen=True, slots=True)
class SchedulerChoice:
    """A diffusers scheduler class, and what is set on top of the model's own configuration."""

    cls: str
    overrides: Mapping[str, str | bool] = field(default_factory=lambda: MappingProxyType({}))


SCHEDULERS: Mapping[str, SchedulerChoice] = MappingProxyType(
    {
        "ddim": SchedulerChoice("DDIMScheduler"),
        "ddpm": SchedulerChoice("DDPMScheduler"),
        "deis": SchedulerChoice("DEISMultistepScheduler"),
        "dpmpp": SchedulerChoice("DPMSolverMultistepScheduler"),
        "dpmpp-karras": SchedulerChoice("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
        "dpmpp-sde": SchedulerChoice("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
        "dpmpp-single": SchedulerChoice("DPMSolverSinglestepScheduler"),
        "euler": SchedulerChoice("EulerDiscreteScheduler"),
        "euler-a": SchedulerChoice("EulerAncestralDiscreteScheduler"),
        "flow-euler": SchedulerChoice("FlowMatchEulerDiscreteScheduler"),
        "flow-heun": SchedulerChoice("FlowMatchHeunDiscreteScheduler"),
        "heun": SchedulerChoice("HeunDiscreteScheduler"),
        "kdpm2": SchedulerChoice("KDPM2DiscreteScheduler"),
        "kdpm2-a": SchedulerChoice("KDPM2AncestralDiscreteScheduler"),
        "lcm": SchedulerChoice("LCMScheduler"),
        "lms": SchedulerChoice("LMSDiscreteScheduler"),
        "pndm": SchedulerChoice("PNDMScheduler"),
        "unipc": SchedulerChoice("UniPCMultistepScheduler"),
    }
)
"""Short names. Left out: DPMSolverSDE, whose noise does not come from the seed."""

_PLAIN = {choice.cls: name for name, choice in SCHEDULERS.items() if not choice.overrides}


def name_of(cls: str) -> str:
    """Return the short name of a scheduler class, or the class name where there is none."""
    return _PLAIN.get(cls, cls)


def choose(name: str, own: str) -> SchedulerChoice:
    """Return what ``name`` stands for.

    Args:
        name: A short name, or the class name of the model's own scheduler.
        own: Class name of the scheduler that came with the model.

    Raises:
        RequestError: Neither of the two.
    """
    choice = SCHEDULERS.get(name)
    if choice is not None:
        return choice
    if name == own:
        return SchedulerChoice(own)
    raise RequestError(
        f"unknown scheduler {name[:40]!r}",
        code="request.scheduler",
        hint=f"Known: {', '.join(SCHEDULERS)}; this model's own is {name_of(own)}.",
    )


def config_digest(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a scheduler configuration as canonical JSON.

    Floats are written by ``repr``, which every Python prints alike; keys that begin with an underscore (class
    name and library version) are left out, because the manifest records both by themselves.
    """
    return canonical_digest({key: _exact(value) for key, value in config.items() if not key.startswith("_")})


def _exact(value: object) -> object:
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): _exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    tolist = getattr(value, "tolist", None)  # numpy and torch, which some schedulers keep in their configuration
    return _exact(tolist()) if callable(tolist) else str(value)
