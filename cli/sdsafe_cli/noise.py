"""``sdsafe watermark detect --noise``: read the mark in the noise that a picture was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import with_options
from sdsafe_cli.render import emit_json, message
from sdsafe_cli.use import size_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sdsafe.core.ids import AssetId
    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import Size
    from sdsafe.noise import NoiseReading

__all__ = ["NoiseOptions", "detect_noise", "noise_options"]


class NoiseOptions(TypedDict):
    """What the options gave."""

    model: str | None
    prompt: str | None
    asset_id: AssetId | None
    size: Size | None
    steps: int | None


def _asset_id(_ctx: click.Context, _param: click.Parameter, value: str | None) -> AssetId | None:
    if value is None:
        return None
    from sdsafe.core.ids import AssetId

    try:
        return AssetId.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_OPTIONS = (
    click.option(
        "--model", metavar="ID", help="With --noise: the model that made FILE; default: that of the settings."
    ),
    click.option("--prompt", metavar="TEXT", help="With --noise: its prompt, if it is known; it helps little."),
    click.option(
        "--id",
        "asset_id",
        metavar="HEX",
        callback=_asset_id,
        help="With --noise: ask for this asset alone; default: that of the pixel mark, recorded look-alikes, and blind.",
    ),
    click.option("--size", metavar="WxH", callback=size_of, help="With --noise: what FILE measured when it was made."),
    click.option("--steps", type=click.IntRange(1, 1000), help="With --noise: of the way back; default: 10."),
)


def noise_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of ``NoiseOptions``."""
    return with_options(command, _OPTIONS)


def detect_noise(pixels: Pixels, given: NoiseOptions, *, as_json: bool) -> int:
    """Lead a picture back through a model and say whose noise it finds there."""
    from sdsafe.core.request import GenerationRequest, ModelRef
    from sdsafe.noise import read_noise_mark

    settings = settings_from()
    model = given["model"] or settings.model
    request = GenerationRequest(
        prompt=given["prompt"] or "", model=ModelRef(repo=model), size=given["size"], steps=given["steps"]
    )
    found = read_noise_mark(pixels, request, settings=settings, asset_id=given["asset_id"])
    if as_json:
        emit_json(
            "sdsafe.watermark.noise/1", {"id": str(found.asset_id) if found.asset_id else None, **_said(found, model)}
        )
    else:
        _tell(found)
    return Exit.OK if found.asset_id else Exit.NOT_SHOWN


def _said(found: NoiseReading, model: str) -> dict[str, object]:
    return {
        "p_value": found.p_value,
        "false_positive_rate": found.rate,
        "blind": found.blind,
        "likeliest": str(found.likeliest) if found.likeliest else None,
        "match": found.match,
        "candidates": found.candidates,
        "sizes": found.sizes,
        "mirrored": found.mirrored,
        "alg": found.alg,
        "key_id": found.key_id,
        "model": model,
    }


def _tell(found: NoiseReading) -> None:
    how = "read blind" if found.blind else f"the likeliest of {found.candidates}"
    if found.asset_id:
        click.echo(str(found.asset_id))
        message(f"p-value {found.p_value:.1e}, {how}{_agreeing(found)}")
        return
    tried = f"p-value {found.p_value:.1e}{_agreeing(found)}; " if found.match else ""
    message(f"{tried}no mark in the noise below {found.rate:g}; that says nothing: editing and other models lose it")
    if not found.candidates:
        message(
            "nothing leads to a candidate: name one with --id, which needs far less of the noise than reading blind"
        )


def _agreeing(found: NoiseReading) -> str:
    match = found.match
    return f", {match.agreeing} of {match.compared} signs agree" if match else ""
