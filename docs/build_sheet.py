"""Makes the contact sheet of every task in ``docs/assets/tasks.jpg``: real releases of the embedded model, unpicked.

    python docs/build_sheet.py

Keys, ledger and repository lie in a temporary folder. Every picture is released, and read from its signed file.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from sdsafe._internal import images
from sdsafe._internal.locations import default_places
from sdsafe.api import open_pipeline
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, Size, Task
from sdsafe.core.states import Asset, Recorded
from sdsafe.inputs import as_input
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.settings import Settings

if TYPE_CHECKING:
    from sdsafe.core.request import InputImage

SIDE = 220
_SHEET = Path(__file__).parent / "assets" / "tasks.jpg"


def main() -> None:
    """Release one picture per task and write the sheet."""
    with tempfile.TemporaryDirectory() as folder:
        places = Places(state=Path(folder) / "state", cache=default_places(os.environ).cache)
        init_development(places.keys, name="contact sheet", password=None, force=False)
        pipeline = open_pipeline(Settings.load({"HOME": folder}, site=Path(folder) / "none.toml", places=places))

        def make(task: Task, prompt: str, *inputs: InputImage, **fields: object) -> Asset:
            request = GenerationRequest(task=task, prompt=prompt, seed=7, inputs=inputs, **fields)  # type: ignore[arg-type]
            (outcome,) = pipeline.run(request)
            if not isinstance(outcome, Recorded):
                raise SystemExit(f"{task.value} was not released: {outcome}")
            return outcome.asset

        first = make(Task.GENERATE, "a red house on green hills at sunset", size=Size(width=512, height=512))
        start = as_input(first, "image")
        mask = np.zeros((512, 512, 3), np.uint8)
        mask[30:180, 330:490] = 255
        made = {
            "generate": first,
            "transform 0.9: a blue house at night": make(
                Task.TRANSFORM, "a blue house on green hills at night", start, parameters={"strength": 0.9}
            ),
            "vary 0.5": make(Task.VARY, "", start, parameters={"strength": 0.5}),
            "inpaint: a yellow balloon": make(
                Task.INPAINT,
                "a yellow balloon in the sky at sunset",
                start,
                as_input(Asset(data=images.encode(mask), media_type="image/png"), "mask"),
            ),
            "outpaint 128 left and right": make(
                Task.OUTPAINT,
                "a red house on green hills at sunset",
                start,
                parameters={"pad_left": 128, "pad_right": 128},
            ),
            "upscale 2": make(Task.UPSCALE, "", start, parameters={"scale": 2}),
        }
    _sheet(made)


def _sheet(made: dict[str, Asset]) -> None:
    columns = 3
    rows = -(-len(made) // columns)
    sheet = Image.new("RGB", (columns * (SIDE + 12) + 12, rows * (SIDE + 32) + 12), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (title, asset) in enumerate(made.items()):
        picture = Image.fromarray(images.decode(asset.data))
        size = f"{picture.width}x{picture.height}"
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        left, top = 12 + number % columns * (SIDE + 12), 12 + number // columns * (SIDE + 32)
        sheet.paste(picture, (left, top + (SIDE - picture.height) // 2))
        pen.text((left, top + SIDE + 3), f"{title}  ({size})", "black")
    sheet.save(_SHEET, quality=88)


if __name__ == "__main__":
    main()
