"""The generator over real pipelines with random weights; one process, because importing diffusers takes seconds."""

from __future__ import annotations

import copy
import inspect
import json
import logging
import pickle  # noqa: TID251 - to show that it is refused
import shutil
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pytest

from sdsafe import plugins
from sdsafe.core.digests import pixels_sha256
from sdsafe.core.places import Places
from sdsafe.core.request import ModelRef, Size
from sdsafe.errors import (
    CancelledError,
    ConfigurationError,
    GenerationError,
    MissingExtraError,
    PluginError,
    RequestError,
)
from sdsafe.generation import _diffusers
from sdsafe.generation._diffusers import DiffusersGenerator
from sdsafe.protocols import Configurable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.states import Admitted, Generated

    Make = Callable[..., list[Generated]]

SQUARE = Size(width=64, height=64)


class Recorder:
    """A watch that notes every step and stops after ``last`` of them."""

    def __init__(self, last: int | None = None) -> None:
        self.steps: list[tuple[int, int, int]] = []
        self.last = last

    def step(self, image: int, step: int, total: int) -> None:
        self.steps.append((image, step, total))

    def cancelled(self) -> bool:
        return self.last is not None and len(self.steps) >= self.last


@pytest.fixture(scope="module")
def folder(tiny_folder: Path) -> str:
    return str(tiny_folder)


