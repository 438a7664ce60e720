"""The mark in the initial noise, over real pipelines: those with random weights, and the embedded model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe.bindings.watermark.latent import LatentMarker
from sdsafe.core.request import GenerationRequest, Size, Task
from sdsafe.errors import RequestError, WatermarkError
from sdsafe.generation._diffusers import DiffusersGenerator
from sdsafe.generation.marking import STEPS_BACK
from sdsafe.protocols import Invertible
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from sdsafe.core.request import InputImage
    from sdsafe.core.states import Admitted, Generated

    Make = Callable[..., list[Generated]]
    Ask = Callable[..., GenerationRequest]
    Admit = Callable[[GenerationRequest], Admitted]

SMALL = Size(width=128, height=128)
KEY = bytes(range(32))
NAMES = ("tiny", "sdxl", "sd3", "flux")


@pytest.fixture(scope="module")
def marked() -> DiffusersGenerator:
    generator = DiffusersGenerator(device="cpu", threads=1)
    generator.mark_noise(LatentMarker(KEY))
    return generator


@pytest.fixture
def folder_of(request: pytest.FixtureRequest) -> Callable[[str], str]:
    def find(name: str) -> str:
        return str(request.getfixturevalue({"tiny": "tiny_folder"}.get(name, name)))

    return find


def pipe_of(folder: str) -> Any:
    from sdsafe.generation._libraries import diffusers

    index = json.loads((Path(folder) / "model_index.json").read_text())
    absent = {name: None for name, each in index.items() if each == [None, None]}
    pipe = diffusers.AutoPipelineForText2Image.from_pretrained(folder, local_files_only=True, **absent)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.mark.parametrize("name", NAMES)
def test_pictures_begin_with_the_noise_of_their_id(
    name: str, folder_of: Callable[[str], str], marked: DiffusersGenerator, make: Make
) -> None:
    folder = folder_of(name)
    first, second = make(marked, model=folder, size=SMALL, count=2)
    said = first.execution.noise_mark
    assert said is not None
    assert (said.alg, said.key_id, said.why_not) == ("org.sdsafe.latent.1", LatentMarker(KEY).key_id, "")
    assert not np.array_equal(first.pixels, second.pixels)
    from sdsafe.generation._libraries import torch

    noise = LatentMarker(KEY).noise(first.asset_id.value, said.shape)
    asked = first.admitted.request
    made = pipe_of(folder)(
        prompt="a red house",
        width=128,
        height=128,
        num_inference_steps=asked.steps,
        guidance_scale=asked.guidance,
        latents=torch.from_numpy(noise),
        output_type="np",
    ).images[0]
    assert np.array_equal(first.pixels, (made * 255).round().astype(np.uint8))


def test_the_same_request_and_id_give_the_same_pixels(marked: DiffusersGenerator, ask: Ask, admit: Admit) -> None:
    admitted = admit(marked.resolve(ask(size=SMALL, count=2)))
    once, again = list(marked.generate(admitted)), list(marked.generate(admitted))
    assert [each.pixels_sha256 for each in once] == [each.pixels_sha256 for each in again]
    fresh = DiffusersGenerator(device="cpu", threads=1)
    fresh.mark_noise(LatentMarker(KEY))
    assert next(iter(fresh.generate(admitted))).pixels_sha256 == once[0].pixels_sha256


def test_without_a_marker_only_the_seed_counts(
    generator: DiffusersGenerator, make: Make, marked: DiffusersGenerator
) -> None:
    (before,) = make(generator, size=SMALL)
    make(marked, size=SMALL)  # nothing of it stays in the process
    (after,) = make(generator, size=SMALL)
    assert before.pixels_sha256 == after.pixels_sha256
    assert before.execution.noise_mark is None
    (other,) = make(marked, size=SMALL)
    assert other.pixels_sha256 != before.pixels_sha256


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"scheduler": "euler-a"}, "noise of its own"),
        ({"scheduler": "ddpm"}, "noise of its own"),
        ({"scheduler": "dpmpp-sde", "steps": 4}, "noise of its own"),
        ({"parameters": {"eta": 0.5}}, "noise of its own"),
    ],
)
def test_what_could_not_be_read_is_not_marked_and_says_so(
    fields: dict[str, Any], why: str, generator: DiffusersGenerator, marked: DiffusersGenerator, make: Make,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    (plain,), (asked,) = make(generator, size=SMALL, **fields), make(marked, size=SMALL, **fields)
    assert asked.pixels_sha256 == plain.pixels_sha256
    said = asked.execution.noise_mark
    assert said is not None
    assert (said.shape, said.key_id) == ((), "")
    assert why in said.why_not
    assert "no mark in the noise" in caplog.text


def test_pictures_from_pictures_say_that_they_carry_none(
    marked: DiffusersGenerator, make: Make, admit: Admit, picture: Callable[..., InputImage]
) -> None:
    given = picture("image", sample_picture(height=128, width=128))
    (moved,) = make(marked, task=Task.TRANSFORM, size=None, steps=4, inputs=(given,))
    enlarged = GenerationRequest(prompt="", task=Task.UPSCALE, inputs=(given,))
    (larger,) = marked.generate(admit(marked.resolve(replace(enlarged, seed=1))))
    for each, why in ((moved, "begins with another picture"), (larger, "no diffusion model")):
        assert each.execution.noise_mark is not None
        assert why in each.execution.noise_mark.why_not


def test_classes_that_cannot_be_run_backwards_are_not_marked(
    chroma: str, marked: DiffusersGenerator, make: Make
) -> None:
    (made,) = make(marked, model=chroma, size=SMALL)
    assert made.execution.noise_mark is not None
    assert "cannot be run backwards" in made.execution.noise_mark.why_not
    with pytest.raises(RequestError, match="cannot be run backwards"):
        marked.invert(made.pixels, made.admitted.request)


def test_too_small_a_picture_is_refused(marked: DiffusersGenerator, make: Make) -> None:
    with pytest.raises(WatermarkError, match="too small") as caught:
        make(marked, size=Size(width=64, height=64))
    assert caught.value.code == "watermark.too-small"


@pytest.mark.parametrize("name", NAMES)
def test_the_way_back_undoes_the_way_there(name: str, folder_of: Callable[[str], str]) -> None:
    from sdsafe.generation import _inverting
    from sdsafe.generation._libraries import torch

    pipe = pipe_of(folder_of(name))
    own = pipe.scheduler
    drawn: list[npt.NDArray[np.float32]] = []
    prepare = pipe.prepare_latents

    def prepared(*args: Any, **kwargs: Any) -> Any:
        made = prepare(*args, **kwargs)
        drawn.append(
            (made[0] if isinstance(made, tuple) else made).numpy().copy() / getattr(own, "init_noise_sigma", 1)
        )
        return made

    pipe.prepare_latents = prepared
    how = {"prompt": "x", "width": 128, "height": 128, "guidance_scale": 1.0, "output_type": "latent"}
    with torch.no_grad():
        latents = pipe(**how, num_inference_steps=25, generator=torch.Generator().manual_seed(1)).images
        pipe.scheduler = _inverting._backwards(own)
        back = pipe(**how, num_inference_steps=25, latents=latents).images.numpy()
    assert back.shape == drawn[0].shape
    assert np.corrcoef(back.ravel(), drawn[0].ravel())[0, 1] > 0.97


@pytest.mark.parametrize("name", NAMES)
def test_every_class_is_led_back_in_the_shape_of_its_noise(
    name: str, folder_of: Callable[[str], str], marked: DiffusersGenerator, make: Make, ask: Ask
) -> None:
    (made,) = make(marked, model=folder_of(name), size=SMALL)
    assert made.execution.noise_mark is not None
    noise = marked.invert(made.pixels, ask(model=folder_of(name), prompt="", size=None, steps=None))
    assert noise.shape == made.execution.noise_mark.shape
    assert noise.dtype == np.float32
    assert np.isfinite(noise).all()


def test_the_encoder_goes_back_to_what_the_decoder_was_given(tiny_folder: Any, flux: str, sdxl: str) -> None:
    from sdsafe.generation import _inverting

    for folder in (str(tiny_folder), sdxl, flux):
        pipe = pipe_of(folder)
        pixels = sample_picture(height=128, width=128)
        config = pipe.vae.config
        latents = _inverting._encoded(pipe, pixels)
        if latents.ndim == 3:
            latents = pipe._unpack_latents(latents, 128, 128, pipe.vae_scale_factor)
        decoded_from = latents / config.scaling_factor + (getattr(config, "shift_factor", None) or 0)
        image = pipe.image_processor.preprocess(pixels[None].astype(np.float32) / 255)
        assert np.allclose(decoded_from.detach(), pipe.vae.encode(image).latent_dist.mode().detach(), atol=1e-4)


def test_the_picture_must_measure_what_was_asked_for(marked: DiffusersGenerator, ask: Ask) -> None:
    with pytest.raises(RequestError, match="does not measure"):
        marked.invert(sample_picture(height=128, width=128), ask(size=Size(width=256, height=128)))
    with pytest.raises(RequestError, match="not divisible"):
        marked.invert(sample_picture(height=100, width=128), ask(size=None))


def test_the_generator_fills_its_slot() -> None:
    assert isinstance(DiffusersGenerator(), Invertible)
    assert STEPS_BACK == 10


@pytest.mark.slow
def test_the_noise_of_pictures_tells_their_ids_apart(marked: DiffusersGenerator, make: Make, ask: Ask) -> None:
    marker = LatentMarker(KEY)
    how = {"model": "builtin:scenes", "size": Size(width=512, height=512), "steps": 25}
    pictures = make(marked, count=2, **how)
    (plain,) = make(DiffusersGenerator(device="cpu", threads=1), **how)
    backwards = ask(model="builtin:scenes", prompt="", size=None, steps=None)
    noises = [marked.invert(each.pixels, backwards) for each in (*pictures, plain)]
    p_values = [[marker.match(noise, each.asset_id.value).p_value for each in pictures] for noise in noises]
    assert max(p_values[0][0], p_values[1][1]) < 1e-9
    assert min(p_values[0][1], p_values[1][0], *p_values[2]) > 1e-4
