"""How often chance reads as a TrustMark frame: random words against the share that is computed for them.

    python benchmarks/trustmark_chance.py [--words 1000000]

Fair coins stand in for a network that looks at pictures without a mark. What the published networks say of such
pictures was not measured: see docs/guides/trustmark.md.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from _bench import write_result

from sdsafe.bindings.watermark import bch
from sdsafe.bindings.watermark.statistics import rate_bound
from sdsafe.bindings.watermark.trustmark_frame import FRAME_BITS, p_value, unpack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=1_000_000)
    words = parser.parse_args().words
    chance = np.random.default_rng(2026)
    frames: Counter[int] = Counter()
    code = 0
    for _ in range(words):
        bits = chance.random(FRAME_BITS) < 0.5
        code += bch.corrected(int("".join("1" if bit else "0" for bit in bits[: bch.WORD_BITS]), 2)) is not None
        found = unpack(bits)
        if found is not None:
            frames[found[1]] += 1
    rows = {}
    for wrong in range(bch.CORRECTABLE + 1):
        read = sum(frames[each] for each in range(wrong + 1))
        rows[f"within {wrong}"] = {
            "read": read,
            "expected": float(f"{words * p_value(wrong):.3g}"),
            "share_at_most_95": rate_bound(read, words),
        }
    write_result("trustmark-chance", {"words": words, "corrected_by_the_code_alone": code, "frames": rows})


if __name__ == "__main__":
    main()
