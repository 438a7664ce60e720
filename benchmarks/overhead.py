"""What sdsafe adds to the diffusers pipeline it wraps: the same model, settings and seeds, in turn, in one process.

*bare* calls the pipeline and saves Pillow's default PNG; *sdsafe* checks the prompt, generates, and releases a
marked, signed, recorded file. ``builtin:tiny`` is a toy that takes a fraction of a second, so the share of everything
else is far larger here than with any real model: read the milliseconds that are added, not the ratio.

Usage: overhead.py [PICTURES] [STEPS]. Needs the weights of the classifier (``sdsafe models pull open-nsfw``).
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from _bench import timing, write_result
from egress import STAGES, Stopwatch, Timed, TimedCheck, replaced, watched

from sdsafe import pipeline as spine
from sdsafe import release
from sdsafe._internal import images
from sdsafe._internal.locations import default_places
from sdsafe.api import open_pipeline, save_to
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, ModelRef, Size
from sdsafe.core.states import Recorded
from sdsafe.generation._tiny import build
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIDE, GUIDANCE, PROMPT = 256, 7.5, "waves at sunset"
_BEFORE = ("prompt", "generate")


def parts_of(folder: Path) -> spine.Parts:
    """Return what a pipeline from settings is made of, on one thread as the bare one."""
    places = Places(state=folder / "state", cache=default_places(os.environ).cache)
    init_development(places.keys, name="overhead", password=None, force=False)
    settings = Settings.load({"HOME": str(folder)}, site=folder / "none.toml", places=places, device="cpu")
    pipeline = open_pipeline(replace(settings, options={"diffusers": {"threads": 1}}))
    parts: spine.Parts = pipeline._Pipeline__parts  # type: ignore[attr-defined]  # noqa: SLF001 - to put watches on
    return parts


def with_watches(parts: spine.Parts, watch: Stopwatch) -> spine.Parts:
    """Return the parts with stopwatches, also on what comes before egress."""

    def generate(*args: Any) -> Iterator[Any]:
        produced = parts.generator.generate(*args)
        pull: Callable[[], Any] = watch.timed("generate", lambda: next(produced, None))
        while (each := pull()) is not None:
            yield each

    generator = Timed(parts.generator, watch, {})
    generator.generate = generate  # type: ignore[attr-defined]
    checks = tuple(TimedCheck(each, watch, "prompt") for each in parts.prompt_checks)
    return replace(watched(parts, watch), generator=generator, prompt_checks=checks)


def released(parts: spine.Parts, request: GenerationRequest, target: Path, samples: dict[str, list[float]]) -> None:
    """Run the whole way once and note what each stage took."""
    watch = Stopwatch(time.perf_counter)
    pipeline = spine.Pipeline(with_watches(parts, watch))
    with (
        replaced(images, "encode", watch.timed("encode", images.encode)),
        replaced(images, "decode", watch.timed("decode", images.decode)),
        replaced(_c2pa, "sign", watch.timed("sign", _c2pa.sign)),
        replaced(release, "read_back", watch.timed("read back", release.read_back)),
    ):
        started = time.perf_counter()
        (outcome,) = pipeline.run(request, deliver=save_to(target, force=True))
        total = (time.perf_counter() - started) * 1000
    if not isinstance(outcome, Recorded):
        raise SystemExit(f"not released: {outcome}")
    for stage in (*_BEFORE, *STAGES):
        samples[stage].append(watch.ms[stage])
    samples["everything else"].append(total - sum(watch.ms.values()))
    samples["sdsafe"].append(total)


def main(count: int, steps: int) -> None:
    """Measure, print a table, and write ``results/overhead.json``."""
    samples: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts, bare = parts_of(folder), build()
        bare.set_progress_bar_config(disable=True)
        request = GenerationRequest(
            prompt=PROMPT,
            model=ModelRef(repo="builtin:tiny"),
            size=Size(width=SIDE, height=SIDE),
            steps=steps,
            guidance=GUIDANCE,
        )
        for seed in range(1, count + 3):
            if seed == 3:
                samples.clear()
            released(parts, replace(request, seed=seed), folder / "ours.png", samples)
            torch.set_num_threads(1)
            generator = torch.Generator("cpu").manual_seed(seed)
            started = time.perf_counter()
            shown = bare(
                PROMPT,
                height=SIDE,
                width=SIDE,
                num_inference_steps=steps,
                guidance_scale=GUIDANCE,
                generator=generator,
            )
            shown.images[0].save(folder / "bare.png")
            samples["bare pipe and PNG"].append((time.perf_counter() - started) * 1000)
    pairs = list(zip(samples["sdsafe"], samples["bare pipe and PNG"], strict=True))
    samples["added"] = [ours - theirs for ours, theirs in pairs]
    timings = {stage: timing(values) for stage, values in samples.items()}
    ratio = timing([ours / theirs for ours, theirs in pairs])
    about = {"pictures": count, "steps": steps, "side": SIDE, "torch_threads": 1}
    write_result("overhead", {**about, "timings_ms": timings, "ratio_sdsafe_to_bare": ratio})
    print("\n| stage | median ms | share |\n|---|---:|---:|")
    for stage, each in timings.items():
        print(f"| {stage} | {each['median_ms']:.1f} | {each['median_ms'] / timings['sdsafe']['median_ms']:.0%} |")


if __name__ == "__main__":
    main(*(int(given) for given in (*sys.argv[1:], *("30", "4")[len(sys.argv) - 1 :])))
