"""``sdsafe generate``: from a prompt to signed files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from sdsafe_cli.choices import Choices, model_options, output_options
from sdsafe_cli.making import make
from sdsafe_cli.use import size_of

if TYPE_CHECKING:
    from sdsafe.core.request import Size

__all__ = ["command"]


@click.command("generate")
@click.argument("prompt", required=False)
@click.option("--size", metavar="WxH", callback=size_of, help="Width and height in pixels.")
@model_options
@output_options
def command(*, prompt: str | None, size: Size | None, **given: Unpack[Choices]) -> None:
    """Make pictures from PROMPT and write them, signed, to FILE. PROMPT "-" is read from standard input.

    Exit 3: policy refused at least one picture; nothing was written for it.
    """
    from sdsafe.core.request import Task

    make(Task.GENERATE, prompt, given, size=size)
