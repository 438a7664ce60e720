"""The options that name an ONNX network, for the commands that can use one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sdsafe_cli.options import FILE, with_options

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe_cli.choices import Choices

__all__ = ["boxes_of", "network_options", "with_network"]


_OPTIONS = (
    click.option("--network", type=FILE, metavar="FILE.onnx", help="ONNX network: one picture in, one out, RGB."),
    click.option(
        "--range",
        "range_",
        type=click.Choice(("0..1", "-1..1", "0..255")),
        help="What black and white are for a network of floats. Default 0..1.",
    ),
)


def network_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--network`` and ``--range``."""
    return with_options(command, _OPTIONS)


def with_network(given: Choices, network: Path | None) -> Choices:
    """Return what was given, with the network in the place of the model.

    Raises:
        click.UsageError: Both are named.
    """
    if network is None:
        return given
    if given["model"] is not None:
        raise click.UsageError("--network and --model exclude each other")
    return {**given, "model": str(network)}


def boxes_of(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> str | None:
    """Return the boxes ``X,Y,W,H`` that were given as the request states them."""
    from sdsafe.core.regions import boxes_text, read_boxes
    from sdsafe.errors import RequestError

    if not values:
        return None
    try:
        return boxes_text(read_boxes(";".join(values)))
    except RequestError as error:
        raise click.BadParameter(f"{error}. {error.hint}") from None
