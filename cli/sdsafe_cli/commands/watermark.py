"""``sdsafe watermark``: try the mark by itself - write, read, attack, measure false positives."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.context import settings_from
from sdsafe_cli.noise import NoiseOptions, detect_noise, noise_options
from sdsafe_cli.options import FILE, force_option, json_option
from sdsafe_cli.render import emit_json, message, table

if TYPE_CHECKING:
    from sdsafe.bindings.watermark.lattice import LatticeWatermarker
    from sdsafe.core.pixels import Pixels

__all__ = ["command"]

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_OUTPUT = click.Path(dir_okay=False, path_type=Path)
_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".avif"}
_MAGNIFIED = 10


@click.group("watermark")
def command() -> None:
    """Try the built-in watermark on pictures of your own. What it writes here is neither signed nor recorded."""


@command.command("embed")
@click.argument("file", type=FILE)
@click.option("-o", "--output", type=_OUTPUT, required=True, help="Where the marked PNG goes.")
@click.option("--id", "asset_id", metavar="HEX", help="16 hexadecimal digits; default: random.")
@click.option("--quality", type=click.Choice(["standard", "robust"]), default="robust", show_default=True)
@click.option("--difference", type=_OUTPUT, help="Also write the difference, ten times magnified, on grey.")
@force_option
@json_option
def embed(  # noqa: PLR0913 - options
    *, file: Path, output: Path, asset_id: str | None, quality: str, difference: Path | None, force: bool, as_json: bool
) -> None:
    """Mark FILE with an id and say at what quality."""
    import numpy as np

    pixels = _pixels(file)
    payload = _payload(asset_id)
    written = _marker(quality).write(pixels, payload)
    _write(output, written.image, force=force)
    if difference:
        grey = 128 + _MAGNIFIED * (written.image.astype(np.int16) - pixels)
        _write(difference, np.clip(grey, 0, 255).astype(np.uint8), force=force)
    found = {"id": payload.hex(), "psnr_db": round(written.psnr, 2), "survives": written.passed, "lost": written.failed}
    if as_json:
        emit_json("sdsafe.watermark.embed/1", found)
        return
    message(f"id {found['id']}, {found['psnr_db']} dB; not signed and not recorded")
    for each in written.failed:
        message(f"does not survive: {each}")


@command.command("detect")
@click.argument("file", type=FILE)
@click.option(
    "--watermarker", metavar="NAME", default="lattice", show_default=True, help="Whose mark to read: `sdsafe plugins`."
)
@click.option("--noise", is_flag=True, help="Read the mark in the noise that FILE was made of; needs its model.")
@noise_options
@json_option
def detect(*, file: Path, watermarker: str, noise: bool, as_json: bool, **given: Unpack[NoiseOptions]) -> int:
    """Read the mark of FILE. Exit 5: none reads, which says nothing about where the picture comes from."""
    from sdsafe import plugins
    from sdsafe.protocols import Legible

    if noise:
        return detect_noise(_pixels(file), given, as_json=as_json)
    if any(given.values()):
        raise click.UsageError("--model, --prompt, --id, --size and --steps are for --noise")
    settings, pixels = settings_from(), _pixels(file)
    marker = plugins.load("sdsafe.watermarkers", watermarker, settings.places, settings.options_for(watermarker))
    if isinstance(marker, Legible):
        marker.check_legible(pixels.shape[1], pixels.shape[0])
    (found,) = marker.detect([pixels])
    if as_json:
        read = found.payload.hex() if found.payload else None
        emit_json(
            "sdsafe.watermark.detect/1", {"id": read, "p_value": found.p_value, "corrected_bits": found.corrected}
        )
    elif found.payload:
        click.echo(found.payload.hex())
        chance = "no p-value" if found.p_value is None else f"p-value {found.p_value:.1e}"
        message(chance if found.corrected is None else f"{chance}, {found.corrected} bits corrected")
    else:
        message("no mark reads; that says nothing: marks are lost to many kinds of editing")
    return Exit.OK if found.payload else Exit.NOT_SHOWN


@command.command("fpr")
@click.argument("folder", type=_FOLDER)
@click.option(
    "--keys", type=click.IntRange(1), default=3, show_default=True, help="Random keys to read each picture with."
)
@json_option
def fpr(*, folder: Path, keys: int, as_json: bool) -> None:
    """Read every picture in FOLDER under random keys: how often does a mark appear that nobody wrote?"""
    from sdsafe.bindings.watermark.lattice import LatticeWatermarker
    from sdsafe.bindings.watermark.statistics import DEFAULT_RATE, p_value, rate_bound

    files = _pictures(folder)
    readings = []
    for _ in range(keys):
        marker = LatticeWatermarker(secrets.token_bytes(32))
        readings += [marker.examine(_pixels(each)) for each in files]
        message(f"{len(readings)} of {keys * len(files)} read")
    false = sum(each.payload is not None for each in readings)
    most = max(each.messages for each in readings)
    result = {
        "readings": len(readings),
        "false": false,
        "rate_at_most": rate_bound(false, len(readings)),
        "messages_most": most,
        "bound_from_messages": p_value(most),
        "bound_promised": DEFAULT_RATE,
        "largest_template_peak": round(max(each.peak for each in readings), 2),
    }
    if as_json:
        emit_json("sdsafe.watermark.fpr/1", result)
        return
    table("False positives", ("what", "value"), [(name, f"{value:.4g}") for name, value in result.items()])


@command.command("bench")
@click.argument("file", type=FILE)
@click.option("-o", "--output", type=_OUTPUT, help="Write the curves as a PNG.")
@force_option
@json_option
def bench(*, file: Path, output: Path | None, force: bool, as_json: bool) -> None:
    """Mark FILE, attack it ever harder, and show where the mark stops reading."""
    from sdsafe_cli.curves import drawn, measured

    payload = secrets.token_bytes(8)
    marker = _marker()
    written = marker.write(_pixels(file), payload)
    curves = measured(marker, written.image, payload)
    if output:
        _write(output, drawn(curves, f"{file.name}, {written.psnr:.1f} dB"), force=force)
    if as_json:
        emit_json("sdsafe.watermark.bench/1", {"psnr_db": round(written.psnr, 2), "curves": curves})
        return
    rows = [
        (name, " ".join(f"{level:g}:{'yes' if read else 'no'}" for level, read in points))
        for name, points in curves.items()
    ]
    table(f"Marked at {written.psnr:.1f} dB", ("attack", "level: reads"), rows)


def _marker(quality: str = "robust") -> LatticeWatermarker:
    from sdsafe.bindings.watermark.lattice import LatticeWatermarker

    settings = settings_from()
    return LatticeWatermarker.configure(settings.places, {**settings.options_for("lattice"), "quality": quality})


def _payload(asset_id: str | None) -> bytes:
    from sdsafe.core.ids import ASSET_ID_BYTES

    if asset_id is None:
        return secrets.token_bytes(ASSET_ID_BYTES)
    try:
        value = bytes.fromhex(asset_id)
    except ValueError:
        value = b""
    if len(value) != ASSET_ID_BYTES:
        raise click.BadParameter("an id has 16 hexadecimal digits", param_hint="--id")
    return value


def _pixels(file: Path) -> Pixels:
    from sdsafe._internal import images
    from sdsafe.api import read_asset

    return images.decode(read_asset(file).data)


def _pictures(folder: Path) -> list[Path]:
    files = sorted(each for each in folder.rglob("*") if each.suffix.lower() in _SUFFIXES and each.is_file())
    if not files:
        raise click.BadParameter("no PNG, JPEG, WebP or AVIF files in it", param_hint="FOLDER")
    return files


def _write(path: Path, pixels: Pixels, *, force: bool) -> None:
    from sdsafe._internal import atomic, images

    write = atomic.replace if force else atomic.write_new
    write(path, images.encode(pixels))
