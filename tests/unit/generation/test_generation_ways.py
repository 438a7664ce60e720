"""Models that cannot go every way: widened for a mask, made for refining, made for editing by instruction."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe.core.request import Size, Task
from sdsafe.errors import RequestError
from sdsafe.generation.layout import Components
from sdsafe.generation.tasks import IMAGE, MASK, Kind
from sdsafe.generation.ways import ALL, ways_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.states import Generated
    from sdsafe.generation._diffusers import DiffusersGenerator

PICTURE = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
TALL = np.concatenate([PICTURE, PICTURE[:32]])
LEFT = np.zeros((64, 64, 3), np.uint8)
LEFT[:, :32] = 255


@pytest.mark.parametrize(
    ("pipeline", "channels", "absent", "ways"),
    [
        ("StableDiffusionPipeline", 4, (), ALL),
        ("StableDiffusionPipeline", 16, (), ALL),
        ("StableDiffusionInpaintPipeline", 4, (), ALL),
        ("StableDiffusionInpaintPipeline", 9, (), (Kind.INPAINTING,)),
        ("StableDiffusionXLImg2ImgPipeline", 4, (), ALL),
        ("StableDiffusionXLImg2ImgPipeline", 4, ("text_encoder", "tokenizer"), (Kind.IMAGE,)),
        ("FluxKontextPipeline", None, (), (Kind.TEXT, Kind.IMAGE)),
        ("FluxFillPipeline", None, (), (Kind.INPAINTING,)),
        ("QwenImageEditPlusPipeline", None, (), (Kind.IMAGE,)),
        ("StableDiffusionInstructPix2PixPipeline", 8, (), (Kind.IMAGE,)),
        ("StableDiffusionUpscalePipeline", 7, (), (Kind.UPSCALING,)),
        ("DanceDiffusionPipeline", None, (), (Kind.SOUND,)),
    ],
)
def test_ways_follow_from_class_and_channels(
    pipeline: str, channels: int | None, absent: tuple[str, ...], ways: tuple[Kind, ...]
) -> None:
    components = Components(pipeline=pipeline, loaded={}, set_aside=(), absent=absent)
    assert ways_of(components, channels) == ways


@pytest.fixture(scope="module")
def widened(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An inpainting model: latents, mask and masked picture go in together."""
    import torch
    from diffusers import StableDiffusionInpaintPipeline, UNet2DConditionModel

    from sdsafe.generation import _tiny

    tiny = _tiny.build()
    torch.manual_seed(0)
    pipe = StableDiffusionInpaintPipeline(
        unet=UNet2DConditionModel.from_config({**tiny.unet.config, "in_channels": 9, "_use_default_values": []}), vae=tiny.vae,
        text_encoder=tiny.text_encoder, tokenizer=tiny.tokenizer, scheduler=tiny.scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("widened") / "tiny-inpainting"
    pipe.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def refiner(tmp_path_factory: pytest.TempPathFactory, sdxl: str) -> str:
    """A refiner: the second text encoder alone, and an aesthetic score."""
    import torch
    from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline, UNet2DConditionModel

    whole = StableDiffusionXLPipeline.from_pretrained(sdxl)
    torch.manual_seed(0)
    unet = UNet2DConditionModel.from_config(
        {
            **whole.unet.config,
            "cross_attention_dim": 32,
            "projection_class_embeddings_input_dim": 72,
            "_use_default_values": [],
        }
    )
    pipe = StableDiffusionXLImg2ImgPipeline(
        vae=whole.vae, text_encoder=None, tokenizer=None, text_encoder_2=whole.text_encoder_2,
        tokenizer_2=whole.tokenizer_2, unet=unet, scheduler=whole.scheduler, requires_aesthetics_score=True,
        add_watermarker=False,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("refiner") / "tiny-refiner"
    pipe.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def kontext(tmp_path_factory: pytest.TempPathFactory, flux: str) -> str:
    """Flux's components under the class that edits by instruction."""
    folder = tmp_path_factory.mktemp("kontext") / "tiny-kontext"
    shutil.copytree(flux, folder)
    index = Path(folder) / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "_class_name": "FluxKontextPipeline"}))
    return str(folder)


def test_a_widened_model_inpaints(
    generator: DiffusersGenerator, make: Callable[..., list[Generated]], picture: Callable[..., Any], widened: str
) -> None:
    inputs = (picture(IMAGE, PICTURE), picture(MASK, LEFT))
    (made,) = make(generator, model=widened, task=Task.INPAINT, size=None, inputs=inputs)
    assert (made.pixels[:, 32:] == PICTURE[:, 32:]).all()
    assert (made.pixels[:, :32] != PICTURE[:, :32]).any()
    assert made.execution.model.pipeline == "StableDiffusionInpaintPipeline"


@pytest.mark.parametrize("task", [Task.GENERATE, Task.TRANSFORM])
def test_a_widened_model_does_nothing_else(
    generator: DiffusersGenerator,
    make: Callable[..., list[Generated]],
    picture: Callable[..., Any],
    widened: str,
    task: Task,
) -> None:
    inputs = (picture(IMAGE, PICTURE),) if task is Task.TRANSFORM else ()
    with pytest.raises(RequestError, match="does inpainting, not") as caught:
        make(generator, model=widened, task=task, inputs=inputs, size=None)
    assert caught.value.code == "request.task"


def test_a_refiner_refines(
    generator: DiffusersGenerator, make: Callable[..., list[Generated]], picture: Callable[..., Any], refiner: str
) -> None:
    inputs = (picture(IMAGE, PICTURE),)
    made = [
        make(generator, model=refiner, task=Task.TRANSFORM, size=None, inputs=inputs, steps=4, parameters=scores)[0]
        for scores in ({"strength": 0.5}, {"strength": 0.5, "aesthetic_score": 2.0})
    ]
    assert made[0].pixels.shape == PICTURE.shape
    assert (made[0].pixels != made[1].pixels).any()  # the score reaches the model
    with pytest.raises(RequestError, match="not text to image"):
        make(generator, model=refiner)


def test_a_model_that_edits_by_instruction_has_no_strength(
    generator: DiffusersGenerator, make: Callable[..., list[Generated]], picture: Callable[..., Any], kontext: str
) -> None:
    inputs = (picture(IMAGE, TALL),)
    (made,) = make(generator, model=kontext, task=Task.TRANSFORM, size=None, inputs=inputs)
    request = made.admitted.request
    assert made.pixels.shape == (96, 64, 3)
    assert "strength" not in request.parameters
    other = np.full_like(TALL, 255)
    (elsewhere,) = make(generator, model=kontext, task=Task.TRANSFORM, size=None, inputs=(picture(IMAGE, other),))
    assert (made.pixels != elsewhere.pixels).any()  # the picture reaches the model
    with pytest.raises(RequestError, match="strength"):
        make(generator, model=kontext, task=Task.TRANSFORM, inputs=inputs, parameters={"strength": 0.5})


def test_a_model_that_edits_by_instruction_also_makes_pictures_from_text(
    generator: DiffusersGenerator, make: Callable[..., list[Generated]], kontext: str
) -> None:
    (made,) = make(generator, model=kontext, size=Size(width=96, height=64))
    assert made.pixels.shape == (64, 96, 3)
