"""``sdsafe upscale``: the same picture, larger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from sdsafe_cli.choices import Choices, input_argument, model_options, output_options
from sdsafe_cli.making import make, read_inputs
from sdsafe_cli.networks import network_options, with_network

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("upscale")
@input_argument
@click.argument("prompt", required=False)
@click.option("--scale", type=click.IntRange(2, 8), help="How many times as wide and as high. Default 2.")
@network_options
@model_options
@output_options
def command(
    *,
    source: Path,
    prompt: str | None,
    scale: int | None,
    network: Path | None,
    range_: str | None,
    **given: Unpack[Choices],
) -> None:
    """Enlarge the picture IN by interpolation (Lanczos); no model takes part, nothing is invented.

    With --network (an ONNX network for super-resolution) or --model (a diffusion upscaler, which may be told with
    PROMPT what the picture shows) a model adds detail, and the manifest says so. Exit 3: policy refused.
    """
    from sdsafe.core.request import Task

    if given["model"] == "builtin:scenes":  # a request that names it says nothing, and Lanczos would enlarge
        raise click.BadParameter("builtin:scenes does not enlarge; leave it out", param_hint="--model")
    parameters = {"scale": scale, "range": range_}
    make(Task.UPSCALE, prompt, with_network(given, network), inputs=read_inputs(source), parameters=parameters)
