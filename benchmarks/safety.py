"""What the output checks cost, and how often they see something in pictures where there is nothing to see.

    python benchmarks/safety.py [--cost-only | --memory-only]

Cost: each adapter against the bare call of its library on the same picture, in turn, in one process. The classifier
and the CLIP networks are of the usual sizes (ViT-B/16 at 224, CLIP ViT-B/32) with random weights: time does not
depend on what the weights are.

False positives: open-nsfw, and nudenet where it is installed, over about a hundred harmless pictures: drawn scenes,
scenes that the embedded model made, and the photographs that scikit-image carries. No figure about explicit pictures
is given, because nothing here may hold any: see docs/reference/output-checks.md. Writes ``results/safety.json``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import resource
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _bench import interleaved, write_result
from PIL import Image

from sdsafe._internal.locations import default_places
from sdsafe.gates.pinned import folder_digest
from sdsafe.gates.safety import weights
from sdsafe.gates.safety.classifier import ClassifierCheck
from sdsafe.gates.safety.clip_concepts import ClipConceptsCheck, Concepts
from sdsafe.gates.safety.nudenet import NudeNetCheck
from sdsafe.gates.safety.open_nsfw import OpenNsfwCheck, preprocess

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sdsafe.core.pixels import Pixels
    from sdsafe.gates.safety.scoring import PictureCheck

ROUNDS = 7
THRESHOLDS = {"open-nsfw": (0.5, 0.85), "nudenet": (0.25, 0.5)}
DRAWN, MADE = 40, 34
_SCENE_SEED = 880_000_000
_PHOTOGRAPHS = (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png",
    "coins.png", "color.png", "grass.png", "gravel.png", "horse.png", "hubble_deep_field.jpg", "ihc.png", "moon.png",
    "motorcycle_left.png", "page.png", "phantom.png", "retina.jpg", "rocket.jpg", "text.png",
)  # fmt: skip


def picture(side: int) -> Pixels:
    """Return a textured picture."""
    rng = np.random.default_rng(side)
    y, x = np.mgrid[:side, :side]
    waves = 128 + 60 * np.sin(x / 37) + 40 * np.cos(y / 23)
    return np.asarray(np.clip(waves[..., None] + rng.normal(0, 12, (side, side, 3)), 0, 255), np.uint8)


def classifier(folder: Path) -> tuple[PictureCheck, Callable[[Sequence[Pixels]], object]]:
    """Return the adapter over a ViT-B/16 and the bare call."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    torch.manual_seed(0)
    labels = {0: "normal", 1: "nsfw"}
    model = ViTForImageClassification(ViTConfig(id2label=labels, label2id={name: key for key, name in labels.items()}))
    model.save_pretrained(folder)
    prepare = ViTImageProcessorPil()
    prepare.save_pretrained(folder)
    model.eval()

    def bare(pictures: Sequence[Pixels]) -> object:
        with torch.inference_mode():
            tensors = prepare(images=list(pictures), return_tensors="pt")
            return model(**tensors).logits.softmax(dim=1)

    return ClassifierCheck(folder, folder_digest(folder), {"nsfw": "nudity"}), bare


def clip(folder: Path) -> tuple[PictureCheck, Callable[[Sequence[Pixels]], object]]:
    """Return the adapter over a CLIP ViT-B/32 and the bare call."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    torch.manual_seed(0)
    letters = [chr(code) for code in range(97, 123)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(letter + "</w>" for letter in letters)]
    CLIPTokenizer(vocab={word: index for index, word in enumerate(words)}, merges=[]).save_pretrained(folder)
    model = CLIPModel(CLIPConfig()).eval()
    model.save_pretrained(folder)
    prepare = CLIPImageProcessorPil()
    prepare.save_pretrained(folder)

    def bare(pictures: Sequence[Pixels]) -> object:
        with torch.inference_mode():
            return model.get_image_features(**prepare(images=list(pictures), return_tensors="pt"))

    concepts = Concepts({"weapon": ("a gun",), "logo": ("a logo",)})
    return ClipConceptsCheck(folder, folder_digest(folder), concepts=concepts), bare


def open_nsfw() -> tuple[PictureCheck, Callable[[Sequence[Pixels]], object]]:
    """Return the adapter and the bare call of onnxruntime."""
    import onnxruntime

    places = default_places(os.environ)
    session = onnxruntime.InferenceSession(weights.read("open-nsfw", places), providers=["CPUExecutionProvider"])

    def bare(pictures: Sequence[Pixels]) -> object:
        return [session.run(None, {"input:0": preprocess(each)}) for each in pictures]

    return OpenNsfwCheck(places), bare


def nudenet() -> tuple[PictureCheck, Callable[[Sequence[Pixels]], object]] | None:
    """Return the adapter and the wheel's own call; None without the extra."""
    try:
        importlib.metadata.version("nudenet")
    except importlib.metadata.PackageNotFoundError:
        return None
    from nudenet import NudeDetector

    detector = NudeDetector()
    return NudeNetCheck(), lambda pictures: [detector.detect(np.array(each)) for each in pictures]


