"""Pictures made of pictures, by small pipelines with random weights: every task, every way."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe.core.request import Size, Task
from sdsafe.errors import RequestError
from sdsafe.generation._diffusers import DiffusersGenerator
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import InputImage
    from sdsafe.core.states import Generated

    Make = Callable[..., list[Generated]]
    Picture = Callable[..., InputImage]

PIXELS = sample_picture(5, height=72, width=90)


def _mask() -> Pixels:
    mask = np.zeros_like(PIXELS)
    mask[16:48, 16:64] = 255
    return mask


@pytest.fixture
def edit(generator: DiffusersGenerator, make: Make, picture: Picture) -> Callable[..., list[Generated]]:
    def run(task: Task, **more: Any) -> list[Generated]:
        inputs = [picture("image", PIXELS), *([picture("mask", _mask())] if task is Task.INPAINT else [])]
        return make(generator, **({"task": task, "inputs": tuple(inputs), "size": None, "steps": 4} | more))

    return run


def _change(a: Pixels, b: Pixels) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


@pytest.mark.parametrize("family", ["builtin:tiny", "sdxl", "sixteen_channels", "sd3", "flux"])
def test_every_family_transforms_paints_inside_and_paints_outside(
    edit: Callable[..., list[Generated]], request: pytest.FixtureRequest, family: str
) -> None:
    model = family if ":" in family else request.getfixturevalue(family)
    (transformed,) = edit(Task.TRANSFORM, model=model)
    assert transformed.pixels.shape == PIXELS.shape
    (inside,) = edit(Task.INPAINT, model=model)
    outside_mask = _mask()[..., 0] == 0
    assert np.array_equal(inside.pixels[outside_mask], PIXELS[outside_mask])
    assert _change(inside.pixels[~outside_mask], PIXELS[~outside_mask]) > 5
    (around,) = edit(Task.OUTPAINT, model=model, parameters={"pad_left": 16, "pad_top": 8})
    assert around.pixels.shape == (80, 106, 3)
    assert np.array_equal(around.pixels[8:, 16:], PIXELS)
    (generated,) = edit(Task.GENERATE, inputs=(), model=model, size=Size(width=64, height=64))
    assert generated.pixels.shape == (64, 64, 3)


def test_the_same_seed_gives_the_same_edit_and_count_goes_on_from_it(edit: Callable[..., list[Generated]]) -> None:
    first, second = edit(Task.TRANSFORM, count=2)
    (again,) = edit(Task.TRANSFORM)
    assert first.pixels_sha256 == again.pixels_sha256
    assert second.pixels_sha256 != first.pixels_sha256
    assert (first.seed, second.seed) == (7, 8)


def test_strength_steers_how_much_of_the_noise_is_ours(edit: Callable[..., list[Generated]]) -> None:
    """With random weights nothing resembles anything; but what is asked for must reach the pipe."""
    results = [edit(Task.TRANSFORM, parameters={"strength": s}, steps=10)[0] for s in (0.1, 0.5, 1.0)]
    assert len({each.pixels_sha256 for each in results}) == 3


def test_the_number_of_channels_is_the_models_own_again(
    edit: Callable[..., list[Generated]], sixteen_channels: str
) -> None:
    """The inpainting class wants it hidden from it; whoever comes next must find it as it was."""
    picture: dict[str, Any] = {"inputs": (), "model": sixteen_channels, "size": Size(width=64, height=64)}
    (before,) = edit(Task.GENERATE, **picture)
    edit(Task.INPAINT, model=sixteen_channels)
    (after,) = edit(Task.GENERATE, **picture)
    assert before.pixels_sha256 == after.pixels_sha256
    assert after.execution.model.digest == before.execution.model.digest


def test_a_text_that_is_too_long_says_what_was_read_and_warns_without_repeating_it(
    edit: Callable[..., list[Generated]], caplog: pytest.LogCaptureFixture
) -> None:
    long = "Confidential " * 30  # the tiny tokenizer makes a token of every letter
    with caplog.at_level(logging.WARNING):
        (made,) = edit(Task.TRANSFORM, prompt=long, negative_prompt="blur")
    texts = {each.name: each for each in made.execution.encoded}
    read = texts["prompt"]
    assert read.cut
    assert (read.encoder, read.limit) == ("tokenizer", 75)
    assert read.tokens == 30 * len("Confidential")
    assert long.startswith(read.text)
    assert len(read.text.replace(" ", "")) == 75
    assert not texts["negative_prompt"].cut
    assert texts["negative_prompt"].text == "blur"
    assert "prompt was cut: tokenizer reads 75 of its 360 tokens" in caplog.text
    assert "Token indices" not in caplog.text  # another library's advice, which is not about us
    assert "onfidential" not in caplog.text
    assert "onfidential" not in repr(made.execution)


def test_what_the_model_reads_is_what_makes_the_picture(edit: Callable[..., list[Generated]]) -> None:
    long = "house " * 30  # 75 tokens end with a word
    (made,) = edit(Task.TRANSFORM, prompt=long)
    (read,) = made.execution.encoded
    (short,) = edit(Task.TRANSFORM, prompt=read.text)
    assert made.pixels_sha256 == short.pixels_sha256
    (shorter,) = edit(Task.TRANSFORM, prompt=read.text[:-1])
    assert made.pixels_sha256 != shorter.pixels_sha256


def test_two_encoders_are_asked_each_for_its_own_text(edit: Callable[..., list[Generated]], sdxl: str) -> None:
    (made,) = edit(Task.TRANSFORM, model=sdxl, prompt_2="a boat")
    assert {(each.name, each.encoder, each.text) for each in made.execution.encoded} == {
        ("prompt", "tokenizer", "a red house"),
        ("prompt_2", "tokenizer_2", "a boat"),
    }


def test_threads_that_do_different_things_with_one_model_get_what_single_calls_get(
    edit: Callable[..., list[Generated]], sixteen_channels: str
) -> None:
    """Its pipelines share schedulers, tokenizers, and the number of channels that inpainting hides."""
    cases = [(task, seed) for task in (Task.GENERATE, Task.TRANSFORM, Task.INPAINT) for seed in (1, 2)]

    def run(case: tuple[Task, int]) -> str:
        more: dict[str, Any] = {"inputs": (), "size": Size(width=64, height=64)} if case[0] is Task.GENERATE else {}
        (made,) = edit(case[0], seed=case[1], model=sixteen_channels, prompt="house " * 20, **more)
        return made.pixels_sha256

    alone = [run(case) for case in cases]
    with ThreadPoolExecutor(len(cases)) as pool:
        assert list(pool.map(run, cases)) == alone
    assert len(set(alone)) == len(cases)


@pytest.mark.slow
def test_the_less_strength_the_more_of_the_picture_stays(
    generator: DiffusersGenerator, make: Make, picture: Picture
) -> None:
    """With a model that has learnt something; structural similarity in windows of 8 pixels."""
    size = Size(width=256, height=256)
    common: dict[str, Any] = {"model": "builtin:scenes", "steps": 10}
    (made,) = make(generator, prompt="a red house on green hills at sunset", size=size, **common)
    inputs = (picture("image", made.pixels),)
    near, far = (
        make(
            generator,
            prompt="a blue house on snowy hills at night",
            task=Task.TRANSFORM,
            inputs=inputs,
            size=None,
            parameters={"strength": strength},
            **common,
        )[0]
        for strength in (0.2, 0.9)
    )
    assert _similarity(made.pixels, near.pixels) > 0.9
    assert _similarity(made.pixels, far.pixels) < 0.8


def _similarity(a: Pixels, b: Pixels) -> float:
    """Return the mean SSIM (Wang et al. 2004, with K1 = 0.01 and K2 = 0.03) of two pictures in gray."""

    def mean(values: Any) -> Any:
        return np.lib.stride_tricks.sliding_window_view(values, (8, 8)).mean(axis=(2, 3))

    x, y = a.mean(axis=2), b.mean(axis=2)
    mx, my = mean(x), mean(y)
    vx, vy, both = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(((2 * mx * my + c1) * (2 * both + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))).mean())


def test_each_encoder_has_a_limit_of_its_own(edit: Callable[..., list[Generated]], flux: str) -> None:
    (made,) = edit(Task.TRANSFORM, model=flux, prompt="house " * 20)
    clip, t5 = made.execution.encoded
    assert (clip.encoder, clip.limit, clip.cut, clip.text) == ("tokenizer", 75, True, "house " * 14 + "house")
    assert (t5.encoder, t5.limit, t5.cut) == ("tokenizer_2", 511, False)
    (short,) = edit(Task.TRANSFORM, model=flux, prompt="house " * 20, parameters={"max_sequence_length": 64})
    assert short.execution.encoded[1].cut
    assert short.execution.encoded[1].limit == 63


def test_a_class_that_cannot_says_so(
    generator: DiffusersGenerator, make: Make, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers import AutoPipelineForInpainting

    def fail(*_: object, **__: object) -> None:
        raise ValueError("AutoPipeline can't find a pipeline linked to X for None")

    monkeypatch.setattr(AutoPipelineForInpainting, "from_pipe", fail)
    fresh = DiffusersGenerator(device="cpu", threads=1)
    inputs = (picture("image", PIXELS), picture("mask", _mask()))
    with pytest.raises(RequestError, match="has no class for inpainting"):
        make(fresh, task=Task.INPAINT, inputs=inputs, size=None, steps=2)


def test_a_family_without_a_class_for_pictures_says_so(edit: Callable[..., list[Generated]], chroma: str) -> None:
    with pytest.raises(RequestError) as caught:
        edit(Task.TRANSFORM, model=chroma)
    assert caught.value.code == "request.task"
