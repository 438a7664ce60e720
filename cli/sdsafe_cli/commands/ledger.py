"""``sdsafe ledger``: what was released, proven."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import FILE, force_option, json_option
from sdsafe_cli.render import emit_json, message, plain, table

if TYPE_CHECKING:
    from sdsafe.core.receipts import Checkpoint, Receipt
    from sdsafe.records.ledger.audit import AuditReport
    from sdsafe.records.ledger.log import SqliteLedger

__all__ = ["command"]

_HEX_LENGTHS = (16, 64)


@click.group("ledger")
def command() -> None:
    """Show, prove and audit the append-only record of releases. Nothing here changes it."""


@command.command("show")
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="How many entries, newest last.")
@json_option
def show(*, last: int, as_json: bool) -> None:
    """List entries."""
    ledger = _open()
    size = _head(ledger).tree_size
    found = list(ledger.entries(max(0, size - last)))
    if as_json:
        rows = [{"index": logged.index, **plain(logged.entry)} for logged in found]
        emit_json("sdsafe.ledger.show/1", {"size": size, "entries": rows})
        return
    columns = ("#", "kind", "asset id", "recorded at", "effect", "asset sha256")
    rows_of_text = [
        (str(logged.index), e.kind.value, e.asset_id, e.recorded_at, e.effect, e.asset_sha256)
        for logged in found
        for e in (logged.entry,)
    ]
    table(f"{len(found)} of {size} entries", columns, rows_of_text)


@command.command("prove")
@click.argument("what")
@json_option
def prove(*, what: str, as_json: bool) -> None:
    """Show the newest entry for WHAT - an asset id, a SHA-256, or a file - with its proof, after checking it.

    Exit 5: the ledger has no such entry.
    """
    from sdsafe.records.ledger.receipt import verify_receipt

    ledger = _open()
    receipt, key = ledger.prove(_digest(what)), ledger.public_key
    if receipt is None or key is None:
        message(f"sdsafe: the ledger has no entry for {what}")
        raise click.exceptions.Exit(Exit.NOT_SHOWN)
    verify_receipt(receipt, key)
    if as_json:
        emit_json("sdsafe.ledger.receipt/1", plain(receipt))
        return
    _show_receipt(receipt)


@command.command("audit")
@click.option("--since", metavar="CHECKPOINT", type=FILE, help="A checkpoint kept from an earlier day.")
@click.option("--key", metavar="PEM", type=FILE, help="The log's public key as you know it.")
@json_option
def audit(*, since: Path | None, key: Path | None, as_json: bool) -> None:
    """Recompute the whole log. Exit 4: something contradicts.

    Without --since an audit shows only that the log agrees with itself; with it, that the log was neither rolled
    back nor forked since then.
    """
    from sdsafe.records.ledger import checkpoint as checkpoints
    from sdsafe.records.ledger import key as keys
    from sdsafe.records.ledger.audit import audit as recompute

    kept = None if since is None else checkpoints.parse_note(since.read_text(encoding="utf-8", errors="replace"))
    public = None if key is None else keys.public_from_pem(key.read_bytes())
    report = recompute(_open(), kept, key=public)
    if as_json:
        emit_json("sdsafe.ledger.audit/1", {"consistent": report.consistent, **plain(report)})
    else:
        _show_audit(report)
    if not report.consistent:
        raise click.exceptions.Exit(Exit.INVALID)


@command.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def export(*, folder: Path, as_json: bool) -> None:
    """Write entries, checkpoint and public key into a new FOLDER, for checkers that share no code with sdsafe."""
    from sdsafe.records.ledger.export import export as write

    head = write(_open(), folder)
    if as_json:
        emit_json("sdsafe.ledger.export/1", {"folder": folder, "checkpoint": plain(head)})
        return
    click.echo(f"{folder}  {head.tree_size} entries  root {head.root_hash.hex()}")


@command.command("checkpoint")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it to a file instead.")
@force_option
@json_option
def checkpoint(*, output: Path | None, force: bool, as_json: bool) -> None:
    """Print the newest signed checkpoint: keep it elsewhere, and give it to `ledger audit --since` later."""
    from sdsafe._internal import atomic
    from sdsafe.records.ledger.checkpoint import render_note

    ledger = _open()
    head, key = _head(ledger), ledger.public_key
    note = "" if key is None else render_note(head, key)
    if output is not None:
        (atomic.replace if force else atomic.write_new)(output, note.encode())
    if as_json:
        emit_json("sdsafe.ledger.checkpoint/1", {"checkpoint": plain(head), "note": note})
    elif output is None:
        click.echo(note, nl=False)


def _open() -> SqliteLedger:
    from sdsafe.errors import ConfigurationError, LedgerError
    from sdsafe.records.ledger.log import SqliteLedger

    settings = settings_from()
    if settings.ledger != "sqlite":
        raise ConfigurationError(
            f"the configured ledger is {settings.ledger!r}; these commands read the built-in one",
            hint="Use the tools of that ledger.",
        )
    ledger = SqliteLedger.open_existing(settings.places)
    if ledger is None:
        raise LedgerError("there is no ledger", code="ledger.absent", hint="Nothing has been released here yet.")
    return ledger


def _head(ledger: SqliteLedger) -> Checkpoint:
    from sdsafe.errors import LedgerError

    head = ledger.checkpoint()
    if head is None:
        raise LedgerError("the ledger went away", code="ledger.absent", hint="Run again.")
    return head


def _digest(what: str) -> str:
    """Return an id or a digest as it was given, or the SHA-256 of a file."""
    text = what.strip().lower()
    if len(text) in _HEX_LENGTHS and not set(text) - set("0123456789abcdef"):
        return text
    path = Path(what)
    if not path.is_file():
        raise click.BadParameter(f"{what!r} is neither an asset id, nor a SHA-256, nor a file", param_hint="WHAT")
    from sdsafe.core.digests import sha256_hex

    return sha256_hex(path.read_bytes())


def _show_receipt(receipt: Receipt) -> None:
    entry, proof = receipt.entry, receipt.inclusion_proof
    for label, text in (
        ("entry", f"#{receipt.log_index} of {proof.tree_size}, {entry.kind.value}"),
        ("asset id", entry.asset_id),
        ("asset", entry.asset_sha256 or "-"),
        ("manifest", entry.manifest_sha256 or "-"),
        ("record", entry.record_sha256),
        ("policy", f"{entry.effect} by {', '.join(entry.policy_digests) or '-'}"),
        ("recorded at", entry.recorded_at),
        ("logged at", receipt.integrated_time),
        ("log id", receipt.log_id),
        ("root", proof.root_hash.hex()),
        ("proof", f"{len(proof.hashes)} hashes, verified under the signed checkpoint"),
    ):
        click.echo(f"{label:<12}{text}")


def _show_audit(report: AuditReport) -> None:
    click.echo(f"{'consistent' if report.consistent else 'INCONSISTENT'}: {report.size} entries recomputed, ", nl=False)
    click.echo(f"{report.checkpoints} checkpoints checked, root {report.root_hash.hex()}")
    if report.compared_with is None:
        message("no kept checkpoint was given (--since): a rollback or a fork would not be seen")
    for finding in report.findings:
        click.echo(f"{finding.severity.value:<14}{finding.code}: {finding.explanation}")
