"""Does a process that makes a thousand pictures stay as large as it was? Memory and open files, all stages real.

`builtin:tiny` at 256x256, one step, one thread: what could leak is in the stages around the model, and this way they
are most of the work. Usage: leaks.py [NUMBER OF PICTURES].
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from _bench import write_result

from sdsafe._internal.locations import default_places
from sdsafe.api import open_pipeline, save_to
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, ModelRef, Size
from sdsafe.core.states import Recorded
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.settings import Settings

WARM_UP = 50
EVERY = 25


def rss_mib() -> float:
    """Return the resident set of this process in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main(count: int) -> None:
    """Make ``count`` pictures and write what was seen on the way."""
    with tempfile.TemporaryDirectory() as folder:
        places = Places(state=Path(folder) / "state", cache=default_places(os.environ).cache)
        init_development(places.keys, name="leaks", password=None, force=False)
        settings = Settings.load({"HOME": folder}, site=Path(folder) / "none.toml", places=places, device="cpu")
        pipeline = open_pipeline(replace(settings, options={"diffusers": {"threads": 1}}))
        request = GenerationRequest(
            prompt="waves", model=ModelRef(repo="builtin:tiny"), size=Size(width=256, height=256), steps=1, seed=1
        )
        target = Path(folder) / "picture.png"
        rows: list[dict[str, float]] = []
        started = time.perf_counter()
        for index in range(1, count + 1):
            (outcome,) = pipeline.run(replace(request, seed=index), deliver=save_to(target, force=True))
            if not isinstance(outcome, Recorded):
                raise SystemExit(f"picture {index} was not released: {outcome}")
            if index % EVERY == 0:
                files = len(list(Path("/proc/self/fd").iterdir()))
                rows.append({"pictures": index, "rss_mib": round(rss_mib(), 1), "open_files": files})
        seconds = time.perf_counter() - started
    after = [row for row in rows if row["pictures"] >= WARM_UP]
    first, last = after[0]["rss_mib"], after[-1]["rss_mib"]
    write_result(
        "leaks",
        {
            "pictures": count,
            "warm_up": WARM_UP,
            "rss_mib_after_warm_up": first,
            "rss_mib_at_the_end": last,
            "rss_growth_percent": round(100 * (last - first) / first, 2),
            "open_files": sorted({row["open_files"] for row in after}),
            "seconds_per_picture": round(seconds / count, 3),
            "samples": rows,
        },
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
