"""``sdsafe records``: the private records, and how one is erased."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import click

from sdsafe_cli.context import settings_from
from sdsafe_cli.options import json_option, yes_option
from sdsafe_cli.render import emit_json, message, plain, printable, table

if TYPE_CHECKING:
    from sdsafe.core.ids import AssetId
    from sdsafe.records.repository.record import PrivateRecord
    from sdsafe.records.repository.sqlite import SqliteRepository
    from sdsafe.settings import Settings

__all__ = ["command"]


def _asset_id(_ctx: click.Context, _param: click.Parameter, value: str) -> AssetId:
    from sdsafe.core.ids import AssetId

    try:
        return AssetId.parse(value.strip())
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.group("records")
def command() -> None:
    """List, show and erase the private records: prompts, salts, parameters, decisions."""


@command.command("list")
@json_option
def list_records(*, as_json: bool) -> None:
    """List what is kept, without opening it."""
    repository = _open(settings_from())
    found = list(repository.list_records())
    if as_json:
        emit_json("sdsafe.records.list/1", {"records": [{**plain(i), "asset_id": str(i.asset_id)} for i in found]})
        return
    rows = [
        (
            str(info.asset_id),
            info.recorded_at,
            info.media_type,
            info.delivered_at or "not delivered",
            "erased" if info.erased else "kept",
        )
        for info in found
    ]
    table(f"{len(found)} records", ("asset id", "recorded at", "type", "delivered at", "record"), rows)


@command.command("show")
@click.argument("asset_id", metavar="ID", callback=_asset_id)
@json_option
def show(*, asset_id: AssetId, as_json: bool) -> None:
    """Open the private record of asset ID and print it, prompt and all."""
    record = _open(settings_from()).opening(asset_id)
    document = _document(record)
    if as_json:
        emit_json("sdsafe.records.show/1", document)
        return
    texts = record.texts.items()
    for label, value in (
        ("asset id", record.asset_id),
        ("recorded at", record.recorded_at),
        ("manifest", record.manifest_label),
        ("disclosure", record.disclosure),
        ("salt", record.salt.hex()),
        ("seed", str(record.seed)),
        *((name, printable(text)) for name, text in texts),
    ):
        click.echo(f"{label:<16}{value}")
    message("parameters, execution and decisions: --json")


@command.command("erase")
@click.argument("asset_id", metavar="ID", callback=_asset_id)
@yes_option
@json_option
def erase(*, asset_id: AssetId, yes: bool, as_json: bool) -> None:
    """Forget the key of record ID, for good, and note the erasure in the ledger.

    Afterwards neither the record nor the stored manifest can be read by anyone. The released file, and the ledger's
    digests of it, stay. Copies in backups of the state folder are out of reach. May be repeated if it was cut off.
    """
    settings = settings_from()
    repository = _open(settings)
    if not repository.has(asset_id):
        repository.erase(asset_id)  # says what is unknown, before anybody is asked
    if not yes:
        click.confirm(f"Erase the private record of asset {asset_id}? This cannot be undone", abort=True, err=True)
    # First the key, then the entry: an entry must never claim an erasure that did not happen.
    repository.erase(asset_id)
    index = _note_erasure(settings, str(asset_id))
    if as_json:
        emit_json("sdsafe.records.erase/1", {"asset_id": str(asset_id), "erased": True, "log_index": index})
        return
    noted = "never released, so the ledger has no entry" if index is None else f"ledger #{index}"
    click.echo(f"{asset_id}  erased  {noted}")


def _note_erasure(settings: Settings, asset_id: str) -> int | None:
    """Append an ``erased`` entry unless there is one; return its index, or None for an asset without entries."""
    from sdsafe import plugins
    from sdsafe._internal.clock import rfc3339
    from sdsafe.core.receipts import EntryKind

    ledger = plugins.load("sdsafe.ledgers", settings.ledger, settings.places, settings.options_for(settings.ledger))
    newest = ledger.prove(asset_id)
    if newest is None:
        return None
    if newest.entry.kind is not EntryKind.ERASED:
        entry = replace(newest.entry, kind=EntryKind.ERASED, asset_sha256="", manifest_sha256="", recorded_at=rfc3339())
        newest = ledger.append(entry)
    index: int = newest.log_index
    return index


def _open(settings: Settings) -> SqliteRepository:
    from sdsafe.errors import ConfigurationError
    from sdsafe.records.repository.sqlite import SqliteRepository

    if settings.repository != "sqlite":
        raise ConfigurationError(
            f"the configured repository is {settings.repository!r}; these commands read the built-in one",
            hint="Use the tools of that repository.",
        )
    return SqliteRepository.configure(settings.places, settings.options_for(settings.repository))


def _document(record: PrivateRecord) -> dict[str, object]:
    """Return all fields: ``plain`` leaves out what a ``repr`` must not show, and here it is asked for."""
    return {item.name: plain(getattr(record, item.name)) for item in fields(record)}
