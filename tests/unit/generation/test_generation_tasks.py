"""What goes into each task, and how pictures are laid out and put back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe.core.request import ModelRef, Size, Task
from sdsafe.errors import CancelledError, RequestError
from sdsafe.generation import enlarging
from sdsafe.generation._diffusers import DiffusersGenerator
from sdsafe.generation.defaults import TINY_DEFAULTS
from sdsafe.generation.identity import Located
from sdsafe.generation.parameters import call_arguments, resolve
from sdsafe.generation.tasks import lay_out
from sdsafe.testing.samples import sample_admitted, sample_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import GenerationRequest, InputImage

    Ask = Callable[..., GenerationRequest]
    Picture = Callable[..., InputImage]

SD = "StableDiffusionPipeline"
PIXELS = sample_picture(3, height=70, width=90)


def located() -> Located:
    return Located(ref=ModelRef(repo="builtin:tiny"), pipeline=SD, defaults=TINY_DEFAULTS)


def mask_of(left: int, top: int, right: int, bottom: int, shape: tuple[int, ...] = PIXELS.shape) -> Pixels:
    mask = np.zeros(shape, np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


def asked(ask: Ask, picture: Picture, task: Task, **more: Any) -> GenerationRequest:
    inputs = [picture("image", PIXELS)]
    if task is Task.INPAINT:
        inputs.append(picture("mask", more.pop("mask", mask_of(20, 10, 60, 40))))
    return ask(**({"task": task, "inputs": tuple(inputs), "size": None, "steps": 4} | more))


@pytest.mark.parametrize("task", [Task.TRANSFORM, Task.VARY, Task.INPAINT])
def test_the_result_is_as_large_as_the_picture(ask: Ask, picture: Picture, task: Task) -> None:
    resolved = resolve(asked(ask, picture, task), located())
    assert resolved.size == Size(width=90, height=70)
    assert 0 < float(resolved.parameters["strength"]) <= 1
    again = resolve(resolved, located())
    assert (again.size, again.parameters) == (resolved.size, resolved.parameters)


def test_outpainting_adds_its_pads(ask: Ask, picture: Picture) -> None:
    pads = {"pad_left": 10, "pad_bottom": 6}
    resolved = resolve(asked(ask, picture, Task.OUTPAINT, parameters=pads), located())
    assert resolved.size == Size(width=100, height=76)
    canvas = lay_out(resolved, 8)
    assert canvas.size == Size(width=104, height=80)
    assert canvas.mask is not None
    assert not canvas.mask[:70, 10:100].any()
    assert canvas.mask[:70, :10].all()
    assert canvas.mask[70:76, :100].all()
    assert not canvas.mask[76:].any()
    made = np.full((80, 104, 3), 7, np.uint8)
    done = canvas.finish(made)
    assert np.array_equal(done[:70, 10:], PIXELS)
    assert (done[:70, :4] == 7).all()  # and fades into the picture over the six pixels beside it


def test_what_is_outside_the_mask_comes_back_as_it_was(ask: Ask, picture: Picture) -> None:
    canvas = lay_out(resolve(asked(ask, picture, Task.INPAINT), located()), 8)
    made = np.zeros((canvas.size.height, canvas.size.width, 3), np.uint8)
    done = canvas.finish(made)
    outside = mask_of(20, 10, 60, 40)[..., 0] == 0
    assert np.array_equal(done[outside], PIXELS[outside])
    core = mask_of(26, 16, 54, 34)[..., 0] > 0  # the paint fades in over the six pixels within the mask's edge
    assert not done[core].any()
    loose = resolve(asked(ask, picture, Task.INPAINT, parameters={"paste_back": False}), located())
    assert not lay_out(loose, 8).finish(made).any()


def test_a_picture_that_does_not_fit_the_model_is_padded_not_scaled(ask: Ask, picture: Picture) -> None:
    canvas = lay_out(resolve(asked(ask, picture, Task.TRANSFORM), located()), 64)
    assert canvas.size == Size(width=128, height=128)
    assert canvas.image is not None
    assert np.array_equal(canvas.image[:70, :90], PIXELS)
    assert np.array_equal(canvas.image[100, :90], PIXELS[-1])
    assert canvas.finish(canvas.image).shape == PIXELS.shape


def test_a_size_scales_what_is_transformed_and_nothing_else(ask: Ask, picture: Picture) -> None:
    size = Size(width=128, height=64)
    canvas = lay_out(resolve(asked(ask, picture, Task.TRANSFORM, size=size), located()), 8)
    assert canvas.size == size
    for task in (Task.INPAINT, Task.OUTPAINT):
        pads = {"pad_left": 8} if task is Task.OUTPAINT else {}
        with pytest.raises(RequestError, match="was asked for") as caught:
            resolve(asked(ask, picture, task, size=size, parameters=pads), located())
        assert caught.value.code == "request.size"


@pytest.mark.parametrize(
    ("task", "fields", "message"),
    [
        (Task.GENERATE, {}, "takes no input pictures, found image"),
        (Task.INPAINT, {"inputs": ()}, "role image and one picture with the role mask, found none"),
        (Task.INPAINT, {"mask": mask_of(0, 0, 4, 4, (64, 64, 3))}, "mask measures 64x64, the picture 90x70"),
        (Task.INPAINT, {"mask": mask_of(0, 0, 0, 0)}, "selects nothing"),
        (Task.OUTPAINT, {}, "all four pads are 0"),
        (Task.OUTPAINT, {"parameters": {"pad_left": -1}}, "whole number"),
        (Task.OUTPAINT, {"parameters": {"pad_left": 5000}}, "4096"),
        (Task.OUTPAINT, {"parameters": {"pad_left": True}}, "whole number"),
        (Task.RESTORE, {}, "not pictures without diffusion"),
        (Task.TRANSFORM, {"parameters": {"strength": 0}}, "from 0.01 to 1"),
        (Task.TRANSFORM, {"parameters": {"strength": 0.2}}, "leaves nothing to do"),
        (Task.TRANSFORM, {"parameters": {"paste_back": True}}, "unknown parameter 'paste_back'"),
        (Task.TRANSFORM, {"parameters": {"image": "x"}}, "input gate"),
        (Task.INPAINT, {"parameters": {"padding_mask_crop": 8}}, "pastes back"),
        (Task.INPAINT, {"parameters": {"mask_image": 8}}, "input gate"),
    ],
)
def test_what_does_not_fit_says_what_would(
    ask: Ask, picture: Picture, task: Task, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        resolve(asked(ask, picture, task, **fields), located())
    assert caught.value.code in {"request.task", "request.input", "request.parameter"}
    assert caught.value.hint


def test_strength_belongs_to_pictures_that_go_in(ask: Ask) -> None:
    with pytest.raises(RequestError, match="unknown parameter 'strength'"):
        resolve(ask(parameters={"strength": 0.5}), located())


def test_the_pipe_never_sees_what_is_ours(ask: Ask, picture: Picture) -> None:
    resolved = resolve(asked(ask, picture, Task.INPAINT), located())
    accepted = {"prompt", "strength", "num_inference_steps", "guidance_scale"}
    arguments = call_arguments(resolved, SD, accepted, Size(width=96, height=72))
    assert arguments.keys() == accepted
    assert call_arguments(resolved, SD, accepted | {"width", "height"}, Size(width=96, height=72))["width"] == 96


class TestEnlarging:
    def ask(self, picture: Picture, ask: Ask, **more: Any) -> GenerationRequest:
        request = asked(ask, picture, Task.UPSCALE, steps=None, prompt="", parameters={"scale": 3})
        return replace(request, **({"model": ModelRef(repo="builtin:scenes")} | more))

    def test_a_flat_colour_stays_itself_and_a_picture_its_mean(self, ask: Ask, picture: Picture) -> None:
        resolved = DiffusersGenerator().resolve(self.ask(picture, ask))
        assert (resolved.size, resolved.model.repo) == (Size(width=270, height=210), "builtin:lanczos")
        (made,) = DiffusersGenerator().generate(sample_admitted(resolved))
        assert made.pixels.shape == (210, 270, 3)
        assert made.pixels.mean() == pytest.approx(PIXELS.mean(), abs=0.5)
        assert set(made.execution.libraries) == {"numpy", "pillow"}
        flat = replace(resolved, inputs=(picture("image", np.full((70, 90, 3), 77, np.uint8)),))
        assert (enlarging.enlarge(sample_admitted(flat)).pixels == 77).all()

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"prompt": "a boat", "steps": 3}, "prompt, steps"),
            ({"count": 2}, "count"),
            ({"model": ModelRef(repo="owner/upscaler")}, "model"),
            ({"parameters": {"scale": 1}}, "from 2 to 8"),
            ({"parameters": {"scale": 2, "strength": 0.5}}, "strength"),
        ],
    )
    def test_what_has_no_effect_is_refused(
        self, ask: Ask, picture: Picture, fields: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(RequestError, match=message):
            enlarging.resolve(self.ask(picture, ask, **fields))

    def test_cancelled_means_no_picture(self, ask: Ask, picture: Picture) -> None:
        class Stop:
            def step(self, *_: int) -> None: ...
            def cancelled(self) -> bool:
                return True

        with pytest.raises(CancelledError):
            enlarging.enlarge(sample_admitted(enlarging.resolve(self.ask(picture, ask))), Stop())
