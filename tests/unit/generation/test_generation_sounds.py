"""Sounds from small pipelines: what may be asked for, what comes out, and what never reaches a model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe.core.request import Size, Task
from sdsafe.errors import CancelledError, GenerationError, RequestError
from sdsafe.generation._sounding import samples_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.sound import Sound
    from sdsafe.core.states import Admitted, Generated
    from sdsafe.generation._diffusers import DiffusersGenerator

    Make = Callable[..., list[Generated]]

SOUND = {"task": Task.AUDIO, "size": None, "prompt": ""}


def _sound(generated: Generated) -> Sound:
    assert generated.sound is not None
    assert generated.pixels.size == 0
    assert not generated.pixels_sha256
    return generated.sound


def test_dance_diffusion_makes_what_was_asked_for(generator: DiffusersGenerator, make: Make, dance: str) -> None:
    first, second = make(generator, model=dance, seconds=0.1, count=2, **SOUND)
    sound = _sound(first)
    assert (sound.rate, sound.channels, len(sound.samples)) == (16_000, 2, 1600)
    assert first.execution.model.pipeline == "DanceDiffusionPipeline"
    assert first.execution.scheduler == "IPNDMScheduler"
    assert (first.seed, second.seed) == (7, 8)
    assert sound.sha256 != _sound(second).sha256


def test_the_same_seed_gives_the_same_samples(generator: DiffusersGenerator, make: Make, dance: str) -> None:
    (_, second) = make(generator, model=dance, seconds=0.05, count=2, **SOUND)
    (alone,) = make(generator, model=dance, seconds=0.05, seed=8, **SOUND)
    assert (_sound(alone).samples == _sound(second).samples).all()
    assert _sound(alone).sha256 == _sound(second).sha256


def test_a_model_without_texts_makes_the_length_it_was_trained_on(
    generator: DiffusersGenerator, make: Make, dance: str
) -> None:
    (made,) = make(generator, model=dance, **SOUND)
    assert made.admitted.request.seconds == 512 / 16_000
    assert len(_sound(made).samples) == 512
    assert made.admitted.request.guidance is None


def test_stable_audio_follows_prompt_length_and_steps(
    generator: DiffusersGenerator, make: Make, stable_audio: str
) -> None:
    steps: list[tuple[int, int]] = []

    class Watch:
        def step(self, image: int, step: int, _total: int) -> None:
            steps.append((image, step))

        def cancelled(self) -> bool:
            return False

    asked: dict[str, Any] = {**SOUND, "model": stable_audio, "seconds": 0.15, "steps": 3}
    (bell,) = make(generator, Watch(), **{**asked, "prompt": "a bell", "negative_prompt": "noise"})
    (rain,) = make(generator, **{**asked, "prompt": "rain", "negative_prompt": "noise"})
    assert (_sound(bell).rate, _sound(bell).channels, len(_sound(bell).samples)) == (8000, 2, 1200)
    assert _sound(bell).sha256 != _sound(rain).sha256
    assert steps == [(0, 1), (0, 2), (0, 3)]
    assert bell.admitted.request.guidance == 7.0


def test_what_is_read_of_a_long_prompt_is_said(generator: DiffusersGenerator, make: Make, stable_audio: str) -> None:
    asked: dict[str, Any] = {**SOUND, "model": stable_audio, "seconds": 0.1}
    (made,) = make(generator, **{**asked, "prompt": "abc" * 20})
    (encoded,) = made.execution.encoded
    assert (encoded.name, encoded.tokens, encoded.limit, encoded.cut) == ("prompt", 61, 31, True)
    assert encoded.text == ("abc" * 20)[:30]  # the first token is the gap before a word
    (same,) = make(generator, **{**asked, "prompt": ("abc" * 20)[:30] + "xyz" * 10})
    assert _sound(same).sha256 == _sound(made).sha256
    (short,) = make(generator, **{**asked, "prompt": "abc"})
    assert not short.execution.encoded[0].cut


def test_a_run_that_is_cancelled_gives_no_sound(generator: DiffusersGenerator, make: Make, stable_audio: str) -> None:
    class Watch:
        asked = 0

        def step(self, *_told: int) -> None:
            self.asked += 1

        def cancelled(self) -> bool:
            return self.asked > 0

    with pytest.raises(CancelledError):
        make(generator, Watch(), **{**SOUND, "model": stable_audio, "seconds": 0.1, "prompt": "a bell"})


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"prompt": "a bell"}, "request.parameter"),
        ({"negative_prompt": "noise"}, "request.parameter"),
        ({"guidance": 3.0}, "request.guidance"),
        ({"seconds": 0.001}, "request.seconds"),
        ({"seconds": 601.0}, "request.seconds"),
        ({"seconds": float("nan")}, "request.seconds"),
        ({"seconds": True}, "request.seconds"),
        ({"seconds": "1"}, "request.seconds"),
        ({"size": Size(width=64, height=64)}, "request.parameter"),
        ({"steps": 0}, "request.steps"),
        ({"scheduler": "no-such"}, "request.scheduler"),
        ({"parameters": {"eta": 0.5}}, "request.parameter"),
        ({"parameters": {"latents": 1}}, "request.parameter"),
        ({"parameters": {"audio_length_in_s": 1.0}}, "request.parameter"),
        ({"parameters": {"batch_size": 2}}, "request.parameter"),
        ({"task": Task.GENERATE}, "request.pipeline"),
    ],
)
def test_what_a_dance_diffusion_model_has_no_use_for_is_refused(
    generator: DiffusersGenerator, ask: Callable[..., GenerationRequest], dance: str, fields: dict[str, Any], code: str
) -> None:
    with pytest.raises(RequestError) as caught:
        generator.resolve(ask(**{**SOUND, "model": dance, **fields}))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"prompt": " "}, "request.text"),
        ({"prompt_2": "more"}, "request.parameter"),
        ({"seconds": 0.3}, "request.seconds"),  # 200 latents of 8 samples at 8 kHz
        ({"parameters": {"initial_audio_waveforms": "x"}}, "request.parameter"),
        ({"parameters": {"audio_start_in_s": 1.0}}, "request.parameter"),
        ({"parameters": {"num_waveforms_per_prompt": 2}}, "request.parameter"),
        ({"parameters": {"prompt_embeds": 1}}, "request.parameter"),
        ({"parameters": {"transcription": "a text"}}, "request.parameter"),
        ({"parameters": {"eta": 2.0}}, "request.parameter"),
        ({"parameters": {"clip_skip": 1}}, "request.parameter"),
    ],
)
def test_what_leads_past_a_check_of_stable_audio_is_refused(
    generator: DiffusersGenerator,
    ask: Callable[..., GenerationRequest],
    stable_audio: str,
    fields: dict[str, Any],
    code: str,
) -> None:
    with pytest.raises(RequestError) as caught:
        generator.resolve(ask(**{**SOUND, "model": stable_audio, "prompt": "a bell", **fields}))
    assert caught.value.code == code


def test_pictures_go_into_no_sound(
    generator: DiffusersGenerator,
    ask: Callable[..., GenerationRequest],
    picture: Callable[..., Any],
    dance: str,
) -> None:
    image = picture("image", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(RequestError, match="no use for inputs"):
        generator.resolve(ask(**{**SOUND, "model": dance, "inputs": (image,)}))


def test_a_model_of_pictures_makes_no_sound(
    generator: DiffusersGenerator, ask: Callable[..., GenerationRequest]
) -> None:
    with pytest.raises(RequestError, match="not text to sound") as caught:
        generator.resolve(ask(**SOUND))
    assert caught.value.code == "request.task"


@pytest.mark.parametrize("task", [Task.GENERATE, Task.UPSCALE])
def test_a_picture_has_no_seconds(
    generator: DiffusersGenerator, ask: Callable[..., GenerationRequest], picture: Callable[..., Any], task: Task
) -> None:
    inputs = (picture("image", np.zeros((8, 8, 3), np.uint8)),) if task is Task.UPSCALE else ()
    with pytest.raises(RequestError, match="seconds"):
        generator.resolve(ask(task=task, seconds=1.0, prompt="", steps=None, size=None, inputs=inputs))


def test_what_was_not_resolved_does_not_run(
    generator: DiffusersGenerator,
    ask: Callable[..., GenerationRequest],
    admit: Callable[[GenerationRequest], Admitted],
    dance: str,
) -> None:
    resolved = generator.resolve(ask(**{**SOUND, "model": dance}))
    for change in ({"seconds": 1e6}, {"seed": None}, {"prompt": "a bell"}):
        with pytest.raises(RequestError):
            list(generator.generate(admit(replace(resolved, **change))))


def test_a_scheduler_that_does_not_fit_is_refused(generator: DiffusersGenerator, make: Make, dance: str) -> None:
    with pytest.raises(RequestError, match="does not fit"):
        make(generator, model=dance, scheduler="ddim", **SOUND)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"sample_rate": "16000", "sample_size": 512, "up_block_types": ["a"]},
        {"sample_rate": 0, "sample_size": 512, "up_block_types": ["a"]},
        {"sample_rate": 16_000, "sample_size": 512},
        {"sample_rate": 16_000, "sample_size": 512, "up_block_types": ["a"] * 40},
    ],
)
def test_a_configuration_that_does_not_say_how_long_sounds_are_is_refused(
    generator: DiffusersGenerator,
    ask: Callable[..., GenerationRequest],
    dance: str,
    tmp_path: Path,
    config: dict[str, Any],
) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text(json.dumps(config))
    (tmp_path / "model_index.json").write_bytes((Path(dance) / "model_index.json").read_bytes())
    with pytest.raises(RequestError) as caught:
        generator.resolve(ask(**{**SOUND, "model": str(tmp_path)}))
    assert caught.value.code == "model.malformed"


def test_a_class_that_nobody_looked_at_is_refused(
    generator: DiffusersGenerator, ask: Callable[..., GenerationRequest], tmp_path: Path
) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "AceStepPipeline"}))
    with pytest.raises(RequestError, match="nobody has looked at") as caught:
        generator.resolve(ask(**{**SOUND, "model": str(tmp_path)}))
    assert caught.value.code == "request.pipeline"


def test_samples_are_rounded_cut_and_laid_out() -> None:
    made = np.array([[[0.0, 1.0, -1.0, 2.0, 0.5], [0.25, -3.0, 0.0, 0.0, 0.0]]], np.float32)
    samples = samples_of(made, longest=4)
    assert samples.dtype == np.int16
    assert samples.tolist() == [[0, 8192], [32767, -32767], [-32767, 0], [32767, 0]]
    assert samples_of(made[:, 0], longest=9).shape == (5, 1)


@pytest.mark.parametrize(
    "made",
    [
        None,
        np.zeros((1, 2, 5), np.int16),
        np.zeros((2, 1, 5), np.float32),
        np.zeros((1, 9, 5), np.float32),
        np.zeros((1, 1, 0), np.float32),
        np.zeros((5,), np.float32),
    ],
)
def test_what_is_no_single_sound_is_an_error(made: object) -> None:
    with pytest.raises(GenerationError) as caught:
        samples_of(made, longest=10)
    assert caught.value.code == "generation.no-sound"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_an_error(value: float) -> None:
    with pytest.raises(GenerationError) as caught:
        samples_of(np.full((1, 1, 5), value, np.float32), longest=10)
    assert caught.value.code == "generation.not-finite"
    with pytest.raises(GenerationError):
        samples_of(np.zeros((1, 1, 5), np.float32), longest=10, overflowed=True)
