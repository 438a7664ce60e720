"""The pictures that `watermark.py` marks: held-out photographs and drawn scenes, or what the embedded model makes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.pixels import Pixels

__all__ = ["HELD_OUT", "SETS", "covers", "generated", "tuning"]

HELD_OUT = ("brick.png", "cell.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "retina.jpg")
_FIRST_SCENE = 900_000  # far from the seeds that the embedded model trains on
_FIRST_TUNING_SCENE = 905_000


def covers(count: int, size: int) -> Iterator[tuple[str, Pixels]]:
    """Yield held-out photographs, then drawn scenes, as squares."""
    from train.scenes import draw, sample

    for name in HELD_OUT[:count]:
        yield name.split(".")[0], photograph(name, size)
    for index in range(count - len(HELD_OUT)):
        yield f"scene-{index}", draw(sample(_FIRST_SCENE + index), size)


def tuning(count: int, size: int) -> Iterator[tuple[str, Pixels]]:
    """Yield drawn scenes that constants may be chosen with."""
    from train.scenes import draw, sample

    for index in range(count):
        yield f"tuning-{index}", draw(sample(_FIRST_TUNING_SCENE + index), size)


def photograph(name: str, size: int) -> Pixels:
    """Return the middle of a photograph of scikit-image as a square."""
    from importlib.resources import files

    with (files("skimage") / "data" / name).open("rb") as file:
        picture = Image.open(file).convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    return np.array(square.resize((size, size), Image.Resampling.BICUBIC))


def generated(count: int, size: int) -> Iterator[tuple[str, Pixels]]:
    """Yield what the embedded model makes of captions that its training never saw, unpicked."""
    from train import captions, scenes

    pipe = _pipe()
    for index in range(count):
        caption = captions.caption(scenes.sample(_FIRST_SCENE + index), 0, plain=True)
        seed = torch_seed(index)
        made = pipe(
            caption,
            height=size,
            width=size,
            num_inference_steps=25,
            guidance_scale=4.0,
            generator=seed,
            output_type="np",
        )
        yield f"generated-{index}", np.asarray(np.round(made.images[0] * 255), np.uint8)


def _pipe() -> Any:
    import torch
    from diffusers import AutoPipelineForText2Image

    import sdsafe_scenes

    torch.set_num_threads(1)
    pipe = AutoPipelineForText2Image.from_pretrained(sdsafe_scenes.path(), local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def torch_seed(index: int) -> Any:
    """Return the noise of picture ``index``."""
    import torch

    return torch.Generator("cpu").manual_seed(index)


SETS = {"held-out": ("watermark-robust", covers), "generated": ("watermark-generated", generated)}
"""Where the results of a set of covers go, and where its covers come from."""
