"""``sdsafe outpaint``: make a picture larger by painting around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from sdsafe_cli.choices import Choices, input_argument, model_options, output_options
from sdsafe_cli.making import make, read_inputs

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]

_SIDES = ("left", "top", "right", "bottom")


def _pads(_ctx: click.Context, _param: click.Parameter, value: str | None) -> dict[str, int]:
    if value is None:
        return {}
    parts = value.split(",")
    if len(parts) != len(_SIDES) or not all(part.strip().isdecimal() for part in parts):
        raise click.BadParameter(f"{value!r} is not L,T,R,B in pixels, such as 0,64,0,64")
    return {f"pad_{side}": int(part) for side, part in zip(_SIDES, parts, strict=True)}


@click.command("outpaint")
@input_argument
@click.argument("prompt", required=False)
@click.option("--pad", metavar="L,T,R,B", callback=_pads, help="Pixels to add at each side.")
@click.option(
    "--paste-back/--no-paste-back",
    default=None,
    help="Keep every pixel of IN exactly as it was, before the watermark (default).",
)
@model_options
@output_options
def command(
    *, source: Path, prompt: str | None, pad: dict[str, int], paste_back: bool | None, **given: Unpack[Choices]
) -> None:
    """Paint PROMPT around the picture IN. PROMPT "-" is read from standard input.

    Exit 3: policy refused.
    """
    from sdsafe.core.request import Task

    make(Task.OUTPAINT, prompt, given, inputs=read_inputs(source), parameters={**pad, "paste_back": paste_back})
