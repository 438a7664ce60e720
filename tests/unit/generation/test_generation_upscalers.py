"""Diffusion upscalers, built small: what they make is brought to the size that was asked for."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import c2pa
import encypher_c2pa
import numpy as np
import pytest

from sdsafe._internal import images
from sdsafe.core.places import Places
from sdsafe.core.request import AdapterRef, GenerationRequest, ModelRef, Size, Task
from sdsafe.core.states import Asset, Recorded, Refused
from sdsafe.errors import CancelledError, RequestError
from sdsafe.generation._diffusers import DiffusersGenerator
from sdsafe.generation.call_parameters import classify
from sdsafe.generation.tasks import Canvas, Kind
from sdsafe.inputs import as_input
from sdsafe.testing.pipeline import fake_pipeline
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.request import InputImage
    from sdsafe.core.states import Admitted, Generated

    Run = Callable[..., list[Generated]]

PIXELS = sample_picture(3, height=33, width=50)


def _text(tiny_folder: Path) -> dict[str, Any]:
    from transformers import CLIPTextModel, CLIPTokenizer

    return {
        "text_encoder": CLIPTextModel.from_pretrained(tiny_folder / "text_encoder"),
        "tokenizer": CLIPTokenizer.from_pretrained(tiny_folder / "tokenizer"),
    }


@pytest.fixture(scope="session")
def four_times(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> str:
    """StableDiffusionUpscalePipeline: denoises at the size of the picture, and its autoencoder enlarges."""
    import torch
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        DDPMScheduler,
        StableDiffusionUpscalePipeline,
        UNet2DConditionModel,
    )

    torch.manual_seed(0)
    text = _text(tiny_folder)
    unet = UNet2DConditionModel(
        sample_size=16, layers_per_block=1, block_out_channels=(32, 64), norm_num_groups=8, in_channels=7, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=text["text_encoder"].config.hidden_size, attention_head_dim=8, num_class_embeds=1000,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(16, 16, 16), norm_num_groups=8, latent_channels=4, layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
    )  # fmt: skip
    pipe = StableDiffusionUpscalePipeline(
        vae=vae, unet=unet, low_res_scheduler=DDPMScheduler(), scheduler=DDIMScheduler(), **text
    )
    folder = tmp_path_factory.mktemp("x4") / "tiny-x4"
    pipe.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def twice(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> str:
    """StableDiffusionLatentUpscalePipeline: denoises latents of twice the size."""
    import torch
    from diffusers import (
        AutoencoderKL,
        EulerDiscreteScheduler,
        StableDiffusionLatentUpscalePipeline,
        UNet2DConditionModel,
    )

    torch.manual_seed(0)
    text = _text(tiny_folder)
    hidden = text["text_encoder"].config.hidden_size
    vae = AutoencoderKL.from_pretrained(tiny_folder / "vae")
    channels = vae.config.latent_channels
    unet = UNet2DConditionModel(
        sample_size=16, layers_per_block=1, block_out_channels=(32, 64), norm_num_groups=8,
        in_channels=2 * channels, out_channels=channels + 1, time_cond_proj_dim=128 + hidden,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=hidden, attention_head_dim=8,
    )  # fmt: skip
    pipe = StableDiffusionLatentUpscalePipeline(
        vae=vae, unet=unet, scheduler=EulerDiscreteScheduler(prediction_type="sample"), **text
    )
    folder = tmp_path_factory.mktemp("x2") / "tiny-x2"
    pipe.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def model(request: pytest.FixtureRequest) -> str:
    folder: str = request.getfixturevalue(request.param)
    return folder


BOTH = pytest.mark.parametrize("model", ["four_times", "twice"], indirect=True)


@pytest.fixture
def run(generator: DiffusersGenerator, picture: Callable[..., InputImage], admit: Callable[..., Admitted]) -> Run:
    def of(model: str, *, watch: Any = None, pixels: Any = PIXELS, **fields: Any) -> list[Generated]:
        given: dict[str, Any] = {"prompt": "", "seed": 7, "steps": 2, "inputs": (picture("image", pixels),)} | fields
        request = GenerationRequest(task=Task.UPSCALE, model=ModelRef(repo=model), **given)
        return list(generator.generate(admit(generator.resolve(request)), watch))

    return of


@BOTH
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_result_has_the_scale_that_was_asked_for(run: Run, model: str, scale: int) -> None:
    (made,) = run(model, parameters={"scale": scale})
    assert made.pixels.shape == (33 * scale, 50 * scale, 3)
    assert made.pixels.std() > 0


@BOTH
def test_same_seed_same_picture_and_the_prompt_counts(run: Run, model: str) -> None:
    first, again, other = (run(model, seed=seed)[0].pixels_sha256 for seed in (7, 7, 8))
    assert first == again != other
    prompted = run(model, prompt="a red house", guidance=7.0)[0]
    assert prompted.pixels_sha256 != run(model, prompt="a blue boat", guidance=7.0)[0].pixels_sha256
    assert [(each.name, each.tokens > 0) for each in prompted.execution.encoded] == [("prompt", True)]


@BOTH
def test_the_picture_counts_and_several_can_be_made(run: Run, model: str) -> None:
    first, second = run(model, count=2)
    assert first.pixels_sha256 != second.pixels_sha256
    assert second.pixels_sha256 == run(model, seed=8)[0].pixels_sha256
    assert run(model, pixels=255 - PIXELS)[0].pixels_sha256 != first.pixels_sha256


def test_defaults_are_those_of_the_kind(
    generator: DiffusersGenerator, picture: Any, four_times: str, twice: str
) -> None:
    found = []
    for model in (four_times, twice):
        request = GenerationRequest(
            prompt="", task=Task.UPSCALE, model=ModelRef(repo=model), inputs=(picture("image", PIXELS),)
        )
        resolved = generator.resolve(request)
        found.append((resolved.steps, resolved.guidance, resolved.parameters["scale"], resolved.size))
        assert generator.resolve(resolved).model == resolved.model
    assert found == [(50, 9.0, 2, Size(width=100, height=66)), (20, 1.0, 2, Size(width=100, height=66))]


def test_noise_level_is_for_the_kind_that_has_it(run: Run, four_times: str, twice: str) -> None:
    plain = run(four_times)[0].pixels_sha256
    assert run(four_times, parameters={"noise_level": 200})[0].pixels_sha256 != plain
    for wrong in (-1, 1001, 0.5):
        with pytest.raises(RequestError, match="noise_level"):
            run(four_times, parameters={"noise_level": wrong})
    with pytest.raises(RequestError, match="unknown parameter 'noise_level'"):
        run(twice, parameters={"noise_level": 20})


@BOTH
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"task": Task.GENERATE, "inputs": ()}, "does upscaling, not text to image"),
        ({"task": Task.TRANSFORM}, "does upscaling, not image to image"),
        ({"adapters": (AdapterRef(kind="lora", repo="a/b"),)}, "takes no adapters"),
        ({"adapters": (AdapterRef(kind="controlnet", repo="a/b"),)}, "takes no adapters"),
        ({"parameters": {"scale": 9}}, "from 2 to 8"),
        ({"parameters": {"strength": 0.5}}, "unknown parameter 'strength'"),
        ({"parameters": {"boxes": "0,0,20,20"}}, "unknown parameter 'boxes'"),
        ({"parameters": {"range": "0..1"}}, "unknown parameter 'range'"),
        ({"size": Size(width=64, height=64)}, "the result measures 100x66"),
        ({"inputs": ()}, "takes one picture"),
        ({"prompt_2": "x"}, "have no prompt_2"),
    ],
)
def test_what_it_cannot_do_is_refused_before_it_is_loaded(
    generator: DiffusersGenerator, picture: Any, model: str, fields: dict[str, Any], says: str
) -> None:
    asked = GenerationRequest(
        prompt="", task=Task.UPSCALE, model=ModelRef(repo=model), inputs=(picture("image", PIXELS),)
    )
    with pytest.raises(RequestError, match=says):
        generator.resolve(replace(asked, **fields))


def test_a_picture_that_would_come_out_too_large(generator: DiffusersGenerator, picture: Any, four_times: str) -> None:
    large = np.zeros((2400, 2400, 3), np.uint8)  # at scale 2 there is room, at the model's own 4 there is not
    asked = GenerationRequest(
        prompt="", task=Task.UPSCALE, model=ModelRef(repo=four_times), inputs=(picture("image", large),)
    )
    with pytest.raises(RequestError, match="makes it 4 times") as error:
        generator.resolve(asked)
    assert error.value.code == "request.size"


@BOTH
def test_it_can_be_stopped(run: Run, model: str) -> None:
    class Stop:
        steps = 0

        def step(self, _image: int, _step: int, _total: int) -> None:
            self.steps += 1

        def cancelled(self) -> bool:
            return self.steps > 0

    watch = Stop()
    with pytest.raises(CancelledError):
        run(model, watch=watch, steps=4)
    assert watch.steps == 1


@BOTH
def test_every_parameter_of_the_classes_is_classified(model: str) -> None:
    import inspect

    from sdsafe.generation._libraries import diffusers

    index = json.loads((Path(model) / "model_index.json").read_text())
    call = getattr(diffusers, index["_class_name"]).__call__
    unknown = [name for name in inspect.signature(call).parameters if name != "self" and classify(name) is None]
    assert unknown == []


@BOTH
def test_one_that_was_taken_over_enlarges_where_no_model_is_named(
    model: str, run: Run, picture: Any, admit: Callable[..., Admitted]
) -> None:
    from sdsafe.generation._libraries import diffusers

    index = json.loads((Path(model) / "model_index.json").read_text())
    pipe = getattr(diffusers, index["_class_name"]).from_pretrained(model)
    adopted = DiffusersGenerator.adopting(pipe, ModelRef(repo="example/upscaler", license="apache-2.0"))
    asked = GenerationRequest(prompt="", seed=7, steps=2, task=Task.UPSCALE, inputs=(picture("image", PIXELS),))
    (own,) = run(model)  # first: it sets the number of threads
    resolved = adopted.resolve(asked)
    assert resolved.model.repo == "example/upscaler"
    (made,) = adopted.generate(admit(resolved))
    assert np.array_equal(made.pixels, own.pixels)
    plain = adopted.resolve(replace(asked, steps=None, model=ModelRef(repo="builtin:lanczos")))
    assert plain.model.repo == "builtin:lanczos"


def test_one_kind_takes_other_schedulers_and_the_other_does_not(run: Run, four_times: str, twice: str) -> None:
    assert run(four_times, scheduler="euler")[0].execution.scheduler == "EulerDiscreteScheduler"
    assert run(twice, scheduler="euler")[0].execution.scheduler == "EulerDiscreteScheduler"
    with pytest.raises(RequestError, match="their own scheduler, euler, only"):
        run(twice, scheduler="ddim")


def test_padding_is_cut_off_before_the_picture_is_scaled() -> None:
    size, made, picture = Size(width=20, height=12), Size(width=32, height=24), np.zeros((24, 32, 3), np.uint8)
    picture[:20, :28] = 200
    canvas = Canvas(kind=Kind.UPSCALING, size=made, result=size, enlarged=Size(width=28, height=20))
    finished = canvas.finish(picture)
    assert finished.shape == (12, 20, 3)
    assert (finished == 200).all()
    assert np.array_equal(finished, images.resize(picture[:20, :28].copy(), 20, 12))


def test_the_whole_way(tmp_path: Path, generator: DiffusersGenerator, four_times: str) -> None:
    """Gates, mark, manifest: an edit with a model, told what the picture shows, and then a change of size."""
    pipeline = fake_pipeline(Places(state=tmp_path / "state", cache=tmp_path / "cache"), generator=generator)
    image = as_input(
        Asset(data=images.encode(sample_picture(3, height=128, width=136)), media_type="image/png"), "image"
    )
    asked = GenerationRequest(
        prompt="a red house", task=Task.UPSCALE, model=ModelRef(repo=four_times), inputs=(image,), steps=2, seed=7,
        intended_use="private",
    )  # fmt: skip
    (outcome,) = pipeline.run(asked)
    assert isinstance(outcome, Recorded), outcome
    context = c2pa.Context.from_dict({"trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}})
    with c2pa.Reader("image/png", io.BytesIO(outcome.asset.data), context=context) as reader:
        report = json.loads(reader.json())
        assert reader.get_validation_state() == "Valid"
    assert encypher_c2pa.verify(outcome.asset.data, "image/png", no_default_trust=True, telemetry=False)[
        "validation_state"
    ] == "Valid"  # fmt: skip
    active = report["manifests"][report["active_manifest"]]
    (actions,) = [a["data"]["actions"] for a in active["assertions"] if a["label"].startswith("c2pa.actions")]
    assert [each["action"] for each in actions] == [
        "c2pa.opened",
        "c2pa.edited",
        "c2pa.resized.proportional",
        "c2pa.watermarked.unbound",
    ]
    assert actions[1]["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert {each["title"]: each["relationship"] for each in active["ingredients"]} == {
        "input picture": "parentOf",
        "local:tiny-x4": "inputTo",
        "prompt": "inputTo",
    }
    (refused,) = pipeline.run(replace(asked, prompt="a calm sea, sdsafe-canary-refuse-me"))
    assert isinstance(refused, Refused)
    assert refused.stage.value == "prompt"
    (unlicensed,) = pipeline.run(replace(asked, intended_use="commercial"))
    assert isinstance(unlicensed, Refused)
