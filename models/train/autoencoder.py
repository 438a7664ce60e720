"""Trains the autoencoder: 512x512 pictures to 16x16 latents with 16 channels and back.

It grows: at first the two outer levels are left out and pictures are 128x128, which costs a sixteenth; then the
outer levels, which start as plain averaging and repeating, are put on and the decoder learns 512x512 pictures.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from train import checkpoints, scenes
from train.muon import Muon
from train.plan import Plan

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
            if part.bias is not None:
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
    latents: torch.Tensor = part.conv_out(part.conv_act(part.conv_norm_out(part.mid_block(hidden))))
    return latents[:, :LATENT_CHANNELS]


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
    pictures: torch.Tensor = part.conv_out(part.conv_act(part.conv_norm_out(hidden)))
    return pictures


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


class Sitting:
    """One sitting of training: the model, its average, the optimizer, and how far they have come."""

    def __init__(self, plan: Plan) -> None:
        torch.manual_seed(7)
        self.plan = plan
        self.model = build()
        if plan.warm is not None:
            released = AutoencoderKL.from_pretrained(plan.warm, subfolder="vae", torch_dtype=torch.float32)
            self.model.load_state_dict(released.state_dict())
        self.average = checkpoints.Average(self.model, 0.995)
        self.optimizer = Muon(self.model.parameters(), lr=plan.rate)
        self.step, self.spent = 0, 0.0
        found = checkpoints.load(plan.work / "autoencoder")
        if found is not None:
            groups, state = found
            self.model.load_state_dict(groups["model"])
            self.average.values = groups["average"]
            checkpoints.restore_optimizer(self.optimizer, groups["optimizer"])
            self.step, self.spent = int(state["step"]), float(state["seconds"])
        if plan.outer:
            # The denoiser's world is settled (it is the averaged encoder): only the way back to pictures may change.
            self.model.load_state_dict(self.average.values)
            self.model.encoder.requires_grad_(requires_grad=False)
        self.first = self.step

    def learn(self, wanted: torch.Tensor, left: float) -> tuple[float, float, float]:
        """Take one step; return loss, PSNR and the size of the latents."""
        warmth = min(1.0, (self.step - self.first + 1) / 60)
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.rate * warmth * (0.05 + 0.95 * math.sin(0.5 * math.pi * min(1.0, left * 1.6)))
        with torch.autocast("cpu", torch.bfloat16):
            latents = encode(self.model, wanted, self.plan.outer).float()
            noisy = latents + self.plan.jitter * torch.randn_like(latents)
            made = decode(self.model, noisy, self.plan.outer).float()
        loss = picture_loss(made, wanted)
        whole = loss if self.plan.outer else loss + 0.02 * latent_loss(latents)
        self.optimizer.zero_grad(set_to_none=True)
        whole.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.average.update(self.model, self.step)
        self.step += 1
        return float(loss.detach()), psnr(made.detach(), wanted), float(latents.detach().std())

    def save(self) -> None:
        """Replace the checkpoint and write a grid of reconstructions."""
        groups = {
            "model": self.model.state_dict(),
            "average": self.average.values,
            "optimizer": checkpoints.optimizer_tensors(self.optimizer),
        }
        state = {"step": self.step, "seconds": self.spent + self.plan.elapsed()}
        checkpoints.save(self.plan.work / "autoencoder", groups, state)
        sample_grid(self.plan.work, self.step, self.plan.outer)


def train(plan: Plan) -> None:
    """Train for some minutes from the last checkpoint, or from warm weights, or from nothing."""
    sitting = Sitting(plan)
    drawn = Pictures(1_000_000 + sitting.step * plan.batch, plan.batch, INNER_SIZE << plan.outer)
    data = iter(torch.utils.data.DataLoader(drawn, batch_size=None, num_workers=1, prefetch_factor=8))
    saved = plan.elapsed()
    while (elapsed := plan.elapsed()) < plan.minutes * 60:
        loss, quality, size = sitting.learn(to_signal(next(data)), plan.left(elapsed))
        if sitting.step % 25 == 0:
            row = (sitting.step, round(sitting.spent + elapsed), f"{loss:.4f}", f"{quality:.2f}", f"{size:.3f}")
            checkpoints.log(plan.work / "autoencoder.csv", row)
        if elapsed - saved > 150:
            saved = elapsed
            sitting.save()
    sitting.save()


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
