"""Does the mark in the noise read from pictures, after what, and does it ever read where it is not?

Every picture is made by `builtin:scenes` from noise of its own id, of a caption that training never saw, unpicked. It is
attacked, scaled back to the size it was made at, led back through the model (10 steps, empty prompt, no guidance) and
matched against its id. Parts:

- `attacks`: at 512x512, what is left after each attack; `PNG + pixel mark` carries the lattice mark, too;
- `ways`: the first pictures again, with other steps, the prompt, and guidance on the way back;
- `large`: at 1024x1024, where four times the numbers carry it, blind as well;
- `regenerated`: after the model's own autoencoder, and after image to image by the same model;
- `unmarked`: photographs and marked pictures against ids that they do not carry.

`python benchmarks/noise_mark.py [--pictures 48] [--parts regenerated ...]`; a row is written as soon as it is measured.
"""

from __future__ import annotations

import argparse
import csv
import functools
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import stats

from sdsafe._internal import images
from sdsafe.bindings.watermark.latent import LatentMarker
from sdsafe.bindings.watermark.lattice import LatticeWatermarker
from sdsafe.bindings.watermark.statistics import DEFAULT_RATE, rate_bound
from sdsafe.core.decisions import Decision, Effect
from sdsafe.core.digests import sha256_hex
from sdsafe.core.ids import AssetId
from sdsafe.core.request import GenerationRequest, InputImage, ModelRef, PromptDisclosure, Size, Task
from sdsafe.core.states import Admitted, PromptOpening
from sdsafe.generation._diffusers import DiffusersGenerator

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))

from _attacks import ATTACKS
from _bench import write_result
from _watermark_covers import covers

from train import captions, scenes

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels

_RESULTS = Path(__file__).parent / "results"
_KEY = bytes([7]) * 32
_FIRST_SCENE = 4_000_000  # captions of scenes that training did not draw
_ATTACKS = (
    "PNG", "JPEG 75", "JPEG 50", "JPEG 30", "WebP 80", "resize 0.7", "resize 0.5", "blur 1", "noise 5",
    "brightness 1.3", "gray", "crop 90", "rotate 2", "mirror",
)  # fmt: skip
_PARTS = ("attacks", "ways", "large", "regenerated", "unmarked")
_WAYS = ((5, False, None), (10, False, None), (25, False, None), (50, False, None), (10, True, None), (25, True, 4.0))
"""Steps, whether with the prompt, guidance."""


class Made(NamedTuple):
    """A picture, the noise that it was made of, and how."""

    asset_id: AssetId
    caption: str
    pixels: Pixels
    noise: npt.NDArray[np.float32]


def request(
    size: int, prompt: str = "", *, steps: int | None = None, guidance: float | None = None
) -> GenerationRequest:
    """Return what asks for, or leads back, one picture."""
    model = ModelRef(repo="builtin:scenes")
    side = Size(width=size, height=size)
    return GenerationRequest(prompt=prompt, model=model, size=side, seed=0, steps=steps, guidance=guidance)


def made(generator: DiffusersGenerator, marker: LatentMarker, count: int, size: int) -> Iterator[Made]:
    """Yield marked pictures."""
    for index in range(count):
        asset_id = AssetId(np.random.default_rng([21, size, index]).bytes(8))
        caption = captions.caption(scenes.sample(_FIRST_SCENE + index), 0, plain=True)
        resolved = generator.resolve(replace(request(size, caption), seed=index))
        (generated,) = generator.generate(_admitted(resolved, asset_id))
        mark = generated.execution.noise_mark
        assert mark is not None
        yield Made(asset_id, caption, generated.pixels, marker.noise(asset_id.value, mark.shape))


def _admitted(resolved: GenerationRequest, asset_id: AssetId) -> Admitted:
    return Admitted(
        request=resolved,
        asset_ids=(asset_id,),
        opening=PromptOpening(mode=PromptDisclosure.FULL, salt=bytes(32)),
        decision=Decision(effect=Effect.ALLOW, policy=()),
        checks=(),
        admitted_at="2026-11-23T00:00:00Z",
    )


