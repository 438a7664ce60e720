"""The options that fit adapters onto a model: LoRA, ControlNet and IP-adapter, and the pictures that they read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from sdsafe.core.request import AdapterRef
from sdsafe_cli.options import FILE

if TYPE_CHECKING:
    from sdsafe.core.request import InputImage
    from sdsafe_cli.choices import Model

__all__ = ["adapter_options", "adapters_of"]

_WEIGHT = re.compile(r"(?P<name>.+):(?P<weight>[+-]?(\d+(\.\d*)?|\.\d+))")


class _Adapter(click.ParamType[AdapterRef]):
    """``ID[#FILE][:WEIGHT]``: a safetensors file, a folder or a hub id; a file of it; how much it counts."""

    name = "ID[#FILE][:WEIGHT]"

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> AdapterRef:
        from sdsafe.core.request import AdapterRef

        text = str(value)
        match = _WEIGHT.fullmatch(text)
        name, weight = (match["name"], float(match["weight"])) if match else (text, 1.0)
        repo, _, file = name.partition("#")
        if not repo:
            self.fail("no adapter is named", param, ctx)
        return AdapterRef(kind=self.kind, repo=repo, file=file or None, weight=weight)


adapter_options = (
    click.option(
        "--lora",
        multiple=True,
        type=_Adapter("lora"),
        help="LoRA: a file, folder or hub id, and its weight (repeatable).",
    ),
    click.option("--controlnet", type=_Adapter("controlnet"), help="ControlNet; needs --control-image."),
    click.option("--control-image", type=FILE, help="What the ControlNet reads: edges, depth, a pose, ..."),
    click.option("--ip-adapter", type=_Adapter("ip-adapter"), help="IP-adapter; needs --ip-adapter-image."),
    click.option("--ip-adapter-image", type=FILE, help="The picture that the IP-adapter reads."),
)
"""All of them, in the order of the help."""


def adapters_of(given: Model) -> tuple[tuple[AdapterRef, ...], tuple[InputImage, ...]]:
    """Return the adapters that the options name, and the pictures that they read.

    Raises:
        click.UsageError: One is without its picture, or a picture without its adapter.
    """
    from sdsafe.api import read_input

    pairs = (
        ("control", "--controlnet", given["controlnet"], "--control-image", given["control_image"]),
        ("reference", "--ip-adapter", given["ip_adapter"], "--ip-adapter-image", given["ip_adapter_image"]),
    )
    adapters, pictures = [*given["lora"]], []
    for role, option, adapter, picture_option, picture in pairs:
        if (adapter is None) != (picture is None):
            one, other = (picture_option, option) if picture is None else (option, picture_option)
            raise click.UsageError(f"{other} needs {one}")
        if adapter is not None and picture is not None:
            adapters.append(adapter)
            pictures.append(read_input(picture, role))
    return tuple(adapters), tuple(pictures)
