"""A pipe that a company configured itself, through all of the spine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import sdsafe
from sdsafe.core.report import Verdict
from sdsafe.core.request import ModelRef, Size

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.settings import Settings

pytestmark = [pytest.mark.weights, pytest.mark.slow]


def test_a_pipe_of_your_own_makes_signed_pictures(settings: Settings, tiny_folder: Path) -> None:
    from sdsafe.generation._libraries import diffusers

    pipe = diffusers.StableDiffusionPipeline.from_pretrained(tiny_folder, safety_checker=None)
    pipe.scheduler = diffusers.DPMSolverMultistepScheduler.from_config(pipe.scheduler.config)
    model = ModelRef(repo="example/tuned", license="apache-2.0")
    pipeline = sdsafe.adopt(pipe, model=model, settings=replace(settings, intended_use="private"))
    request = sdsafe.GenerationRequest(prompt="a red house", seed=7, steps=2, size=Size(width=256, height=256))
    (outcome,) = pipeline.run(request)
    assert isinstance(outcome, sdsafe.Recorded), outcome
    report = sdsafe.open_validator(settings).verify(outcome.asset)
    assert report.verdict is Verdict.VALID
    summary = report.evidence.summary
    assert summary is not None
    said = summary.generation
    assert said["model"]["id"] == "example/tuned"
    assert said["scheduler"]["name"] == "DPMSolverMultistepScheduler"
    assert [each["name"] for each in said["model"]["files"]] == ["memory:text_encoder", "memory:unet", "memory:vae"]
    assert any("still holds its components" in each for each in said["unvouched"])
