"""What the embedded model can do, measured: does it follow words, keep inputs, repeat itself and invert?

    python benchmarks/scenes_quality.py [--count 500] [--cache FOLDER]

Parts already measured for the same weights are kept in the cache, so a run that was cut off goes on. Several processes
may share the captions (`--parts agreement --first N --count M`); the last run without `--parts` writes the result.

Captions are of combinations of kind, colour and terrain that training never saw. A probe that shares no picture with
the training says what generated pictures show; its own accuracy on drawings is in the result. Every share has a 95 %
Wilson interval. Writes ``results/scenes_quality.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import time
from contextlib import contextmanager
from functools import cache as cache_result
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "models"))

import _scenes_probe as probing
import torch
from _bench import timing, write_result
from diffusers import (
    AutoPipelineForImage2Image,
    AutoPipelineForInpainting,
    AutoPipelineForText2Image,
    DDIMInverseScheduler,
)
from PIL import Image
from scipy.ndimage import gaussian_filter

import sdsafe_scenes
from train import captions, scenes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

CAPTION_SEEDS: Final = 700_000_000
STEPS: Final = 25
GUIDANCE: Final = 4.0


def wilson(hits: int, count: int) -> list[float]:
    """Return the 95 % Wilson interval of a share."""
    if count == 0:
        return [0.0, 1.0]
    z, share = 1.96, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return [round(middle - half, 4), round(middle + half, 4)]


def _share(hits: list[bool]) -> dict[str, Any]:
    count = len(hits)
    return {"share": round(sum(hits) / max(1, count), 4), "n": count, "wilson95": wilson(sum(hits), count)}


def held_out_scenes(count: int) -> list[scenes.Scene]:
    """Return scenes whose combination of kind, colour and terrain is kept from training."""
    found: list[scenes.Scene] = []
    seed = CAPTION_SEEDS
    while len(found) < count:
        scene = scenes.sample(seed)
        if scenes.held_out(scene):
            found.append(scene)
        seed += 1
    return found


def _noise(seeds: list[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def _make(pipe: Any, prompts: list[str], seeds: list[int], **more: Any) -> Pixels:
    settings: dict[str, Any] = {"num_inference_steps": STEPS, "guidance_scale": GUIDANCE} | more
    made = pipe(prompts, generator=_noise(seeds), output_type="np", **settings).images
    return np.asarray(np.round(made * 255), np.uint8)


def generate_answers(pipe: Any, probe: probing.Probe, cache: Path, span: range, batch: int = 10) -> None:
    """Generate pictures of held-out captions and keep the probe's answers, batch by batch, under `cache`."""
    chosen = held_out_scenes(span.stop)
    for start in range(span.start, span.stop, batch):
        kept = cache / f"answers-{start:05d}.json"
        if kept.exists():
            continue
        part = chosen[start : start + batch]
        prompts = [captions.caption(scene, 0, plain=True) for scene in part]
        pixels = _make(pipe, prompts, list(range(start, start + len(part))))
        kept.write_text(json.dumps(probing.answers(probe, probing.prepare(pixels)).tolist()), encoding="utf-8")
        print("agreement", start + len(part), flush=True)


def agreement(cache: Path, batch: int = 10) -> dict[str, Any]:
    """Compare the kept answers, from the first caption to the first gap, with what the captions say."""
    seen: list[list[int]] = []
    while (kept := cache / f"answers-{len(seen):05d}.json").exists():
        seen += json.loads(kept.read_text(encoding="utf-8"))
        if len(seen) % batch:
            break
    chosen = held_out_scenes(len(seen))
    hits = torch.tensor(seen) == torch.tensor([probing.truth(scene) for scene in chosen])
    large = probing.largest_kinds()
    names = list(probing.LABELS)
    single = [scene.main.count == 1 and scene.second is None for scene in chosen]
    result = {name: _share(hits[:, place].tolist()) for place, name in enumerate(names)}
    kinds = hits[:, names.index("kind")].tolist()
    is_large = [scene.main.kind in large for scene in chosen]
    result["kind_ten_largest"] = _share([hit for hit, big in zip(kinds, is_large, strict=True) if big])
    for name in ("kind", "colour"):
        column = hits[:, names.index(name)].tolist()
        result[f"{name}_single_object"] = _share([hit for hit, one in zip(column, single, strict=True) if one])
    return result