def attacked(pixels: Pixels, attack: str, rng: np.random.Generator) -> Pixels:
    """Return what is left of a picture."""
    if attack == "resize 0.7":
        side = round(0.7 * pixels.shape[0])
        return images.resize(pixels, side, side)
    return ATTACKS[attack](pixels, rng)


class Log:
    """The rows of one part, in a CSV file."""

    def __init__(self, name: str, *header: str) -> None:
        self._path = _RESULTS / f"noise-mark-{name}.csv"
        self.rows: list[dict[str, float | str]] = []
        with self._path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerow(header)
        self._header = header

    def add(self, *values: float | str) -> None:
        """Write one row."""
        self.rows.append(dict(zip(self._header, values, strict=True)))
        with self._path.open("a", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerow(values)


def found(marker: LatentMarker, noise: npt.NDArray[np.float32], picture: Made) -> tuple[float, float, float, int]:
    """Return correlation with the true noise, score, p-value, and whether it reads blind."""
    match = marker.match(noise, picture.asset_id.value)
    rho = float(np.corrcoef(noise.ravel(), picture.noise.ravel())[0, 1])
    blind = marker.read(noise).payload == picture.asset_id.value
    return round(rho, 4), round(match.score, 3), match.p_value, int(blind)


def summary(rows: list[dict[str, float | str]], *by: str) -> list[dict[str, object]]:
    """Return rates and means by the values of some columns."""
    groups: dict[tuple[float | str, ...], list[dict[str, float | str]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in by), []).append(row)
    return [
        {
            **dict(zip(by, key, strict=True)),
            "pictures": len(each),
            "detected": sum(float(row["p_value"]) <= DEFAULT_RATE for row in each),
            "read_blind": sum(int(row["blind"]) for row in each),
            "mean_correlation": round(float(np.mean([float(row["correlation"]) for row in each])), 3),
            "least_score": min(float(row["score"]) for row in each),
        }
        for key, each in groups.items()
    ]


def attacks(generator: DiffusersGenerator, marker: LatentMarker, count: int) -> list[Made]:
    """Attack, lead back, match; return the pictures."""
    log = Log("attacks", "picture", "attack", "correlation", "score", "p_value", "blind")
    lattice = LatticeWatermarker(_KEY, quality="standard")
    pictures = []
    for index, picture in enumerate(made(generator, marker, count, 512)):
        pictures.append(picture)
        rng = np.random.default_rng([22, index])
        (both,) = lattice.embed([picture.pixels], [picture.asset_id.value])
        left = {"PNG + pixel mark": both, **{name: attacked(picture.pixels, name, rng) for name in _ATTACKS}}
        for name, pixels in left.items():
            noise = generator.invert(images.resize(pixels, 512, 512), request(512))
            log.add(index, name, *found(marker, noise, picture))
    write_result("noise-mark-attacks", {"size": 512, "key": "one", "rows": summary(log.rows, "attack")})
    return pictures


def ways(generator: DiffusersGenerator, marker: LatentMarker, pictures: list[Made]) -> None:
    """Lead the same pictures back in other ways."""
    log = Log("ways", "picture", "attack", "steps", "prompt", "guidance", "correlation", "score", "p_value", "blind")
    for index, picture in enumerate(pictures):
        for name in ("PNG", "JPEG 75"):
            pixels = attacked(picture.pixels, name, np.random.default_rng([22, index]))
            for steps, prompted, guidance in _WAYS:
                asked = request(512, picture.caption if prompted else "", steps=steps, guidance=guidance)
                noise = generator.invert(pixels, asked)
                told = found(marker, noise, picture)
                log.add(index, name, steps, int(prompted), guidance or 1.0, *told)
    write_result("noise-mark-ways", {"size": 512, "rows": summary(log.rows, "attack", "steps", "prompt", "guidance")})


def large(generator: DiffusersGenerator, marker: LatentMarker, count: int) -> None:
    """Do the same with larger pictures."""
    log = Log("large", "picture", "attack", "correlation", "score", "p_value", "blind")
    for index, picture in enumerate(made(generator, marker, count, 1024)):
        for name in ("PNG", "JPEG 75", "resize 0.7", "resize 0.5"):
            pixels = attacked(picture.pixels, name, np.random.default_rng([23, index]))
            noise = generator.invert(images.resize(pixels, 1024, 1024), request(1024))
            log.add(index, name, *found(marker, noise, picture))
    write_result("noise-mark-large", {"size": 1024, "rows": summary(log.rows, "attack")})


def regenerated(generator: DiffusersGenerator, marker: LatentMarker, pictures: list[Made]) -> None:
    """Let the model make the pictures again."""
    log = Log("regenerated", "picture", "attack", "correlation", "score", "p_value", "blind")
    plain = DiffusersGenerator(device="cpu", threads=1)
    for index, picture in enumerate(pictures):
        left = {"autoencoder": _coded(picture.pixels)}
        for strength in (0.2, 0.4, 0.6):
            left[f"image to image {strength}"] = _remade(plain, picture, strength, index)
        for name, pixels in left.items():
            log.add(index, name, *found(marker, generator.invert(pixels, request(512)), picture))
    write_result("noise-mark-regenerated", {"size": 512, "rows": summary(log.rows, "attack")})


@functools.cache
def _coder() -> Any:
    from diffusers import AutoencoderKL

    folder = Path(__file__).parent.parent / "models" / "sdsafe_scenes" / "vae"
    return AutoencoderKL.from_pretrained(folder, local_files_only=True).eval()


def _coded(pixels: Pixels) -> Pixels:
    import torch

    with torch.inference_mode():
        tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
        back = _coder().decode(_coder().encode(tensor).latent_dist.mode()).sample[0]
    again = ((back.permute(1, 2, 0) + 1) * 127.5).clamp(0, 255).numpy()
    return np.asarray(np.rint(again), np.uint8)


def _remade(generator: DiffusersGenerator, picture: Made, strength: float, seed: int) -> Pixels:
    data = images.encode(picture.pixels)
    given = InputImage(role="image", pixels=picture.pixels, sha256=sha256_hex(data), media_type="image/png", data=data)
    asked = replace(
        request(512, picture.caption),
        task=Task.TRANSFORM, inputs=(given,), size=None, parameters={"strength": strength}, seed=1000 + seed,
    )  # fmt: skip
    (again,) = generator.generate(_admitted(generator.resolve(asked), picture.asset_id))
    return again.pixels


def unmarked(generator: DiffusersGenerator, marker: LatentMarker, pictures: list[Made], ids: int) -> None:
    """Hold pictures against ids that they do not carry."""
    values, blind, least = [], 0, 1.0
    shown = [*(pixels for _, pixels in covers(24, 512)), *(each.pixels for each in pictures)]
    for index, pixels in enumerate(shown):
        noise = generator.invert(pixels, request(512))
        blind += marker.read(noise).payload is not None and index < len(shown) - len(pictures)
        for number in range(ids):
            other = np.random.default_rng([24, index, number]).bytes(8)
            values.append(marker.match(noise, other).p_value)
        least = min(values)
    false = sum(each <= DEFAULT_RATE for each in values)
    write_result(
        "noise-mark-unmarked",
        {
            "pictures": len(shown),
            "ids_each": ids,
            "trials": len(values),
            "false": false,
            "rate_at_most": rate_bound(false, len(values)),
            "least_p_value": least,
            "uniform_ks_p": round(float(stats.kstest(values, "uniform").pvalue), 3),
            "read_blind": blind,
        },
    )


def main() -> None:
    """Run all parts on one thread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=48)
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=_PARTS)
    given = parser.parse_args()
    started = time.perf_counter()
    generator, marker = DiffusersGenerator(device="cpu", threads=1), LatentMarker(_KEY)
    generator.mark_noise(marker)
    if "attacks" in given.parts:
        pictures = attacks(generator, marker, given.pictures)
    else:
        pictures = list(made(generator, marker, given.pictures // 2, 512))
    if "ways" in given.parts:
        ways(generator, marker, pictures[: max(1, given.pictures // 3)])
    if "large" in given.parts:
        large(generator, marker, max(1, given.pictures // 6))
    if "regenerated" in given.parts:
        regenerated(generator, marker, pictures[: max(1, given.pictures // 2)])
    if "unmarked" in given.parts:
        unmarked(generator, marker, pictures[: max(1, given.pictures // 2)], 200)
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
