"""``sdsafe restore``: a picture, or boxes of it, through a network that restores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from sdsafe_cli.choices import NO_MODEL, Output, input_argument, output_options
from sdsafe_cli.making import make, read_inputs
from sdsafe_cli.networks import boxes_of, network_options, with_network

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("restore")
@input_argument
@network_options
@click.option(
    "--box",
    "boxes",
    multiple=True,
    metavar="X,Y,W,H",
    callback=boxes_of,
    help="What to restore, in pixels from the top left (repeatable). Default: the whole picture.",
)
@click.option("--strength", type=click.FloatRange(0.01, 1), help="How much of the result shows. Default 1: all.")
@click.option("--seed", type=click.IntRange(0, 2**53 - 1), help="Of networks that draw random numbers.")
@output_options
def command(  # noqa: PLR0913 - one argument per option
    *,
    source: Path,
    network: Path | None,
    range_: str | None,
    boxes: str | None,
    strength: float | None,
    seed: int | None,
    **given: Unpack[Output],
) -> None:
    """Restore the picture IN with an ONNX network that you name, such as one for faces.

    With --box nothing outside of the boxes changes, before the watermark. The licence of the network has to be known,
    as that of any model. Exit 3: policy refused.
    """
    from sdsafe.core.request import Task

    parameters = {"range": range_, "boxes": boxes, "strength": strength}
    choices = with_network({**NO_MODEL, **given, "seed": seed}, network)
    make(Task.RESTORE, "", choices, inputs=read_inputs(source), parameters=parameters)
