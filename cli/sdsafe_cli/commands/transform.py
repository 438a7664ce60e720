"""``sdsafe transform``: from a picture and a prompt to another picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from sdsafe_cli.choices import Choices, input_argument, model_options, output_options
from sdsafe_cli.making import make, read_inputs
from sdsafe_cli.use import size_of

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.core.request import Size

__all__ = ["command"]


@click.command("transform")
@input_argument
@click.argument("prompt", required=False)
@click.option(
    "--strength", type=click.FloatRange(0.01, 1), help="How much changes: 0.01 to 1 (everything). Default 0.6."
)
@click.option("--size", metavar="WxH", callback=size_of, help="Scale the picture first; default: its own size.")
@model_options
@output_options
def command(
    *, source: Path, prompt: str | None, strength: float | None, size: Size | None, **given: Unpack[Choices]
) -> None:
    """Redraw the picture IN after PROMPT. PROMPT "-" is read from standard input.

    IN passes the same output checks before anything is made, and its manifest, if it has one, is carried on.
    Exit 3: policy refused.
    """
    from sdsafe.core.request import Task

    make(Task.TRANSFORM, prompt, given, size=size, inputs=read_inputs(source), parameters={"strength": strength})