def ssim(first: Pixels, second: Pixels) -> float:
    """Return the structural similarity of two pictures in grey (Wang et al. 2004, Gaussian window 1.5)."""
    x, y = (picture.astype(np.float64).mean(axis=2) for picture in (first, second))
    mean_x, mean_y = gaussian_filter(x, 1.5), gaussian_filter(y, 1.5)
    var_x = gaussian_filter(x * x, 1.5) - mean_x**2
    var_y = gaussian_filter(y * y, 1.5) - mean_y**2
    both = gaussian_filter(x * y, 1.5) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_x * mean_y + c1) * (2 * both + c2)
    return float((top / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean())


def autoencoder(pipe: Any, count: int) -> dict[str, Any]:
    """Measure what goes through the autoencoder: PSNR, SSIM and the size of latents, on unseen 512 drawings."""
    values, similar, sizes = [], [], []
    for seed in range(count):
        picture = scenes.draw(scenes.sample(CAPTION_SEEDS + 50_000 + seed), 512)
        back, latents = through(pipe, picture)
        error = float(((back.astype(np.float64) - picture) ** 2).mean())
        values.append(10 * math.log10(255**2 / error))
        similar.append(ssim(picture, back))
        sizes.append(float(latents.std()))
    return {
        "psnr_db_median": round(float(np.median(values)), 2),
        "ssim_median": round(float(np.median(similar)), 4),
        "latent_std_scaled": round(float(np.mean(sizes)), 4),
        "n": count,
    }


@torch.no_grad()
def through(pipe: Any, picture: Pixels) -> tuple[Pixels, torch.Tensor]:
    """Return a picture after encoding and decoding, and its scaled latents."""
    signal = torch.from_numpy(picture)[None].permute(0, 3, 1, 2).float() / 127.5 - 1
    latents = pipe.vae.encode(signal).latent_dist.mode() * pipe.vae.config.scaling_factor
    back = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample[0].clamp(-1, 1)
    return ((back + 1) * 127.5).round().byte().permute(1, 2, 0).numpy(), latents


def image_to_image(pipe: Any, probe: probing.Probe, count: int) -> dict[str, Any]:
    """At strength 0.3 the layout must stay; at 0.8 another prompt's time and terrain must come."""
    pipe = AutoPipelineForImage2Image.from_pipe(pipe)
    stays, ceiling, follows = [], [], []
    for index in range(count):
        scene = scenes.sample(CAPTION_SEEDS + 60_000 + index)
        picture = scenes.draw(scene, 512)
        image = Image.fromarray(picture)
        words = captions.caption(scene, 0, plain=True)
        stays.append(ssim(picture, _make(pipe, [words], [index], image=image, strength=0.3)[0]))
        ceiling.append(ssim(picture, through(pipe, picture)[0]))
        other = scenes.sample(CAPTION_SEEDS + 70_000 + index)
        changed = _make(pipe, [captions.caption(other, 0, plain=True)], [index], image=image, strength=0.8)
        seen = probing.answers(probe, probing.prepare(changed))[0].tolist()
        follows.append([a == b for a, b in zip(seen, probing.truth(other), strict=True)])
    shares = {name: _share([hit[place] for hit in follows]) for place, name in enumerate(probing.LABELS)}
    return {
        "strength_0.3_ssim_median": round(float(np.median(stays)), 4),
        "autoencoder_alone_ssim_median": round(float(np.median(ceiling)), 4),
        "strength_0.8_follows_new_prompt": shares,
        "n": count,
    }


@contextmanager
def _inpaintable(unet: Any) -> Iterator[None]:
    """Let the inpainting class run: it refuses by channel number what it handles for any, blending outside the mask."""
    channels = unet.config.in_channels
    unet.register_to_config(in_channels=4)
    try:
        yield
    finally:
        unet.register_to_config(in_channels=channels)


def inpainting(pipe: Any, count: int) -> dict[str, Any]:
    """Compare the change outside the mask with what the autoencoder alone does there."""
    inside = AutoPipelineForInpainting.from_pipe(pipe)
    mask = np.zeros((512, 512), np.uint8)
    mask[256:448, 160:352] = 255
    # The mask works on latents of 32 pixels, and the decoder looks a little further.
    outside = np.ones((512, 512), bool)
    outside[256 - 64 : 448 + 64, 160 - 64 : 352 + 64] = False
    ours, alone = [], []
    for index in range(count):
        scene = scenes.sample(CAPTION_SEEDS + 80_000 + index)
        picture = scenes.draw(scene, 512)
        more = {"image": Image.fromarray(picture), "mask_image": Image.fromarray(mask), "strength": 1.0}
        with _inpaintable(pipe.unet):
            made = _make(inside, [captions.caption(scene, 0, plain=True)], [index], **more)[0]
        ours.append(float(np.abs(made.astype(int) - picture)[outside].mean()))
        alone.append(float(np.abs(through(pipe, picture)[0].astype(int) - picture)[outside].mean()))
    return {
        "mean_abs_change_outside_mask_median": round(float(np.median(ours)), 3),
        "autoencoder_alone_median": round(float(np.median(alone)), 3),
        "n": count,
    }


def repeatability(pipe: Any) -> dict[str, Any]:
    """Compare two runs of one seed, and a batch of four with four single runs."""
    prompts = list(captions.GRID[:4])
    batch = _make(pipe, prompts, [0, 1, 2, 3]).astype(int)
    singles = np.concatenate([_make(pipe, [prompt], [seed]) for seed, prompt in enumerate(prompts)]).astype(int)
    again = np.concatenate([_make(pipe, [prompt], [seed]) for seed, prompt in enumerate(prompts)]).astype(int)
    return {
        "same_seed_max_difference": int(np.abs(singles - again).max()),
        "batch_of_four_against_singles_max_difference": int(np.abs(batch - singles).max()),
        "batch_of_four_against_singles_mean_difference": round(float(np.abs(batch - singles).mean()), 5),
    }


@torch.no_grad()
def inversion(pipe: Any, count: int, steps: int = 50) -> dict[str, Any]:
    """Generate at guidance 1, go back by DDIM, and correlate with the noise that it began with."""
    backwards = DDIMInverseScheduler.from_config(pipe.scheduler.config, timestep_spacing="leading")
    from_latents: list[float] = []
    from_pixels: list[float] = []
    for index in range(count):
        prompt = captions.GRID[index % len(captions.GRID)]
        noise = torch.randn((1, 16, 16, 16), generator=torch.Generator().manual_seed(1000 + index))
        more: dict[str, Any] = {"num_inference_steps": steps, "guidance_scale": 1.0, "latents": noise}
        made = pipe(prompt, output_type="latent", **more).images
        words = pipe.encode_prompt(prompt, "cpu", 1, do_classifier_free_guidance=False)[0]
        decoded = pipe.vae.decode(made / pipe.vae.config.scaling_factor).sample[0].clamp(-1, 1)
        picture = ((decoded + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        for found, start in ((from_latents, made), (from_pixels, through(pipe, picture)[1])):
            found.append(_correlation(_invert(pipe, backwards, start, words, steps), noise))
    return {
        "steps": steps,
        "correlation_from_latents_median": round(float(np.median(from_latents)), 4),
        "correlation_from_decoded_pixels_median": round(float(np.median(from_pixels)), 4),
        "n": count,
    }


def _invert(pipe: Any, scheduler: Any, latents: torch.Tensor, words: torch.Tensor, steps: int) -> torch.Tensor:
    scheduler.set_timesteps(steps)
    for moment in scheduler.timesteps:
        guess = pipe.unet(latents, moment, words).sample
        latents = scheduler.step(guess, moment, latents).prev_sample
    return latents


def _correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])


def speed(pipe: Any, rounds: int) -> dict[str, Any]:
    """Time whole 512x512 generations at the model's default steps."""
    samples = []
    for index in range(rounds + 1):
        started = time.perf_counter()
        _make(pipe, [captions.GRID[0]], [index])
        if index:
            samples.append((time.perf_counter() - started) * 1000)
    return {"steps": STEPS, **timing(samples)}


def _weights_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(sdsafe_scenes.path().rglob("*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=500, help="held-out captions")
    parser.add_argument("--first", type=int, default=0, help="first caption, where several processes share the work")
    parser.add_argument("--pictures", type=int, default=16, help="pictures for the editing and inversion parts")
    parser.add_argument("--cache", type=Path, default=Path(".cache/scenes"), help="where parts are kept")
    parser.add_argument("--parts", nargs="*", help="measure only these parts and write no result")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    """Measure what is not yet kept for these weights, and write the result."""
    options = _options()
    torch.set_num_threads(options.threads)

    @cache_result
    def probe() -> probing.Probe:
        return probing.load_or_train(options.cache / "probe.safetensors")

    cache = options.cache / _weights_digest()
    cache.mkdir(parents=True, exist_ok=True)
    pipe = AutoPipelineForText2Image.from_pretrained(sdsafe_scenes.path(), local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "probe_accuracy_on_unseen_drawings": lambda: dict(probing.accuracy(probe())),
        "speed_512": lambda: speed(pipe, 5),
        "autoencoder": lambda: autoencoder(pipe, options.pictures * 2),
        "repeatability": lambda: repeatability(pipe),
        "ddim_inversion_guidance_1": lambda: inversion(pipe, options.pictures),
        "image_to_image": lambda: image_to_image(pipe, probe(), options.pictures),
        "inpainting": lambda: inpainting(pipe, options.pictures),
    }
    wanted = [*parts, "agreement"] if options.parts is None else options.parts
    for name in wanted:
        kept = cache / f"{name}.json"
        if name == "agreement":
            generate_answers(pipe, probe(), cache, range(options.first, options.first + options.count))
        elif not kept.exists():
            kept.write_text(json.dumps(parts[name]()), encoding="utf-8")
            print(name, kept.read_text(encoding="utf-8"), flush=True)
    if options.parts is None:
        measured = {name: json.loads((cache / f"{name}.json").read_text(encoding="utf-8")) for name in parts}
        settings = {"steps": STEPS, "guidance": GUIDANCE, "scheduler": "DDIMScheduler", "size": 512}
        largest = list(probing.largest_kinds())
        held_out = agreement(cache)
        write_result(
            "scenes_quality",
            {"settings": settings, "ten_largest_kinds": largest, **measured, "agreement_held_out_captions": held_out},
        )


if __name__ == "__main__":
    main()
