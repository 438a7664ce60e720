"""``sdsafe disclose``: show one auditor the prompt that a file commits to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import FILE, force_option
from sdsafe_cli.render import message, printable
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
    type=FILE,
    help="Check a document that you were given, and print what it opens.",
)
@click.option(
    "--key",
    metavar="PEM",
    type=FILE,
    help="Open a prompt that was encrypted for you, with your private key; no record is needed.",
)
@click.option("--password-file", type=FILE, help="Password of the key.")
@force_option
def command(  # noqa: PLR0913 - one argument per option
    *, file: Path, output: Path | None, document: Path | None, key: Path | None, password_file: Path | None, force: bool
) -> None:
    """Open the prompt of FILE, which was made with --prompt-disclosure commit or encrypted, or check such an opening.

    Without --key it is opened where FILE was made, with the private record; with --key anywhere, by the auditor it was
    encrypted for. The document holds prompt and salt: whoever has it can prove the prompt to anybody who has FILE. The
    manifest of FILE has to hold in every case; who signed it is for `verify`.

    Exit 4: the manifest does not hold, or what was opened is not what it commits to.
    """
    from sdsafe.errors import ConfigurationError
    from sdsafe.opening import check

    if key is not None and document is not None:
        raise click.UsageError("--check takes the document that was opened; --key opens one")
    summary = summary_of(file)
    try:
        if document is None:
            opened = _from_record(summary) if key is None else _with_key(summary, key, password_file)
            _write(opened, output, force=force)
            return
        texts = check(document.read_bytes(), summary)
    except ConfigurationError as error:
        if error.code not in {"disclosure.mismatch", "disclosure.sealed"}:
            raise
        message(f"sdsafe: {error}")
        raise click.exceptions.Exit(Exit.INVALID) from None
    for name, text in texts.items():
        click.echo(f"{name:<16}{printable(text)}")
    message("opens the commitment in the manifest")


def _with_key(summary: ManifestSummary, key: Path, password_file: Path | None) -> dict[str, object]:
    from sdsafe.opening import unsealed
    from sdsafe.provenance.manifest.envelope import read_opener

    def password() -> bytes:
        if password_file is not None:
            return password_file.read_bytes().rstrip(b"\r\n")
        answer: str = click.prompt("Password of the key", hide_input=True, err=True)
        return answer.encode()

    return unsealed(summary, read_opener(key.read_bytes(), password))


def _from_record(summary: ManifestSummary) -> dict[str, object]:
    from sdsafe.core.ids import AssetId
    from sdsafe.errors import RepositoryError
    from sdsafe.opening import opened
    from sdsafe.records.repository.sqlite import SqliteRepository

    repository = SqliteRepository.open_existing(settings_from().places)
    if repository is None or summary.asset_id is None:
        raise RepositoryError("there is no private record of this file here", hint="Run it where the file was made.")
    return opened(summary, repository.opening(AssetId.parse(summary.asset_id)))


def _write(document: dict[str, object], output: Path | None, *, force: bool) -> None:
    from sdsafe._internal import atomic

    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    write = atomic.replace if force else atomic.write_new
    write(output, text.encode(), mode=0o600)
    message(f"{output}: whoever has this can prove the prompt")
