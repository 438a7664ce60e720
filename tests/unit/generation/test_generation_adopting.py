"""Pipes that somebody else configured: run as they are, hashed in memory, and honest about the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe.core.request import AdapterRef, ModelRef, Task
from sdsafe.errors import GenerationError, RequestError
from sdsafe.generation import _libraries
from sdsafe.generation._diffusers import DiffusersGenerator
from sdsafe.generation.tasks import IMAGE

assert _libraries  # its log filter comes before diffusers

import torch  # noqa: E402 - after the filter
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline  # noqa: E402 - as above

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.core.states import Generated

    Make = Callable[..., list[Generated]]

NAMED = ModelRef(repo="example/tuned", license="apache-2.0")
UNSAID = "builtin:scenes"


@pytest.fixture
def pipe(tiny_folder: Path) -> Any:
    pipe = StableDiffusionPipeline.from_pretrained(tiny_folder, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_it_makes_what_the_pipe_would_have_made(
    pipe: Any, generator: DiffusersGenerator, make: Make, tiny_folder: Path
) -> None:
    adopted = DiffusersGenerator.adopting(pipe, NAMED)
    (made,) = make(adopted, model=UNSAID)
    (own,) = make(generator, model=str(tiny_folder))
    assert (made.pixels == own.pixels).all()
    model = made.execution.model
    assert (model.repo, model.license, model.pipeline) == ("example/tuned", "apache-2.0", "StableDiffusionPipeline")
    assert [each.name for each in model.files] == ["memory:text_encoder", "memory:unet", "memory:vae"]
    assert sum(each.size for each in model.files) > 100_000
    assert made.execution.unvouched[0].startswith("the name of the model")
    assert made.admitted.request.model.digest == model.digest


def test_the_pipe_that_was_given_stays_as_it_was(pipe: Any, make: Make) -> None:
    checker, scheduler = object(), DPMSolverMultistepScheduler.from_config(pipe.scheduler.config)
    pipe.safety_checker, pipe.scheduler = checker, scheduler
    before = {name: id(part) for name, part in pipe.components.items()}
    (made,) = make(DiffusersGenerator.adopting(pipe, NAMED), model=UNSAID, scheduler=None)
    assert made.execution.scheduler == "DPMSolverMultistepScheduler"
    assert {name: id(part) for name, part in pipe.components.items()} == before
    assert pipe.safety_checker is checker


def test_pictures_go_in_as_well(pipe: Any, make: Make, picture: Callable[..., Any]) -> None:
    inputs = (picture(IMAGE, np.full((64, 64, 3), 200, np.uint8)),)
    (made,) = make(
        DiffusersGenerator.adopting(pipe, NAMED), model=UNSAID, task=Task.TRANSFORM, size=None, inputs=inputs
    )
    assert made.pixels.shape == (64, 64, 3)


def test_a_change_after_adoption_is_noticed(pipe: Any, make: Make) -> None:
    adopted = DiffusersGenerator.adopting(pipe, NAMED)
    make(adopted, model=UNSAID)
    with torch.no_grad():
        next(pipe.unet.parameters()).add_(1.0)
    with pytest.raises(GenerationError, match="changed after it was taken over") as caught:
        make(adopted, model=UNSAID)
    assert caught.value.code == "model.changed"


def test_a_digest_insists_on_these_tensors(pipe: Any, make: Make) -> None:
    (made,) = make(DiffusersGenerator.adopting(pipe, NAMED), model=UNSAID)
    digest = made.execution.model.digest
    DiffusersGenerator.adopting(pipe, ModelRef(repo="example/tuned", digest=digest))
    with torch.no_grad():
        next(pipe.vae.parameters()).mul_(2.0)
    with pytest.raises(GenerationError, match="wrong hash"):
        DiffusersGenerator.adopting(pipe, ModelRef(repo="example/tuned", digest=digest))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda pipe: pipe.unet.register_forward_hook(lambda *_: None), "unet has forward hooks"),
        (lambda pipe: setattr(pipe.unet, "forward", pipe.unet.forward), "unet has a forward pass that was replaced"),
        (lambda pipe: setattr(pipe.unet, "_orig_mod", None), "unet was compiled"),
    ],
)
def test_what_tensors_do_not_show_is_said(pipe: Any, change: Callable[[Any], object], says: str, make: Make) -> None:
    change(pipe)
    (made,) = make(DiffusersGenerator.adopting(pipe, NAMED), model=UNSAID)
    assert says in made.execution.unvouched


def test_a_lora_that_is_fitted_already_counts_and_is_named(
    pipe: Any, generator: DiffusersGenerator, make: Make, tiny_folder: Path, lora: str
) -> None:
    pipe.load_lora_weights(lora)
    (made,) = make(DiffusersGenerator.adopting(pipe, NAMED), model=UNSAID)
    (own,) = make(generator, model=str(tiny_folder), adapters=(AdapterRef(kind="lora", repo=lora),))
    assert (made.pixels == own.pixels).all()
    assert "unet has adapters: their licences were not looked at" in made.execution.unvouched


def test_what_is_no_pipe_of_diffusers_is_refused(pipe: Any) -> None:
    class Mine(StableDiffusionPipeline):
        """Could do anything when it is called."""

    mine = Mine(**pipe.components, requires_safety_checker=False)
    for each in (mine, object(), pipe.unet):
        with pytest.raises(RequestError, match="not a pipeline class of diffusers itself") as caught:
            DiffusersGenerator.adopting(each, NAMED)
        assert caught.value.code == "request.pipeline"


def test_weights_that_wait_elsewhere_are_refused(pipe: Any) -> None:
    pipe.unet.to("meta")
    with pytest.raises(RequestError, match="not in memory"):
        DiffusersGenerator.adopting(pipe, NAMED)


def test_it_makes_nothing_with_other_models_or_adapters(pipe: Any, make: Make) -> None:
    adopted = DiffusersGenerator.adopting(pipe, NAMED)
    with pytest.raises(RequestError, match="taken over with example/tuned"):
        make(adopted, model="builtin:tiny")
    with pytest.raises(RequestError, match="cannot be fitted"):
        make(adopted, model=UNSAID, adapters=(AdapterRef(kind="lora", repo="x/y"),))
