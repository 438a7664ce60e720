"""``sdsafe inpaint``: paint anew what a mask selects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from sdsafe_cli.choices import Choices, input_argument, model_options, output_options
from sdsafe_cli.making import make, read_inputs
from sdsafe_cli.options import FILE

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("inpaint")
@input_argument
@click.argument("prompt", required=False)
@click.option("--mask", required=True, type=FILE, help="Picture of the same size: white is painted anew, black stays.")
@click.option("--strength", type=click.FloatRange(0.01, 1), help="How much changes inside the mask. Default 1.")
@click.option(
    "--paste-back/--no-paste-back",
    default=None,
    help="Keep every pixel outside the mask exactly as it was, before the watermark (default).",
)
@model_options
@output_options
def command(
    *,
    source: Path,
    prompt: str | None,
    mask: Path,
    strength: float | None,
    paste_back: bool | None,
    **given: Unpack[Choices],
) -> None:
    """Paint PROMPT where the mask is white in the picture IN. PROMPT "-" is read from standard input.

    Exit 3: policy refused.
    """
    from sdsafe.core.request import Task

    parameters = {"strength": strength, "paste_back": paste_back}
    make(Task.INPAINT, prompt, given, inputs=read_inputs(source, mask), parameters=parameters)
