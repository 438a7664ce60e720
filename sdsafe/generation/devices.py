"""Which device runs the model: decided once, from what torch says is there."""

from __future__ import annotations

from dataclasses import dataclass

from sdsafe.errors import ConfigurationError

__all__ = ["DEVICES", "DTYPES", "Device", "Probe", "resolve_device", "resolve_dtype"]

DEVICES = ("auto", "cuda", "rocm", "mps", "xpu", "cpu")
DTYPES = ("auto", "float32", "float16", "bfloat16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What torch reports about this machine."""

    cuda: bool = False
    """``torch.cuda.is_available()``: NVIDIA, or AMD with a ROCm build."""
    hip: str | None = None
    """``torch.version.hip``: set in ROCm builds, where AMD devices answer to the name cuda."""
    mps: bool = False
    xpu: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that was chosen."""

    torch: str
    """What torch calls it."""
    name: str
    """What is recorded: ``cuda``, ``rocm``, ``mps``, ``xpu`` or ``cpu``."""


def resolve_device(wanted: str, probe: Probe) -> Device:
    """Return the device for ``wanted``.

    Args:
        wanted: One of ``DEVICES``; ``auto`` takes the first of cuda or rocm, xpu, mps and cpu that is there.
        probe: What is there.

    Raises:
        ConfigurationError: An unknown name, or a device that is not there. There is no silent fall-back to the
            CPU: what was asked for is what runs.
    """
    there = {
        "cuda": probe.cuda and not probe.hip,
        "rocm": probe.cuda and bool(probe.hip),
        "xpu": probe.xpu,
        "mps": probe.mps,
        "cpu": True,
    }
    if wanted == "auto":
        wanted = next(name for name, present in there.items() if present)
    if wanted not in there:
        raise ConfigurationError(
            f"unknown device {wanted[:40]!r}", code="device.unknown", hint=f"One of: {', '.join(DEVICES)}."
        )
    if not there[wanted]:
        present = ", ".join(name for name, present in there.items() if present)
        raise ConfigurationError(
            f"device {wanted!r} is not usable with the installed torch", code="device.absent", hint=f"Here: {present}."
        )
    return Device(torch="cuda" if wanted == "rocm" else wanted, name=wanted)


def resolve_dtype(wanted: str, device: Device, half: str) -> str:
    """Return the name of the number type to load weights in.

    Args:
        wanted: One of ``DTYPES``; ``auto`` is ``half`` on cuda, rocm and xpu, and float32 on cpu, where half
            precision is slower, and on mps, where several models overflow in it.
        device: Where it runs.
        half: The half-precision type that the model's family was published in.

    Raises:
        ConfigurationError: An unknown name.
    """
    if wanted not in DTYPES:
        raise ConfigurationError(
            f"unknown dtype {wanted[:40]!r}", code="device.dtype", hint=f"One of: {', '.join(DTYPES)}."
        )
    if wanted != "auto":
        return wanted
    return half if device.name in {"cuda", "rocm", "xpu"} else "float32"
