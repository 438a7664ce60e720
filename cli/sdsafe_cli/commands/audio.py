"""``sdsafe audio``: from a prompt, or from nothing but a model, to signed sounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdsafe_cli.choices import model_options, output_options
from sdsafe_cli.making import make

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["command"]

_OF_PICTURES = {
    "lora": (),
    "controlnet": None,
    "control_image": None,
    "ip_adapter": None,
    "ip_adapter_image": None,
    "quality": None,
}
"""Options that every command has which makes pictures, and that mean nothing here, with what they pass on."""

_OUTPUT = click.Path(path_type=Path)


def _shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that all commands share, without those of pictures; some in words for sounds."""
    own = (
        click.Option(["--n", "count"], type=click.IntRange(1, 1000), help="How many sounds (FILE-1.wav, ...)."),
        click.Option(["--seed"], type=click.IntRange(0, 2**53 - 1), help="Same request and seed, same samples."),
        click.Option(["--negative-prompt"], metavar="TEXT", help="What not to play; goes through the same checks."),
        click.Option(["-o", "--output"], required=True, type=_OUTPUT, help="File to write: .wav."),
    )
    in_our_words = {option.name: option for option in own}

    @model_options
    @output_options
    def shared() -> None: ...

    found: list[click.Option] = shared.__click_params__  # type: ignore[attr-defined]  # where click keeps them
    kept = [in_our_words.get(each.name, each) for each in found if each.name not in _OF_PICTURES]
    options: list[click.Parameter] = getattr(command, "__click_params__", [])
    command.__click_params__ = [*kept, *options]  # type: ignore[attr-defined]  # the same
    return command


@click.command("audio")
@click.argument("prompt", required=False)
@click.option(
    "--seconds", type=click.FloatRange(0, min_open=True), help="How long. Default: 10, or what the model was made for."
)
@_shared_options
def command(*, prompt: str | None, seconds: float | None, **given: Any) -> None:
    """Make sounds from PROMPT with an audio model and write them, signed, to FILE (WAV, 16-bit PCM).

    A model without texts, such as Dance Diffusion, takes no PROMPT; "-" reads it from standard input. Sounds carry no
    watermark, and their manifest says so. Exit 3: policy refused at least one sound; nothing was written for it.
    """
    from sdsafe.core.request import Task

    make(Task.AUDIO, prompt, {**_OF_PICTURES, **given}, further={"seconds": seconds})  # type: ignore[typeddict-item]  # what click parsed
