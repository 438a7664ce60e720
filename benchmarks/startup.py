"""How long until something appears: ``--help`` and ``verify`` against the bare imports they stand on.

Whole processes, interleaved, by two clocks: the wall, and the processor time that the process used (user and system),
which neighbours on a busy machine do not lengthen. On an idle machine the two are nearly the same.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import interleaved, process_ms, timing, write_result

from sdsafe.testing.pipeline import signed_png

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 15
BOUNDS_MS = {"sdsafe --help": 150, "sdsafe verify signed.png": 500}


def children_ms() -> float:
    """Return the processor time of all processes that this one has run."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


def noting(run: Callable[[], object], samples: list[float]) -> Callable[[], object]:
    """Return a candidate that also notes the processor time of its process."""

    def both() -> None:
        before = children_ms()
        run()
        samples.append(children_ms() - before)

    return both


def main() -> None:
    """Measure and write ``results/startup.json``."""
    sdsafe = str(Path(sys.executable).parent / "sdsafe")
    with tempfile.TemporaryDirectory() as folder:
        state, picture = Path(folder) / "state", Path(folder) / "signed.png"
        picture.write_bytes(signed_png(state))
        env = {"SDSAFE_HOME": str(state)}
        commands = {
            "python -c pass": process_ms([sys.executable, "-c", "pass"]),
            "import click": process_ms([sys.executable, "-c", "import click"]),
            "import c2pa": process_ms([sys.executable, "-c", "import c2pa"]),
            "sdsafe --help": process_ms([sdsafe, "--help"]),
            "sdsafe verify signed.png": process_ms([sdsafe, "verify", str(picture)], env),
        }
        used: dict[str, list[float]] = defaultdict(list)
        wall = interleaved({name: noting(run, used[name]) for name, run in commands.items()}, rounds=ROUNDS)
    processor = {name: timing(values[1:]) for name, values in used.items()}  # the first round warms up
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024  # of the largest process: verify
    write_result("startup", {"wall": wall, "processor": processor, "bounds_ms": BOUNDS_MS, "peak_mib": peak})


if __name__ == "__main__":
    main()