@pytest.fixture
def copied(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may spoil."""
    folder = tmp_path / "copied"
    shutil.copytree(tiny_folder, folder)
    return folder


@pytest.fixture
def broken_folder(copied: Path) -> Callable[[str, str, float], str]:
    """A copy of the tiny model in which one tensor is filled with one value."""

    def make(component: str, tensor: str, value: float) -> str:
        from safetensors.torch import load_file, save_file

        path = next((copied / component).glob("*.safetensors"))
        state = load_file(path)
        state[tensor].fill_(value)
        save_file(state, path, metadata={"format": "pt"})
        return str(copied)

    return make


class TestTiny:
    def test_a_picture_comes_with_everything_needed_to_repeat_it(
        self, generator: DiffusersGenerator, make: Make
    ) -> None:
        (image,) = make(generator, size=None, steps=None)
        assert image.pixels.shape == (256, 256, 3)
        assert image.pixels.dtype == np.uint8
        assert image.pixels.std() > 20
        assert image.pixels_sha256 == pixels_sha256(image.pixels)
        ran = image.execution
        assert (ran.device, ran.dtype, ran.scheduler) == ("cpu", "float32", "DDIMScheduler")
        assert ran.model.repo == "builtin:tiny"
        assert ran.model.license == "Apache-2.0"
        assert len(ran.model.files) == 3
        assert ran.model.digest == ran.model.revision
        assert len(ran.scheduler_digest) == 64
        assert {"torch", "diffusers", "transformers"} <= ran.libraries.keys()
        assert ran.threads >= 1
        assert ran.ms > 0

    def test_seed_prompt_and_negative_prompt_all_matter(self, generator: DiffusersGenerator, make: Make) -> None:
        changes: tuple[dict[str, Any], ...] = (
            {},
            {"seed": 8},
            {"prompt": "a blue boat"},
            {"negative_prompt": "blur"},
            {"guidance": 9.0},
            {"steps": 3},
            {"scheduler": "euler"},
            {"parameters": {"eta": 1.0}},
        )
        digests = [make(generator, **change)[0].pixels_sha256 for change in changes]
        assert len(set(digests)) == len(changes)

    def test_the_same_request_gives_the_same_pixels(self, generator: DiffusersGenerator, make: Make) -> None:
        first, again = (make(generator, count=2) for _ in range(2))
        assert [image.pixels_sha256 for image in first] == [image.pixels_sha256 for image in again]

    def test_any_image_of_a_request_can_be_made_again_alone(self, generator: DiffusersGenerator, make: Make) -> None:
        images = make(generator, count=3, scheduler="dpmpp")
        assert [(image.index, image.seed) for image in images] == [(0, 7), (1, 8), (2, 9)]
        assert [image.asset_id for image in images] == list(images[0].admitted.asset_ids)
        assert make(generator, seed=9, scheduler="dpmpp")[0].pixels_sha256 == images[2].pixels_sha256

    def test_the_last_seed_reaches_the_model(self, generator: DiffusersGenerator, make: Make) -> None:
        assert make(generator, seed=2**53 - 1)[0].seed == 2**53 - 1

    def test_torch_keeps_its_own_random_state(self, make: Make) -> None:
        import torch

        before = torch.random.get_rng_state()
        make(DiffusersGenerator(device="cpu"))
        assert torch.equal(before, torch.random.get_rng_state())

    def test_any_text_encodes(self, generator: DiffusersGenerator, make: Make) -> None:
        texts = ("", "日本語のテキスト", "\U0001f600\u202e", "naïve\ncafé\t", "word " * 500)
        assert len({make(generator, prompt=text)[0].pixels_sha256 for text in texts}) == len(texts)

    def test_a_wrong_digest_is_refused(self, generator: DiffusersGenerator, make: Make) -> None:
        with pytest.raises(GenerationError, match="wrong hash"):
            make(generator, model=ModelRef(repo="builtin:tiny", digest="0" * 64))
        right = make(generator)[0].execution.model.digest
        make(generator, model=ModelRef(repo="builtin:tiny", digest=right))

    def test_large_sizes_are_fast_enough_for_a_demo(self, generator: DiffusersGenerator, make: Make) -> None:
        (image,) = make(generator, size=Size(width=512, height=512), steps=4)
        assert image.execution.ms < 20_000  # about one second on two idle cores


class TestFolders:
    def test_a_saved_pipeline_gives_the_same_picture_and_the_same_digests(
        self, generator: DiffusersGenerator, make: Make, folder: str
    ) -> None:
        (built,), (loaded,) = make(generator, guidance=5.0), make(generator, guidance=5.0, model=folder)
        assert loaded.pixels_sha256 == built.pixels_sha256
        assert loaded.execution.model.files == built.execution.model.files
        assert loaded.execution.model.digest == built.execution.model.digest
        assert loaded.execution.scheduler_digest == built.execution.scheduler_digest
        assert loaded.execution.model.repo == "local:tiny-sd"
        assert loaded.execution.model.pipeline == "StableDiffusionPipeline"

    def test_pixels_equal_those_of_diffusers_own_pil_output(
        self, generator: DiffusersGenerator, make: Make, folder: str
    ) -> None:
        import torch
        from diffusers import StableDiffusionPipeline

        pipe = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
        pipe.set_progress_bar_config(disable=True)
        given = torch.Generator("cpu").manual_seed(7)
        picture = pipe("a red house", width=64, height=64, num_inference_steps=2, guidance_scale=5.0, generator=given)
        ours = make(generator, model=folder, guidance=5.0)[0].pixels
        assert np.array_equal(np.asarray(picture.images[0]), ours)

    def test_the_last_model_stays_loaded(self, make: Make, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
        from sdsafe.generation import _loading

        loads: list[object] = []
        original = _loading.load

        def counting(*args: Any, **kwargs: Any) -> Any:
            loads.append(args)
            return original(*args, **kwargs)

        monkeypatch.setattr(_loading, "load", counting)
        fresh = DiffusersGenerator(device="cpu")
        make(fresh, model=folder)
        make(fresh, model=folder, seed=8)
        assert len(loads) == 1
        make(fresh)
        make(fresh, model=folder)
        assert len(loads) == 2

    def test_nothing_is_asked_of_the_network(self, make: Make, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_args: object) -> NoReturn:
            raise AssertionError("a connection was tried")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        make(DiffusersGenerator(device="cpu"), model=folder)

    def test_a_hub_model_runs_from_the_cache_alone(
        self, make: Make, hub_cache: Path, folder: str, generator: DiffusersGenerator
    ) -> None:
        offline = DiffusersGenerator(device="cpu", offline=True, hub_cache=hub_cache)
        (image,) = make(offline, model="example/tiny@main")
        assert image.execution.model.repo == "example/tiny"
        assert image.execution.model.revision == "0123456789abcdef0123456789abcdef01234567"
        assert image.pixels_sha256 == make(generator, model=folder)[0].pixels_sha256

    def test_a_model_with_its_own_safety_checker_loads_without_it(
        self,
        copied: Path,
        make: Make,
        generator: DiffusersGenerator,
        edit_json: Callable[..., None],
        caplog: pytest.LogCaptureFixture,
    ) -> None:

        def demand(index: dict[str, Any]) -> None:
            index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
            index["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
            index["requires_safety_checker"] = True

        edit_json(copied / "model_index.json", demand)
        (copied / "safety_checker").mkdir()
        (copied / "safety_checker" / "pytorch_model.bin").write_bytes(b"never read")
        with caplog.at_level(logging.WARNING):
            (image,) = make(generator, model=str(copied), guidance=5.0)
        assert image.pixels_sha256 == make(generator)[0].pixels_sha256
        assert caplog.text == ""

    def test_defaults_come_from_the_sidecar_file(
        self, copied: Path, generator: DiffusersGenerator, ask: Callable[..., GenerationRequest]
    ) -> None:
        (copied / "sdsafe.json").write_text('{"size": "96x64", "steps": 3, "guidance": 2, "scheduler": "euler"}')
        resolved = generator.resolve(ask(model=str(copied), size=None, steps=None))
        assert resolved.size == Size(width=96, height=64)
        assert (resolved.steps, resolved.guidance, resolved.scheduler) == (3, 2.0, "euler")

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_numbers_that_are_not_finite_are_an_error_never_a_picture(
        self, make: Make, generator: DiffusersGenerator, broken_folder: Callable[..., str], value: float
    ) -> None:
        # Infinities matter as much: diffusers clamps them to a plain white or black picture.
        model = broken_folder("vae", "decoder.conv_out.bias", value)
        with pytest.raises(GenerationError, match="not finite") as caught:
            make(generator, model=model)
        assert caught.value.code == "generation.not-finite"

    def test_nan_in_the_denoiser_is_an_error_too(
        self, make: Make, generator: DiffusersGenerator, broken_folder: Callable[..., str]
    ) -> None:
        with pytest.raises(GenerationError, match="not finite"):
            make(generator, model=broken_folder("unet", "conv_out.bias", float("nan")))

    def test_a_truncated_weight_file_is_a_generation_error(
        self, copied: Path, make: Make, generator: DiffusersGenerator
    ) -> None:
        with (copied / "unet" / "diffusion_pytorch_model.safetensors").open("r+b") as stream:
            stream.truncate(1000)
        with pytest.raises(GenerationError, match="could not be loaded") as caught:
            make(generator, model=str(copied))
        assert str(copied.parent) not in str(caught.value) + caught.value.hint

    def test_files_that_change_while_loading_are_noticed(
        self, copied: Path, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import diffusers

        original = diffusers.AutoPipelineForText2Image.from_pretrained

        def swapping(*args: Any, **kwargs: Any) -> Any:
            (copied / "unet" / "diffusion_pytorch_model.safetensors").touch()
            return original(*args, **kwargs)

        monkeypatch.setattr(diffusers.AutoPipelineForText2Image, "from_pretrained", swapping)
        with pytest.raises(GenerationError, match="changed while it was loaded"):
            make(DiffusersGenerator(device="cpu"), model=str(copied))

    def test_a_wrong_digest_is_refused_before_anything_is_loaded(
        self, make: Make, folder: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from sdsafe.generation import _loading

        def refuse(*_args: object, **_kwargs: object) -> NoReturn:
            raise AssertionError("a model with a wrong hash was loaded")

        monkeypatch.setattr(_loading, "load", refuse)
        with pytest.raises(GenerationError, match="wrong hash"):
            make(DiffusersGenerator(device="cpu"), model=ModelRef(repo=folder, digest="0" * 64))

    @pytest.mark.parametrize("pipeline", ["AceStepPipeline", "StableVideoDiffusionPipeline", "NoSuchPipeline"])
    def test_classes_that_make_no_picture_from_text_are_refused(
        self,
        copied: Path,
        make: Make,
        generator: DiffusersGenerator,
        edit_json: Callable[..., None],
        pipeline: str,
    ) -> None:
        edit_json(copied / "model_index.json", lambda index: index.update(_class_name=pipeline))
        with pytest.raises(RequestError, match=pipeline) as caught:
            make(generator, model=str(copied))
        assert caught.value.code == "request.pipeline"


class TestSdxl:
    def test_it_runs_and_its_second_prompt_matters(self, generator: DiffusersGenerator, make: Make, sdxl: str) -> None:
        (one,), (two,) = make(generator, model=sdxl), make(generator, model=sdxl, prompt_2="a blue boat")
        assert one.execution.scheduler == "EulerDiscreteScheduler"
        assert one.execution.model.pipeline == "StableDiffusionXLPipeline"
        assert len(one.execution.model.files) == 4
        assert one.pixels_sha256 != two.pixels_sha256

    def test_its_watermark_is_off_at_every_size(
        self, generator: DiffusersGenerator, make: Make, sdxl: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from diffusers.pipelines.stable_diffusion_xl.watermark import StableDiffusionXLWatermarker

        def refuse(*_args: object) -> NoReturn:
            raise AssertionError("diffusers marked the picture")

        monkeypatch.setattr(StableDiffusionXLWatermarker, "apply_watermark", refuse)
        (image,) = make(DiffusersGenerator(device="cpu"), model=sdxl, size=Size(width=256, height=256))
        assert image.pixels.shape == (256, 256, 3)

    def test_a_second_negative_prompt_would_bypass_the_text_checks(
        self, generator: DiffusersGenerator, make: Make, sdxl: str
    ) -> None:
        with pytest.raises(RequestError, match="no prompt check sees"):
            make(generator, model=sdxl, parameters={"negative_prompt_2": "x"})

    def test_switching_models_does_not_mix_them(self, generator: DiffusersGenerator, make: Make, sdxl: str) -> None:
        first = make(generator, model=sdxl)[0].pixels_sha256
        make(generator)
        assert make(generator, model=sdxl)[0].pixels_sha256 == first


class TestOtherFamilies:
    def test_a_pag_pipeline_takes_its_own_parameter(
        self, copied: Path, make: Make, generator: DiffusersGenerator, edit_json: Callable[..., None]
    ) -> None:
        edit_json(copied / "model_index.json", lambda index: index.update(_class_name="StableDiffusionPAGPipeline"))
        digests = {make(generator, model=str(copied), parameters={"pag_scale": n})[0].pixels_sha256 for n in (0, 5)}
        assert len(digests) == 2

    def test_a_latent_consistency_pipeline_runs_and_refuses_what_it_does_not_take(
        self, copied: Path, make: Make, generator: DiffusersGenerator, edit_json: Callable[..., None]
    ) -> None:
        def change(index: dict[str, Any]) -> None:
            index.update(_class_name="LatentConsistencyModelPipeline", scheduler=["diffusers", "LCMScheduler"])

        edit_json(copied / "model_index.json", change)
        edit_json(copied / "scheduler" / "scheduler_config.json", lambda c: c.update(_class_name="LCMScheduler"))
        edit_json(copied / "unet" / "config.json", lambda c: c.update(time_cond_proj_dim=None))
        with pytest.raises(RequestError, match="no negative_prompt"):
            make(generator, model=str(copied), negative_prompt="blur")
        with pytest.raises(RequestError, match="DPMSolverMultistepScheduler does not fit"):
            make(generator, model=str(copied), scheduler="dpmpp")


class TestSchedulers:
    NAMES = ("ddim", "ddpm", "deis", "dpmpp", "dpmpp-karras", "dpmpp-sde", "dpmpp-single", "euler", "euler-a", "heun",
             "kdpm2", "kdpm2-a", "lcm", "lms", "pndm", "unipc")  # fmt: skip

    @pytest.mark.parametrize("name", NAMES)
    def test_each_one_runs_repeats_and_reports_its_steps(
        self, generator: DiffusersGenerator, make: Make, name: str
    ) -> None:
        watch = Recorder()
        first = make(generator, watch, scheduler=name, steps=4)[0]
        again = make(generator, scheduler=name, steps=4)[0]
        assert first.pixels_sha256 == again.pixels_sha256
        steps = [step for _, step, _ in watch.steps]
        total = watch.steps[-1][2]
        assert steps == list(range(1, total + 1))
        assert {shown for _, _, shown in watch.steps} == {total}

    def test_overrides_are_in_the_configuration_digest(self, generator: DiffusersGenerator, make: Make) -> None:
        plain, karras = (make(generator, scheduler=name)[0].execution for name in ("dpmpp", "dpmpp-karras"))
        assert plain.scheduler == karras.scheduler == "DPMSolverMultistepScheduler"
        assert plain.scheduler_digest != karras.scheduler_digest

    def test_a_flow_scheduler_does_not_fit_a_noise_model(self, generator: DiffusersGenerator, make: Make) -> None:
        with pytest.raises(RequestError, match="FlowMatchEulerDiscreteScheduler does not fit"):
            make(generator, scheduler="flow-euler")
        make(generator)  # and the pipe keeps its own afterwards


class TestWatch:
    def test_every_step_is_told(self, generator: DiffusersGenerator, make: Make) -> None:
        watch = Recorder()
        make(generator, watch, count=2, steps=3)
        assert watch.steps == [(image, step, 3) for image in (0, 1) for step in (1, 2, 3)]

    @pytest.mark.parametrize(("last", "finished"), [(0, 0), (1, 0), (4, 0), (5, 1)])
    def test_cancelling_leaves_no_picture(
        self,
        generator: DiffusersGenerator,
        ask: Callable[..., GenerationRequest],
        admit: Callable[..., Admitted],
        last: int,
        finished: int,
    ) -> None:
        watch = Recorder(last)
        images = generator.generate(admit(generator.resolve(ask(count=2, steps=4))), watch)
        for _ in range(finished):
            next(images)
        with pytest.raises(CancelledError):
            next(images)
        assert len(watch.steps) == last

    def test_after_cancelling_the_pipe_is_as_before(self, generator: DiffusersGenerator, make: Make) -> None:
        before = make(generator)[0].pixels_sha256
        with pytest.raises(CancelledError):
            make(generator, Recorder(1))
        assert make(generator)[0].pixels_sha256 == before

    def test_an_error_of_the_watch_ends_the_run(self, generator: DiffusersGenerator, make: Make) -> None:
        class Broken(Recorder):
            def step(self, image: int, step: int, total: int) -> None:
                raise ZeroDivisionError

        with pytest.raises(GenerationError, match="ZeroDivisionError"):
            make(generator, Broken())


class TestThreads:
    def test_threads_that_share_a_generator_get_what_single_calls_get(
        self, generator: DiffusersGenerator, make: Make
    ) -> None:
        # Multistep and Euler schedulers keep state between steps: unlocked, they raise or mix pictures.
        cases = [(scheduler, seed) for scheduler in ("euler", "dpmpp") for seed in range(3)]
        alone = {case: make(generator, scheduler=case[0], seed=case[1])[0].pixels_sha256 for case in cases}
        together: dict[tuple[str, int], str] = {}

        def work(case: tuple[str, int]) -> None:
            together[case] = make(generator, scheduler=case[0], seed=case[1])[0].pixels_sha256

        threads = [threading.Thread(target=work, args=(case,)) for case in cases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert together == alone


class TestBypasses:
    @pytest.mark.parametrize(
        "name",
        ["prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "latents", "output_type", "return_dict",
         "callback", "callback_on_step_end", "callback_on_step_end_tensor_inputs", "generator", "ip_adapter_image",
         "image", "cross_attention_kwargs", "timesteps", "sigmas", "num_images_per_prompt", "clean_caption"],
    )  # fmt: skip
    def test_ways_around_the_gates_are_refused_before_anything_is_loaded(
        self,
        ask: Callable[..., GenerationRequest],
        admit: Callable[..., Admitted],
        generator: DiffusersGenerator,
        folder: str,
        name: str,
    ) -> None:
        for model in ("builtin:tiny", folder):
            request = ask(model=model, parameters={name: "latent"})
            with pytest.raises(RequestError, match=name):
                generator.resolve(request)
            # Nor does it help to skip resolve().
            with pytest.raises(RequestError):
                next(generator.generate(admit(request)))

    def test_an_unresolved_request_is_not_run(
        self, ask: Callable[..., GenerationRequest], admit: Callable[..., Admitted], generator: DiffusersGenerator
    ) -> None:
        with pytest.raises(RequestError, match="not resolved"):
            next(generator.generate(admit(ask(size=None))))

    def test_no_public_attribute_leads_to_the_pipe(self, generator: DiffusersGenerator, make: Make) -> None:
        import torch
        from diffusers import ConfigMixin

        make(generator)
        engine = generator._DiffusersGenerator__models._Models__loaded.engine  # type: ignore[attr-defined]
        for owner in (generator, engine):
            for name in dir(owner):
                if name.startswith("_"):
                    continue
                value = getattr(owner, name)
                assert not isinstance(value, torch.nn.Module | torch.Tensor | ConfigMixin), name
                assert inspect.isroutine(value) or isinstance(value, str | frozenset), name
            assert not hasattr(owner, "__dict__")

    def test_generator_and_engine_are_neither_copied_nor_pickled(
        self, generator: DiffusersGenerator, make: Make
    ) -> None:
        make(generator)
        engine = generator._DiffusersGenerator__models._Models__loaded.engine  # type: ignore[attr-defined]
        for owner in (generator, engine):
            for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
                with pytest.raises(TypeError, match="neither copied nor pickled"):
                    attempt(owner)

    def test_a_long_prompt_does_not_reach_the_log(
        self,
        generator: DiffusersGenerator,
        make: Make,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        # diffusers quotes the part of the prompt that its text encoder cuts off.
        logging.getLogger("diffusers").addHandler(caplog.handler)
        try:
            make(generator, prompt="xylophone " * 100)
        finally:
            logging.getLogger("diffusers").removeHandler(caplog.handler)
        out, err = capfd.readouterr()
        assert "xylophone" not in caplog.text + out + err

    def test_errors_of_the_pipe_do_not_repeat_the_prompt(
        self, generator: DiffusersGenerator, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from diffusers import StableDiffusionPipeline

        def fail(_self: object, prompt: str, *_args: object, **_kwargs: object) -> NoReturn:
            raise ValueError(prompt)

        monkeypatch.setattr(StableDiffusionPipeline, "check_inputs", fail)
        with pytest.raises(GenerationError, match="ValueError") as caught:
            make(generator)
        assert "house" not in str(caught.value) + caught.value.hint

    def test_running_out_of_memory_says_what_to_do(
        self, generator: DiffusersGenerator, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from diffusers import StableDiffusionPipeline

        def fail(*_args: object, **_kwargs: object) -> NoReturn:
            raise MemoryError

        monkeypatch.setattr(StableDiffusionPipeline, "check_inputs", fail)
        with pytest.raises(GenerationError, match="out of memory") as caught:
            make(generator)
        assert "smaller size" in caught.value.hint


class TestOptions:
    def test_it_is_found_by_its_entry_point(self, tmp_path: Path) -> None:
        assert issubclass(DiffusersGenerator, Configurable)
        places = Places(state=tmp_path, cache=tmp_path)
        options = {"device": "cpu", "dtype": "float32", "offline": True, "threads": 1, "hub_cache": str(tmp_path)}
        assert isinstance(plugins.load("sdsafe.generators", "diffusers", places, options), DiffusersGenerator)

    @pytest.mark.parametrize(
        "options",
        [{"device": "tpu"}, {"dtype": "int8"}, {"offline": "yes"}, {"threads": 0}, {"threads": True}, {"hub_cache": ""},
         {"cheat": 1}],
    )  # fmt: skip
    def test_wrong_options_are_refused(self, tmp_path: Path, options: dict[str, object]) -> None:
        with pytest.raises(PluginError, match=next(iter(options))):
            DiffusersGenerator.configure(Places(state=tmp_path, cache=tmp_path), options)

    def test_a_missing_library_is_a_missing_extra(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_diffusers, "find_spec", lambda name: None if name == "torch" else object())
        with pytest.raises(MissingExtraError, match="no module torch"):
            DiffusersGenerator.configure(Places(state=tmp_path, cache=tmp_path), {})

    def test_a_device_that_is_not_there_is_an_error(self, make: Make) -> None:
        import torch

        if torch.xpu.is_available():
            pytest.skip("this machine has an xpu")
        with pytest.raises(ConfigurationError, match="xpu"):
            make(DiffusersGenerator(device="xpu"))

    def test_threads_are_set_and_recorded(self, make: Make) -> None:
        import torch

        before = torch.get_num_threads()
        try:
            assert make(DiffusersGenerator(device="cpu", threads=1))[0].execution.threads == 1
        finally:
            torch.set_num_threads(before)

    def test_half_precision_is_recorded(self, make: Make, folder: str) -> None:
        (image,) = make(DiffusersGenerator(device="cpu", dtype="bfloat16"), model=folder)
        assert image.execution.dtype == "bfloat16"


class TestSignatures:
    def test_every_parameter_of_every_text_to_image_class_is_classified(self) -> None:
        from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING

        from sdsafe.generation.call_parameters import classify

        names = {
            name
            for cls in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values()
            for name in inspect.signature(cls.__call__).parameters
            if name != "self"
        }
        assert len(names) > 100
        assert sorted(name for name in names if classify(name) is None) == []


PROBE = """
import sys, json
import sdsafe.generation
import sdsafe.generation._diffusers as module
generator = module.DiffusersGenerator(device="cpu")
from sdsafe.core.request import GenerationRequest
generator.resolve(GenerationRequest(prompt="x"))
print(json.dumps(sorted({"torch", "diffusers", "transformers", "huggingface_hub"} & sys.modules.keys())))
"""

AGAIN = """
import sys, json
from sdsafe.core.decisions import Decision, Effect
from sdsafe.core.ids import AssetId
from sdsafe.core.request import GenerationRequest, ModelRef, PromptDisclosure, Size
from sdsafe.core.states import Admitted, PromptOpening
from sdsafe.generation._diffusers import DiffusersGenerator
generator = DiffusersGenerator(device="cpu", threads=1)
request = generator.resolve(GenerationRequest(prompt="a red house", model=ModelRef(repo=sys.argv[1]), seed=7,
                                              size=Size(width=64, height=64), steps=2))
admitted = Admitted(request=request, asset_ids=(AssetId(bytes(8)),), checks=(), admitted_at="",
                    opening=PromptOpening(mode=PromptDisclosure.FULL, salt=bytes(32)),
                    decision=Decision(effect=Effect.ALLOW, policy=()))
(image,) = generator.generate(admitted)
print(json.dumps([image.pixels_sha256, image.execution.model.digest]))
"""


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)


def test_importing_and_resolving_do_not_import_torch() -> None:
    assert json.loads(_python(PROBE).stdout) == []


@pytest.mark.slow
def test_another_process_makes_the_same_pixels_and_says_nothing(generator: DiffusersGenerator, make: Make) -> None:
    (image,) = make(generator)
    done = _python(AGAIN, "builtin:tiny")
    assert json.loads(done.stdout) == [image.pixels_sha256, image.execution.model.digest]
    assert done.stderr == ""
