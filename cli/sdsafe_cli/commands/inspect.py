"""``sdsafe inspect``: everything that can be seen, nothing judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import (
    at_option,
    crjson_option,
    crl_option,
    json_option,
    manifest_option,
    trust_option,
    trust_tsa_option,
)
from sdsafe_cli.render import message
from sdsafe_cli.report import show_crjson, show_report

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["command"]


@click.command("inspect")
@click.argument("file", type=click.Path(path_type=Path))
@trust_option
@trust_tsa_option
@crl_option
@at_option
@manifest_option
@click.option("--tree", "as_tree", is_flag=True, help="Draw the manifests: what it was made from, and that from what.")
@click.option("--request", "as_request", is_flag=True, help="Write the request that FILE was made from, for --config.")
@crjson_option
@json_option
def command(  # noqa: PLR0913 - one argument per option
    *,
    file: Path,
    trust: tuple[Path, ...],
    trust_tsa: tuple[Path, ...],
    crl: tuple[Path, ...],
    at: datetime | None,
    manifest: Path | None,
    as_tree: bool,
    as_request: bool,
    crjson: bool,
    as_json: bool,
) -> None:
    """Report what FILE carries: manifest, signer, watermark, fingerprint, ledger entry. Exit 0 if it could be read."""
    if as_tree:
        _tree(file, manifest, as_json=as_json)
        return
    if as_request:
        _request(file)
        return
    from sdsafe.api import open_validator, read_asset

    validator = open_validator(settings_from(), trust=trust, check_watermark=True, trust_tsa=trust_tsa, crl=crl, at=at)
    asset = read_asset(file, manifest)
    report = validator.inspect(asset)
    if crjson:
        show_crjson(asset, report, str(file), at=at)
        return
    show_report(report, str(file), as_json=as_json)


def _request(file: Path) -> None:
    """Print the request file of a file whose manifest holds."""
    from sdsafe.requests import document_of, to_json
    from sdsafe_cli.seen import summary_of

    document = document_of(summary_of(file).generation)
    click.echo(to_json(document), nl=False)
    if withheld := document.get("withheld"):
        message(f"the file withholds {', '.join(withheld)}: give it when you ask again")  # type: ignore[arg-type]  # a list of texts
    if inputs := document.get("inputs"):
        message(f"{len(inputs)} pictures went in: give the very files")  # type: ignore[arg-type]  # a list


def _tree(file: Path, manifest: Path | None, *, as_json: bool) -> None:
    from sdsafe.api import read_asset
    from sdsafe.provenance.manifest._c2pa import read
    from sdsafe.provenance.manifest.tree import grow
    from sdsafe_cli.family import show_tree

    reading = read(read_asset(file, manifest))
    if not reading.label:
        message(f"sdsafe: {file}: there is no manifest that could be read")
        raise click.exceptions.Exit(Exit.NOT_SHOWN)
    show_tree(grow(reading.store, reading.label), str(file), as_json=as_json)
