"""Makes the sample grid of a pipeline folder: the 16 fixed prompts, seeds 0 to 15, unpicked."""

from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers import AutoPipelineForText2Image
from PIL import Image

from train import captions

STEPS: Final = 25
GUIDANCE: Final = 4.0
_SHOWN: Final = 256


def write(folder: Path, target: Path) -> None:
    """Generate the grid through the ordinary pipeline at 512 and write it at half size."""
    pipe = AutoPipelineForText2Image.from_pretrained(folder, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    made = []
    for start in range(0, len(captions.GRID), 4):
        prompts = list(captions.GRID[start : start + 4])
        noise = [torch.Generator().manual_seed(start + index) for index in range(len(prompts))]
        images = pipe(prompts, generator=noise, num_inference_steps=STEPS, guidance_scale=GUIDANCE).images
        made.append(np.concatenate([np.asarray(image.resize((_SHOWN, _SHOWN))) for image in images], axis=1))
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(made, axis=0)).save(target, optimize=True)
