"""What every benchmark needs: repeated timing side by side, and a result file that says on what it ran."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Timing", "interleaved", "process_ms", "read_result", "timing", "write_result"]

_RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("sdsafe", "torch", "diffusers", "c2pa-python", "numpy", "Pillow", "cryptography", "onnxruntime")


class Timing(TypedDict):
    """Milliseconds over ``n`` runs."""

    median_ms: float
    p10_ms: float
    p90_ms: float
    n: int


def timing(samples: Sequence[float]) -> Timing:
    """Summarise samples in milliseconds."""
    ordered = sorted(samples)
    last = len(ordered) - 1
    return Timing(
        median_ms=round(statistics.median(ordered), 3),
        p10_ms=round(ordered[round(0.1 * last)], 3),
        p90_ms=round(ordered[round(0.9 * last)], 3),
        n=len(ordered),
    )


def interleaved(candidates: Mapping[str, Callable[[], object]], *, rounds: int, warmup: int = 1) -> dict[str, Timing]:
    """Time candidates in turn, round after round, so that a noisy minute hits all of them alike."""
    samples: dict[str, list[float]] = {name: [] for name in candidates}
    for round_ in range(warmup + rounds):
        for name, run in candidates.items():
            started = time.perf_counter()
            run()
            elapsed = (time.perf_counter() - started) * 1000
            if round_ >= warmup:
                samples[name].append(elapsed)
    return {name: timing(values) for name, values in samples.items()}


def process_ms(command: Sequence[str], env: Mapping[str, str] | None = None) -> Callable[[], object]:
    """Return a candidate that runs a whole process and fails if the process does."""

    def run() -> object:
        return subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **(env or {})}
        )

    return run


def read_result(name: str) -> str:
    """Return what ``write_result`` wrote last."""
    return (_RESULTS / f"{name}.json").read_text(encoding="utf-8")


def write_result(name: str, payload: Mapping[str, object]) -> Path:
    """Write ``results/NAME.json`` with machine and versions, print it, and return its path."""
    _RESULTS.mkdir(exist_ok=True)
    document = {"benchmark": name, "machine": _machine(), "versions": _versions(), **payload}
    path = _RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(payload, indent=2))
    return path


def _machine() -> dict[str, object]:
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
