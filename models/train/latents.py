"""Draws training scenes and stores their latents, so that the denoiser never waits for a picture."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from train import autoencoder, scenes

FIRST_SEED: Final = 10_000_000  # far from every seed that tests, probes and benchmarks use
SHAPE: Final = (autoencoder.LATENT_CHANNELS, 16, 16)
_BATCH: Final = 16


class Store:
    """A growing file of float16 latents with the seeds they were drawn from."""

    def __init__(self, folder: Path, capacity: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._state = folder / "state.json"
        path = folder / "latents.f16"
        mode: Any = "r+" if path.exists() else "w+"
        self.values = np.memmap(path, np.float16, mode, shape=(capacity, *SHAPE))
        seeds = folder / "seeds.i64"
        self.seeds = np.memmap(seeds, np.int64, "r+" if seeds.exists() else "w+", shape=(capacity,))

    def count(self) -> int:
        """Return how many latents are complete."""
        if not self._state.exists():
            return 0
        return int(json.loads(self._state.read_text(encoding="utf-8"))["count"])

    def append(self, values: NDArray[np.float16], seeds: list[int]) -> None:
        """Store a batch and then say so."""
        start = self.count()
        self.values[start : start + len(seeds)] = values
        self.seeds[start : start + len(seeds)] = seeds
        fresh = self._state.with_suffix(".new")
        fresh.write_text(json.dumps({"count": start + len(seeds)}), encoding="utf-8")
        fresh.replace(self._state)


def training_seeds(after: int) -> Any:
    """Yield seeds of scenes that may be trained on, in order."""
    seed = max(FIRST_SEED, after + 1)
    while True:
        if not scenes.held_out(scenes.sample(seed)):
            yield seed
        seed += 1


@torch.no_grad()
def fill(work: Path, capacity: int, wanted: int) -> None:
    """Draw and encode until `wanted` latents are stored; continues where it was cut off."""
    model = autoencoder.load_average(work)
    store = Store(work / "latents", capacity)
    done = store.count()
    seeds = training_seeds(int(store.seeds[done - 1]) if done else 0)
    while done < wanted:
        chosen = [next(seeds) for _ in range(_BATCH)]
        pixels = np.stack([scenes.draw(scenes.sample(seed), 2 * autoencoder.INNER_SIZE) for seed in chosen])
        with torch.autocast("cpu", torch.bfloat16):
            means = autoencoder.encode(model, autoencoder.to_signal(torch.from_numpy(pixels)), 1)
        store.append(means.float().numpy().astype(np.float16), chosen)
        done += _BATCH
        if done % 500 < _BATCH:
            print("latents", done, flush=True)
