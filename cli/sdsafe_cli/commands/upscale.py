"""``sdsafe upscale``: the same picture, larger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from sdsafe_cli.making import NO_MODEL, Choices, Output, input_argument, make, output_options, read_inputs

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("upscale")
@input_argument
@click.option("--scale", type=click.IntRange(2, 8), help="How many times as wide and as high. Default 2.")
@output_options
def command(*, source: Path, scale: int | None, **given: Unpack[Output]) -> None:
    """Enlarge the picture IN by interpolation (Lanczos); no model takes part, nothing is invented.

    The result is checked, marked, signed and recorded like any other. Exit 3: policy refused.
    """
    from sdsafe.core.request import Task

    without_model: Choices = {**NO_MODEL, **given, "model": "builtin:lanczos"}
    make(Task.UPSCALE, "", without_model, inputs=read_inputs(source), parameters={"scale": scale})