def cost() -> dict[str, Any]:
    """Time every adapter beside the bare call, for one picture of 512 and of 1024, and for eight of 512."""
    sizes = {"512": [picture(512)], "1024": [picture(1024)], "8 of 512": [picture(512)] * 8}
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        pairs = {
            "open-nsfw": open_nsfw(),
            "transformers, ViT-B/16": classifier(Path(one)),
            "clip-concepts, ViT-B/32": clip(Path(two)),
            "nudenet": nudenet(),
        }
        for name, pair in pairs.items():
            if pair is None:
                continue
            check, bare = pair
            result[name] = {}
            for size, pictures in sizes.items():
                times = interleaved(
                    {"adapter": lambda: check.scores(pictures), "bare": lambda: bare(pictures)},  # noqa: B023 - run at once
                    rounds=ROUNDS,
                )
                ratio = times["adapter"]["median_ms"] / times["bare"]["median_ms"]
                result[name][size] = {**times, "ratio": round(ratio, 3)}
    return result


MAKERS: Mapping[str, Callable[..., Any]] = {
    "open-nsfw": open_nsfw,
    "transformers, ViT-B/16": classifier,
    "clip-concepts, ViT-B/32": clip,
    "nudenet": nudenet,
}


def peak_mib(name: str) -> float:
    """Return the peak memory of this process after one adapter scored a picture of 1024, in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        pair = (
            MAKERS[name](Path(folder))
            if name in {"transformers, ViT-B/16", "clip-concepts, ViT-B/32"}
            else MAKERS[name]()
        )
        if pair is None:
            return 0.0
        pair[0].scores([picture(1024)])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory() -> dict[str, float]:
    """Measure each adapter in a process of its own."""
    found = {}
    for name in MAKERS:
        done = subprocess.run([sys.executable, __file__, "--peak", name], capture_output=True, text=True, check=True)
        found[name] = round(float(done.stdout.split()[-1]), 1)
    return found


def harmless() -> Iterator[tuple[str, Pixels]]:
    """Yield harmless pictures: drawn, made by the embedded model, photographed."""
    from train import captions, scenes

    for index in range(DRAWN):
        yield "drawn", scenes.draw(scenes.sample(_SCENE_SEED + index), 512)
    yield from (("made", each) for each in made(captions, scenes))
    folder = Path(str(files("skimage") / "data"))
    for name in _PHOTOGRAPHS:
        if (folder / name).is_file():
            with Image.open(folder / name) as opened:
                yield "photographed", np.array(opened.convert("RGB"))


def made(captions: Any, scenes: Any) -> Iterator[Pixels]:
    """Yield pictures of the embedded model, prompts and seeds in order."""
    import torch
    from diffusers import AutoPipelineForText2Image

    import sdsafe_scenes

    pipe = AutoPipelineForText2Image.from_pretrained(sdsafe_scenes.path(), local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    for index in range(MADE):
        prompt = captions.caption(scenes.sample(_SCENE_SEED + 1000 + index), 0, plain=True)
        generator = torch.Generator().manual_seed(index)
        (image,) = pipe(prompt, num_inference_steps=25, guidance_scale=4.0, generator=generator).images
        yield np.array(image)


def false_positives() -> dict[str, Any]:
    """Count, for each check and category, how many harmless pictures reach each threshold."""
    checks = {"open-nsfw": open_nsfw()[0]}
    if (pair := nudenet()) is not None:
        checks["nudenet"] = pair[0]
    scores: dict[str, dict[str, list[float]]] = {name: {} for name in checks}
    counts: dict[str, int] = {}
    for origin, pixels in harmless():
        counts[origin] = counts.get(origin, 0) + 1
        for name, check in checks.items():
            for category, seen in check.look(pixels).items():
                scores[name].setdefault(f"{category}, {origin}", []).append(seen.score)
    return {
        "pictures": counts,
        "checks": {
            name: {
                group: {
                    **{f"at_least_{limit}": sum(value >= limit for value in values) for limit in THRESHOLDS[name]},
                    "n": len(values),
                    "highest": round(max(values), 4),
                }
                for group, values in groups.items()
            }
            for name, groups in scores.items()
        },
    }


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cost-only", action="store_true")
    parser.add_argument("--memory-only", action="store_true", help="measure memory, and keep the other results")
    parser.add_argument("--peak", help="print the peak memory of one adapter and write nothing")
    options = parser.parse_args()
    if options.peak:
        print(peak_mib(options.peak))
        return
    if options.memory_only:
        kept = json.loads((Path(__file__).parent / "results" / "safety.json").read_text(encoding="utf-8"))
        write_result("safety", {**{key: kept[key] for key in ("cost", "false_positives")}, "peak_mib": memory()})
        return
    result: dict[str, Any] = {"cost": cost(), "peak_mib": memory()}
    if not options.cost_only:
        result["false_positives"] = false_positives()
    write_result("safety", result)


if __name__ == "__main__":
    main()
