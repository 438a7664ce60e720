"""``sdsafe sign``: a picture that was made elsewhere, protected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from sdsafe_cli.choices import NO_MODEL, Choices, Output, input_argument, output_options
from sdsafe_cli.making import make, read_inputs

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("sign")
@input_argument
@click.option("--source-type", metavar="TERM", help="How IN came to be, by your word: digitalCapture, print, ...")
@click.option("--title", metavar="TEXT", help="What it is called, by your word.")
@click.option("--creator", "creators", multiple=True, metavar="NAME", help="Who made it, by your word (repeatable).")
@click.option("--no-watermark", is_flag=True, help="Leave every pixel, and the file but for its manifest, as it is.")
@output_options
def command(
    *,
    source: Path,
    source_type: str | None,
    title: str | None,
    creators: tuple[str, ...],
    no_watermark: bool,
    **given: Unpack[Output],
) -> None:
    """Check, mark, sign and record the picture IN, which was made elsewhere.

    Its own manifest, if it has one, becomes the parent; one that does not hold is refused. The ending of the output
    chooses the format. What you say of IN is written down as your word. Exit 3: policy refused.
    """
    from sdsafe.core.request import Task
    from sdsafe.core.statement import Statement

    statement = Statement(source_type=source_type, title=title, creators=creators)
    as_it_is: Choices = {**NO_MODEL, **given, "model": "builtin:as-is"}
    further = {"statement": statement if statement.says_something else None, "marked": not no_watermark}
    make(Task.SIGN, "", as_it_is, inputs=read_inputs(source), further=further)
