"""How long until something appears: ``--help`` and ``verify`` against the bare imports they stand on.

Whole processes, wall clock, interleaved.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from _bench import interleaved, process_ms, write_result

from sdsafe.testing.pipeline import signed_png

ROUNDS = 15


def main() -> None:
    """Measure and write ``results/startup.json``."""
    sdsafe = str(Path(sys.executable).parent / "sdsafe")
    with tempfile.TemporaryDirectory() as folder:
        state, picture = Path(folder) / "state", Path(folder) / "signed.png"
        picture.write_bytes(signed_png(state))
        env = {"SDSAFE_HOME": str(state)}
        timings = interleaved(
            {
                "python -c pass": process_ms([sys.executable, "-c", "pass"]),
                "import click": process_ms([sys.executable, "-c", "import click"]),
                "import c2pa": process_ms([sys.executable, "-c", "import c2pa"]),
                "sdsafe --help": process_ms([sdsafe, "--help"]),
                "sdsafe verify signed.png": process_ms([sdsafe, "verify", str(picture)], env),
            },
            rounds=ROUNDS,
        )
    write_result("startup", {"timings": timings, "bounds_ms": {"sdsafe --help": 150, "sdsafe verify signed.png": 500}})


if __name__ == "__main__":
    main()
