"""Checkpoints that survive being cut off: safetensors for numbers, JSON for the rest, replaced in one step."""

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]


def save(folder: Path, tensors: dict[str, Tensors], state: dict[str, Any]) -> None:
    """Write groups of tensors and a JSON state; a reader sees the old or the new checkpoint, never a mix."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, group in tensors.items():
        save_file({key: value.detach().contiguous() for key, value in group.items()}, fresh / f"{name}.safetensors")
    (fresh / "state.json").write_text(json.dumps(state), encoding="utf-8")
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)  # noqa: PTH105  (folders: os.replace says exactly what happens)
    os.replace(fresh, folder)  # noqa: PTH105
    shutil.rmtree(old, ignore_errors=True)


def log(path: Path, row: tuple[object, ...]) -> None:
    """Append a row to a CSV file and show it."""
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(row)
    print(path.stem, *row, flush=True)


def load(folder: Path) -> tuple[dict[str, Tensors], dict[str, Any]] | None:
    """Return the newest complete checkpoint at `folder`, or None if there is none."""
    for place in (folder, folder.with_name(folder.name + ".old")):
        if (place / "state.json").exists():
            groups = {path.stem: load_file(path) for path in sorted(place.glob("*.safetensors"))}
            return groups, json.loads((place / "state.json").read_text(encoding="utf-8"))
    return None


class Average:
    """An exponential moving average of a module's floating-point parameters and buffers."""

    def __init__(self, module: torch.nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: torch.nn.Module, step: int) -> None:
        """Move towards the module; early steps move faster, so that the start is forgotten."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value, 1 - decay)
            else:
                self.values[name].copy_(value)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """Return an optimizer's per-parameter tensors under flat names."""
    states = optimizer.state_dict()["state"]
    return {f"{index}.{key}": torch.as_tensor(value) for index, slot in states.items() for key, value in slot.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Put back what `optimizer_tensors` returned."""
    states: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        index, key = name.split(".", 1)
        states.setdefault(int(index), {})[key] = value
    whole = optimizer.state_dict()
    optimizer.load_state_dict({"state": states, "param_groups": whole["param_groups"]})
