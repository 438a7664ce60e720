"""``sdsafe vary``: other pictures like this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from sdsafe_cli.choices import Choices, input_argument, model_options, output_options
from sdsafe_cli.making import make, read_inputs

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("vary")
@input_argument
@click.option("--prompt", metavar="TEXT", help="What it shows; without it the model sees the picture alone.")
@click.option("--strength", type=click.FloatRange(0.01, 1), help="How much changes: 0.01 to 1. Default 0.4.")
@model_options
@output_options
def command(*, source: Path, prompt: str | None, strength: float | None, **given: Unpack[Choices]) -> None:
    """Make variations of the picture IN; --n says how many.

    Exit 3: policy refused.
    """
    from sdsafe.core.request import Task

    make(Task.VARY, prompt, given, inputs=read_inputs(source), parameters={"strength": strength})
