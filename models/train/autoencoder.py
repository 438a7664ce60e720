"""Trains the autoencoder: 512x512 pictures to 16x16 latents with 16 channels and back.

It grows: at first the two outer levels are left out and pictures are 128x128, which costs a sixteenth; then the
outer levels, which start as plain averaging and repeating, are put on and the decoder learns 512x512 pictures.
"""

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
LATENT_CHANNELS: Final = 16
OUTER: Final = 2
INNER_SIZE: Final = 128


def build() -> Any:
    """Return an untrained `AutoencoderKL` of factor 32; few channels where there are many pixels."""
    blocks = len(CHANNELS)
    model = AutoencoderKL(
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
    )
    _start_linear(model)
    _freeze_outer_encoder(model)
    return model.to(memory_format=torch.channels_last)


@torch.no_grad()
def _start_linear(model: Any) -> None:
    """Start as a nearly linear pyramid: without this the colours of areas take thousands of steps to get through.

    The usual initial weights shrink the unnormalised path at each of its ten convolutions, while the normalised
    branches keep their size and drown it.
    """
    for name, part in model.named_modules():
        if not isinstance(part, torch.nn.Conv2d):
            continue
        if name.endswith("conv2"):
            part.weight.mul_(0.1)
        elif "samplers" in name:
            part.weight.mul_(0.5)
            eye = torch.eye(part.out_channels, part.in_channels)
            if "down" in name:
                part.weight[:, :, :2, :2] += 0.25 * eye[:, :, None, None]
            else:
                part.weight[:, :, 1, 1] += eye
        elif name.endswith(("conv_shortcut", "conv_in")):
            centre = torch.nn.init.orthogonal_(torch.empty(part.out_channels, part.in_channels))
            part.weight[:, :, part.kernel_size[0] // 2, part.kernel_size[1] // 2] = centre
            # A constant share survives group normalisation and tells later layers how bright the picture was.
            torch.nn.init.normal_(part.bias, std=0.3)


def _freeze_outer_encoder(model: Any) -> None:
    """Keep the two outermost encoder levels linear: one matrix on colours, then exact averaging of 4x4 blocks.

    So a 512 picture has the latents of its average at 128, to the last bit but rounding: the encoder and the
    latents of training scenes are learned and drawn at 128, at a sixteenth of the price.
    """
    part = model.encoder
    with torch.no_grad():
        centre = part.conv_in.weight[:, :, 1:2, 1:2].clone()
        part.conv_in.weight.zero_()
        part.conv_in.weight[:, :, 1:2, 1:2] = centre
        for block in part.down_blocks[:OUTER]:
            for resnet in block.resnets:
                resnet.conv2.weight.zero_()
                resnet.conv2.bias.zero_()
            for sampler in block.downsamplers:
                sampler.conv.weight.zero_()
                sampler.conv.bias.zero_()
                eye = torch.eye(sampler.conv.out_channels)
                sampler.conv.weight[:, :, :2, :2] = 0.25 * eye[:, :, None, None]
    part.conv_in.requires_grad_(requires_grad=False)
    for block in part.down_blocks[:OUTER]:
        block.requires_grad_(requires_grad=False)


def encode(model: Any, pictures: torch.Tensor, outer: int) -> torch.Tensor:
    """Return latents of pictures of 128, 256 or 512 pixels (`outer` levels in use: 0, 1 or 2)."""
    part = model.encoder
    hidden = part.conv_in(torch.nn.functional.avg_pool2d(pictures, 2**outer))
    for block in part.down_blocks[:OUTER]:
        for resnet in block.resnets:
            hidden = resnet(hidden, None)
    for block in part.down_blocks[OUTER:]:
        hidden = block(hidden)
    hidden = part.conv_out(part.conv_act(part.conv_norm_out(part.mid_block(hidden))))
    return hidden[:, :LATENT_CHANNELS]


def decode(model: Any, latents: torch.Tensor, outer: int) -> torch.Tensor:
    """Return pictures of 128, 256 or 512 pixels; with both outer levels it is the model's own `decode`."""
    part = model.decoder
    hidden = part.mid_block(part.conv_in(latents))
    inner = len(part.up_blocks) - 1 - OUTER
    for index, block in enumerate(part.up_blocks):
        for resnet in block.resnets:
            hidden = resnet(hidden, None)
        if block.upsamplers is not None and index < inner + outer:
            for sampler in block.upsamplers:
                hidden = sampler(hidden)
    return part.conv_out(part.conv_act(part.conv_norm_out(hidden)))


class Pictures(torch.utils.data.IterableDataset[torch.Tensor]):
    """Endless batches of whole scenes from a background process, so that drawing does not wait for learning."""

    def __init__(self, first_seed: int, batch: int, size: int) -> None:
        self._first_seed = first_seed
        self._batch = batch
        self._size = size

    def __iter__(self) -> Iterator[torch.Tensor]:
        torch.set_num_threads(1)
        seed = self._first_seed
        while True:
            yield torch.from_numpy(
                np.stack([scenes.draw(scenes.sample(seed + index), self._size) for index in range(self._batch)])
            )
            seed += self._batch


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


def train(work: Path, *, minutes: float, rate: float, batch: int, warm: Path | None, jitter: float, outer: int) -> None:
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
    if outer:
        # The denoiser's world is settled (it is the averaged encoder): only the way back to pictures may change.
        model.load_state_dict(average.values)
        model.encoder.requires_grad_(requires_grad=False)
    data = iter(torch.utils.data.DataLoader(Pictures(1_000_000 + step * batch, batch, INNER_SIZE << outer), batch_size=None, num_workers=1, prefetch_factor=8))
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
        with torch.autocast("cpu", torch.bfloat16):
            latents = encode(model, wanted, outer).float()
            noisy = latents + jitter * torch.randn_like(latents)
            made = decode(model, noisy, outer).float()
        loss = picture_loss(made, wanted)
        whole = loss if outer else loss + 0.02 * latent_loss(latents)
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
            _save(work, model, average, optimizer, step, spent + last - began, outer)
    _save(work, model, average, optimizer, step, spent + time.monotonic() - began, outer)


def _save(work: Path, model: Any, average: checkpoints.Average, optimizer: torch.optim.Optimizer, step: int, seconds: float, outer: int) -> None:
    groups = {
        "model": model.state_dict(),
        "average": average.values,
        "optimizer": checkpoints.optimizer_tensors(optimizer),
    }
    checkpoints.save(work / "autoencoder", groups, {"step": step, "seconds": seconds})
    sample_grid(work, step, outer)


@torch.no_grad()
def sample_grid(work: Path, step: int, outer: int) -> None:
    """Write originals above reconstructions, whole pictures through the averaged weights."""
    from PIL import Image

    model = load_average(work)
    size = INNER_SIZE << outer
    wanted = to_signal(torch.from_numpy(np.stack([scenes.draw(scenes.sample(seed), size) for seed in range(6)])))
    made = decode(model, encode(model, wanted, outer), outer)
    print("average, whole pictures:", f"psnr {psnr(made, wanted):.2f}", flush=True)
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
