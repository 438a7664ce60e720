"""``sdsafe disclose``: show one auditor the prompt that a file commits to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import force_option
from sdsafe_cli.render import message
from sdsafe_cli.report import printable
from sdsafe_cli.seen import summary_of

if TYPE_CHECKING:
    from sdsafe.core.report import ManifestSummary

__all__ = ["command"]


@click.command("disclose")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write the document; default: print it.")
@click.option(
    "--check",
    "document",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Check a document that you were given, and print what it opens.",
)
@force_option
def command(*, file: Path, output: Path | None, document: Path | None, force: bool) -> None:
    """Open the prompt of FILE, which was made with --prompt-disclosure commit, or check such an opening.

    The document holds prompt and salt: whoever has it can prove the prompt to anybody who has FILE. The manifest of
    FILE has to hold in both cases; who signed it is for `verify`.

    Exit 4: the manifest does not hold, or the document opens something else.
    """
    from sdsafe.errors import ConfigurationError
    from sdsafe.opening import check

    summary = summary_of(file)
    if document is None:
        _open(summary, output, force=force)
        return
    try:
        texts = check(document.read_bytes(), summary)
    except ConfigurationError as error:
        if error.code != "disclosure.mismatch":
            raise
        message(f"sdsafe: {error}")
        raise click.exceptions.Exit(Exit.INVALID) from None
    for name, text in texts.items():
        click.echo(f"{name:<16}{printable(text)}")
    message("opens the commitment in the manifest")


def _open(summary: ManifestSummary, output: Path | None, *, force: bool) -> None:
    from sdsafe._internal import atomic
    from sdsafe.core.ids import AssetId
    from sdsafe.errors import RepositoryError
    from sdsafe.opening import opened
    from sdsafe.records.repository.sqlite import SqliteRepository

    repository = SqliteRepository.open_existing(settings_from().places)
    if repository is None or summary.asset_id is None:
        raise RepositoryError("there is no private record of this file here", hint="Run it where the file was made.")
    document = opened(summary, repository.opening(AssetId.parse(summary.asset_id)))
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    write = atomic.replace if force else atomic.write_new
    write(output, text.encode(), mode=0o600)
    message(f"{output}: whoever has this can prove the prompt")
