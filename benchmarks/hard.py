"""What the hard layer costs before every request: a few hundred characters of ordinary words, and of other scripts."""

from __future__ import annotations

import time

import numpy as np
from _bench import write_result

from sdsafe.core.request import GenerationRequest
from sdsafe.gates.hard.composition import composed

REPEATS = 300
ENGLISH = (
    "a wide landscape photograph of an old harbour town at dawn, fishing boats, wooden piers and gulls, soft mist over "
    "the water, 35mm film grain, warm light on brick walls, a lighthouse in the far distance, detailed clouds, calm sea, "
    "high dynamic range, 8k, cinematic lighting"
)
TEXTS = {
    "english": ENGLISH,
    "english, one half": ENGLISH.replace("fishing boats", "a schoolboy"),
    "german": ("ein weites Foto einer alten Hafenstadt in der Dämmerung, Fischerboote, hölzerne Stege und Möwen, " * 3)[
        :265
    ],
    "russian": ("широкая фотография старого портового города на рассвете, рыбацкие лодки, деревянные причалы, " * 3)[
        :265
    ],
    "chinese": ("黎明时分古老港口城镇的广角照片、渔船、木制码头和海鸥、水面上的薄雾、温暖的光线照在砖墙上、" * 6)[:265],
}


def main() -> None:
    started = time.perf_counter()
    composed(GenerationRequest(prompt="waves"))
    first = time.perf_counter() - started
    result: dict[str, object] = {"first_request_ms": round(first * 1000, 1)}
    for name, text in TEXTS.items():
        request = GenerationRequest(prompt=text)
        spent = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            composed(request)
            spent.append((time.perf_counter() - started) * 1e6)
        result[name] = {
            "characters": len(text),
            "median_us": round(float(np.median(spent)), 1),
            "p99_us": round(float(np.percentile(spent, 99)), 1),
        }
    write_result("hard", result)


if __name__ == "__main__":
    main()
