"""A small classifier that says what a scene shows, trained on drawings whose seeds nothing else uses."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from train import scenes
from train.vocabulary import COLOURS, KINDS, TERRAINS, TIMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SIZE: Final = 96
TRAIN_SEEDS: Final = 500_000_000
TEST_SEEDS: Final = 600_000_000
LABELS: Final[dict[str, tuple[str, ...]]] = {
    "terrain": tuple(TERRAINS),
    "time": tuple(TIMES),
    "kind": tuple(KINDS),
    "colour": tuple(COLOURS),
}


class Probe(nn.Module):
    """Four answers about a picture of 96x96: terrain, time of day, kind and colour of the main thing."""

    def __init__(self) -> None:
        super().__init__()
        widths = (32, 64, 128, 192)
        layers: list[nn.Module] = [
            nn.Conv2d(3, widths[0], 5, padding=2, stride=2),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        ]
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, padding=1, stride=2), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(widths[-1] * 9, 256), nn.ReLU(), nn.Linear(256, len(values)))
                for name, values in LABELS.items()
            }
        )

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return logits by attribute for float pictures (N, 3, 96, 96) in -1..1."""
        features = functional.adaptive_avg_pool2d(self.body(pictures), 3).flatten(1)
        return {name: head(features) for name, head in self.heads.items()}


def truth(scene: scenes.Scene) -> list[int]:
    """Return the index of the right answer for each attribute, in the order of `LABELS`."""
    said = (scene.terrain, scene.time, scene.main.kind, scene.main.colour)
    return [values.index(word) for values, word in zip(LABELS.values(), said, strict=True)]


def prepare(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> torch.Tensor:
    """Turn uint8 pictures (N, H, W, 3) of any size into what the probe reads."""
    signal = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return functional.interpolate(signal, (SIZE, SIZE), mode="area")


def _drawn(first: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    made = [scenes.sample(first + index) for index in range(count)]
    pictures = torch.cat([prepare(scenes.draw(scene, SIZE)[None]) for scene in made])
    return (pictures * 127.5).round().to(torch.int8), torch.tensor([truth(scene) for scene in made])


def _worn(pictures: torch.Tensor) -> torch.Tensor:
    """Blur, dim and shift pictures at random: a probe that knows only perfect drawings judges all others at random."""
    if torch.rand(()) < 0.5:
        size = int(torch.randint(40, 80, ()))
        small = functional.interpolate(pictures, (size, size), mode="area")
        pictures = functional.interpolate(small, (SIZE, SIZE), mode="bilinear", align_corners=False)
    count = pictures.shape[0]
    pictures = pictures * (0.9 + 0.2 * torch.rand(count, 1, 1, 1)) + 0.1 * torch.randn(count, 3, 1, 1)
    pictures = pictures + 0.05 * torch.randn_like(pictures)
    dx, dy = (int(value) for value in torch.randint(-6, 7, (2,)))
    return torch.roll(pictures, (dy, dx), (2, 3))


def train_probe(drawings: int = 12_000, epochs: int = 10, batch: int = 64) -> Probe:
    """Return a trained probe."""
    torch.manual_seed(31)
    pictures, answers = _drawn(TRAIN_SEEDS, drawings)
    probe = Probe()
    steps = drawings // batch * epochs
    optimizer = torch.optim.AdamW(probe.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for step in range(steps):
        chosen = torch.randint(drawings, (batch,))
        worn = _worn(pictures[chosen].float() / 127.5).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            logits = probe(worn)
        losses = [
            functional.cross_entropy(logits[name].float(), answers[chosen, place]) for place, name in enumerate(LABELS)
        ]
        loss = torch.stack(losses).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print("probe", step, steps, f"loss {float(loss.detach()):.3f}", flush=True)
    return probe.eval()


def load_or_train(cache: Path) -> Probe:
    """Return the probe kept at `cache`, or train it and keep it there."""
    probe = Probe()
    if cache.exists():
        probe.load_state_dict(load_file(cache))
        return probe.eval()
    probe = train_probe()
    cache.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in probe.state_dict().items()}, cache)
    return probe


@torch.no_grad()
def answers(probe: Probe, pictures: torch.Tensor) -> torch.Tensor:
    """Return the probe's answers (N, 4) as indices into `LABELS`."""
    parts = [
        torch.stack([logits.argmax(1) for logits in probe(part).values()], 1) for part in torch.split(pictures, 64)
    ]
    return torch.cat(parts)


def accuracy(probe: Probe, count: int = 2000) -> dict[str, float]:
    """Return the share of right answers on drawings that the probe has not seen, by attribute."""
    pictures, right = _drawn(TEST_SEEDS, count)
    hits = (answers(probe, pictures.float() / 127.5) == right).float().mean(0)
    return {name: round(float(hit), 4) for name, hit in zip(LABELS, hits, strict=True)}


def largest_kinds(count: int = 10) -> tuple[str, ...]:
    """Return the kinds that cover most of a picture when drawn alone."""
    from train.objects import DRAWINGS
    from train.pen import Pen

    areas = {}
    for name, kind in KINDS.items():
        height = round(kind.height * 256)
        pen = Pen(max(8, round(height * kind.aspect)), height, (0.5, 0.5, 0.5))
        DRAWINGS[name](pen)
        areas[name] = float(pen.pixels()[1].sum())
    return tuple(sorted(areas, key=lambda name: -areas[name])[:count])


def scene_words(indices: Sequence[int]) -> dict[str, str]:
    """Return answers as words."""
    return {name: values[index] for (name, values), index in zip(LABELS.items(), indices, strict=True)}
