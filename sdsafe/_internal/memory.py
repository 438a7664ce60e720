"""How much memory this process has used at most."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["process_peak", "read_high_water"]

_STATUS = Path("/proc/self/status")


def process_peak() -> int | None:
    """Return the peak of the process's resident memory since it started, in bytes; None where nobody says."""
    try:
        return read_high_water(_STATUS.read_text())
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10  # macOS counts bytes, the others KiB


def read_high_water(status: str) -> int | None:
    """Return ``VmHWM`` of ``/proc/PID/status`` in bytes; None where the line is absent."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            number, _, unit = value.strip().partition(" ")
            return int(number) << 10 if number.isdecimal() and unit == "kB" else None
    return None
