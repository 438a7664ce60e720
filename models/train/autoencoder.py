"""Trains the autoencoder: 512x512 pictures to 16x16 latents with 24 channels and back."""

import csv
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional
from train import checkpoints, scenes
from train.muon import Muon

CHANNELS: Final = (16, 24, 48, 96, 128, 128)
LATENT_CHANNELS: Final = 24
CROP: Final = 256


def build() -> Any:
    """Return an untrained `AutoencoderKL` of factor 32; few channels where there are many pixels."""
    blocks = len(CHANNELS)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D"] * blocks,
        up_block_types=["UpDecoderBlock2D"] * blocks,
        block_out_channels=CHANNELS,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=4,
        mid_block_add_attention=False,
        sample_size=512,
        use_quant_conv=False,
        use_post_quant_conv=False,
    ).to(memory_format=torch.channels_last)


def crops(first_seed: int) -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Yield 256x256 training pictures for ever: three crops of each 512 scene, and one whole scene at 256."""
    seed = first_seed
    while True:
        scene = scenes.sample(seed)
        rng = np.random.default_rng([seed, 3])
        whole = scenes.draw(scene, 512)
        for _ in range(3):
            # The lower middle holds the object: aim there more often than at plain sky.
            x = int(np.clip(rng.normal(128, 80), 0, 256))
            y = int(np.clip(rng.normal(160, 80), 0, 256))
            crop = whole[y : y + CROP, x : x + CROP]
            yield crop[:, ::-1] if rng.random() < 0.5 else crop
        yield scenes.draw(scenes.sample(seed + 500_000_000), CROP)
        seed += 1


class Crops(torch.utils.data.IterableDataset[torch.Tensor]):
    """Endless batches from a background process, so that drawing does not wait for learning."""

    def __init__(self, first_seed: int, batch: int) -> None:
        self._first_seed = first_seed
        self._batch = batch

    def __iter__(self) -> Iterator[torch.Tensor]:
        torch.set_num_threads(1)
        source = crops(self._first_seed)
        while True:
            # Neighbouring crops show the same scene: mix a few scenes before handing them out.
            pool = [next(source) for _ in range(self._batch * 4)]
            order = np.random.default_rng([self._first_seed, 4]).permutation(len(pool))
            for start in range(0, len(pool), self._batch):
                chosen = np.stack([pool[index] for index in order[start : start + self._batch]])
                yield torch.from_numpy(chosen)


def to_signal(pixels: torch.Tensor) -> torch.Tensor:
    """Turn uint8 NHWC into float NCHW in -1..1."""
    signal = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
    return signal.contiguous(memory_format=torch.channels_last)


def picture_loss(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return L1 plus L1 of horizontal and vertical steps at three scales: edges count, not only areas."""
    loss = (made - wanted).abs().mean()
    for scale in range(3):
        if scale:
            made, wanted = functional.avg_pool2d(made, 2), functional.avg_pool2d(wanted, 2)
        error = made - wanted
        across = (error[..., :, 1:] - error[..., :, :-1]).abs().mean()
        down = (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
        loss = loss + 0.7 * (across + down)
    return loss + 0.5 * (made - wanted).abs().mean()


def latent_loss(latents: torch.Tensor) -> torch.Tensor:
    """Hold each latent channel near zero mean and unit size, and punish outliers."""
    mean = latents.mean(dim=(0, 2, 3))
    power = latents.square().mean(dim=(0, 2, 3))
    return mean.square().mean() + (power - 1).square().mean() + functional.relu(latents.abs() - 3).square().mean()


def psnr(made: torch.Tensor, wanted: torch.Tensor) -> float:
    """Return the mean peak signal-to-noise ratio in dB of pictures in -1..1."""
    error = (made.clamp(-1, 1) - wanted).square().mean(dim=(1, 2, 3)) / 4
    return float((-10 * error.log10()).mean())


def train(work: Path, *, minutes: float, rate: float, batch: int, warm: Path | None, jitter: float, decoder_only: bool) -> None:
    """Train for some minutes from the last checkpoint under `work`, or from `warm` weights, or from nothing."""
    torch.manual_seed(7)
    model = build()
    average = checkpoints.Average(model, 0.995)
    optimizer = Muon(model.parameters(), lr=rate)
    step, spent = 0, 0.0
    found = checkpoints.load(work / "autoencoder")
    if found is not None:
        groups, state = found
        model.load_state_dict(groups["model"])
        average.values = groups["average"]
        checkpoints.restore_optimizer(optimizer, groups["optimizer"])
        step, spent = int(state["step"]), float(state["seconds"])
    elif warm is not None:
        model = AutoencoderKL.from_pretrained(warm, subfolder="vae", torch_dtype=torch.float32)
    if decoder_only:
        model.encoder.requires_grad_(requires_grad=False)
    data = iter(torch.utils.data.DataLoader(Crops(1_000_000 + step * batch, batch), batch_size=None, num_workers=1, prefetch_factor=8))
    began, last, first = time.monotonic(), time.monotonic(), step
    horizon = minutes * 60
    log = (work / "autoencoder.csv").open("a", newline="", encoding="utf-8")
    writer = csv.writer(log)
    while (elapsed := time.monotonic() - began) < horizon:
        left = 1 - elapsed / horizon
        now = rate * min(1.0, (step - first + 1) / 60) * (0.05 + 0.95 * math.sin(0.5 * math.pi * min(1.0, left * 1.6)))
        for group in optimizer.param_groups:
            group["lr"] = now
        wanted = to_signal(next(data))
        latents = model.encode(wanted).latent_dist.mean
        noisy = latents + jitter * torch.randn_like(latents)
        made = model.decode(noisy).sample
        loss = picture_loss(made, wanted)
        whole = loss if decoder_only else loss + 0.02 * latent_loss(latents)
        optimizer.zero_grad(set_to_none=True)
        whole.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update(model, step)
        step += 1
        if step % 25 == 0:
            quality = psnr(made.detach(), wanted)
            seconds = spent + time.monotonic() - began
            value, size = float(loss.detach()), float(latents.detach().std())
            writer.writerow([step, round(seconds), f"{value:.4f}", f"{quality:.2f}", f"{size:.3f}", f"{now:.2e}"])
            log.flush()
            print(step, round(seconds), f"loss {value:.4f} psnr {quality:.2f} std {size:.3f}", flush=True)
        if time.monotonic() - last > 150:
            last = time.monotonic()
            _save(work, model, average, optimizer, step, spent + last - began)
    _save(work, model, average, optimizer, step, spent + time.monotonic() - began)


def _save(work: Path, model: Any, average: checkpoints.Average, optimizer: torch.optim.Optimizer, step: int, seconds: float) -> None:
    groups = {
        "model": model.state_dict(),
        "average": average.values,
        "optimizer": checkpoints.optimizer_tensors(optimizer),
    }
    checkpoints.save(work / "autoencoder", groups, {"step": step, "seconds": seconds})
    sample_grid(work, step)


@torch.no_grad()
def sample_grid(work: Path, step: int) -> None:
    """Write originals above reconstructions, whole 512 pictures through the averaged weights."""
    from PIL import Image

    model = load_average(work)
    wanted = to_signal(torch.from_numpy(np.stack([scenes.draw(scenes.sample(seed), 512) for seed in range(4)])))
    made = model.decode(model.encode(wanted).latent_dist.mean).sample
    print("average at 512:", f"psnr {psnr(made, wanted):.2f}", flush=True)
    rows = torch.cat([torch.cat(list(wanted), 2), torch.cat(list(made), 2)], 1)
    pixels = ((rows.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(work / f"autoencoder-{step:06d}.png")


def load_average(work: Path) -> Any:
    """Return the autoencoder with the averaged weights of the last checkpoint."""
    found = checkpoints.load(work / "autoencoder")
    if found is None:
        raise FileNotFoundError("train the autoencoder first: no checkpoint in the working folder")
    model = build()
    model.load_state_dict(found[0]["average"])
    return model.eval()
