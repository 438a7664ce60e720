"""``sdsafe signer``: the key in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import json_option
from sdsafe_cli.render import emit_json, message, plain, table

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from sdsafe.provenance.signing.apart import SocketSigner
    from sdsafe.records.ledger.log import Logged, SqliteLedger

__all__ = ["command"]

_PATH = click.Path(path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_state_option = click.option("--state", type=_FOLDER, help="Folder of the log. Default: `signer` in the state folder.")


@click.group("signer")
def command() -> None:
    """Keep the signing key in a process of its own, which signs only what shows decisions and check receipts."""


def _per_minute(_context: click.Context, _parameter: click.Parameter, value: str) -> int:
    number = value.removesuffix("/min")
    if not (number.isascii() and number.isdigit() and 1 <= int(number) <= 1_000_000):  # noqa: PLR2004 - as the message says
        raise click.BadParameter(f"{value!r} is no number of signatures a minute, such as 60 or 60/min")
    return int(number)


@command.command("serve")
@click.option("--socket", "path", required=True, type=_PATH, help="Where to listen; its folder must be private.")
@click.option("--key", metavar="URI", help="The key. Default: the configured signer.")
@click.option(
    "--packs", multiple=True, metavar="NAME", help="A pack that must have judged, besides the configured ones."
)
@click.option("--rate", default="60/min", show_default=True, callback=_per_minute, help="Signatures a minute at most.")
@click.option(
    "--max-age", type=click.IntRange(1, 24 * 365), default=24, show_default=True, help="Hours that receipts may be old."
)
@click.option("--allow-user", multiple=True, metavar="NAME", help="Another user who may ask. Default: your own only.")
@click.option("--elsewhere", is_flag=True, help="Sign pictures that were made elsewhere, too (`sdsafe sign`).")
@_state_option
def serve(  # noqa: PLR0913 - one argument per flag
    *,
    path: Path,
    key: str | None,
    packs: tuple[str, ...],
    rate: int,
    max_age: int,
    allow_user: tuple[str, ...],
    elsewhere: bool,
    state: Path | None,
) -> None:
    """Sign for others until told to stop (SIGTERM, Ctrl-C).

    What every file must show is in the settings of whoever runs this: their packs must have judged, in the very
    version that is installed here, and their checks must have looked. Who asks cannot lower it.
    """
    from sdsafe.signer import peers, server
    from sdsafe.signer.opening import open_keeper

    settings = settings_from()
    folder = state or settings.places.state / "signer"
    allowed = _users(allow_user)
    hardened = peers.harden()
    with peers.alone(folder):
        keeper = open_keeper(
            settings,
            key or settings.signer,
            folder,
            packs=packs,
            per_minute=rate,
            max_age_s=max_age * 3600,
            elsewhere=elsewhere,
        )
        with peers.listening(path, shared=bool(allow_user)) as listener:
            stop = _until_told()
            for line in _greeting(keeper.status(), path, hardened=hardened):
                message(line)
            server.serve(listener, keeper, allowed, stop)
    message("sdsafe: the signer has stopped")


@command.command("status")
@click.option("--socket", "path", type=_PATH, help="Default: that of the configured signer.")
@json_option
def status(*, path: Path | None, as_json: bool) -> None:
    """Ask the signer that runs what it has signed, what it has refused, and what it demands."""
    found = {name: value for name, value in _client(path).status().items() if name not in {"v", "ok"}}
    if as_json:
        emit_json("sdsafe.signer.status/1", found)
        return
    for name, value in found.items():
        click.echo(f"{name.replace('_', ' '):<16}{_words(value)}")


@command.command("log")
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="How many entries, newest last.")
@click.option("--against", type=_FOLDER, help="State folder of the pipeline: say which signatures its ledger knows.")
@_state_option
@json_option
def log(*, last: int, against: Path | None, state: Path | None, as_json: bool) -> None:
    """List signatures. Exit 4: the log contradicts itself. Exit 5: --against does not know one of those listed.

    A signature that no ledger knows was made for a pipeline that died in that moment, or for somebody else.
    """
    from sdsafe.records.ledger.audit import audit
    from sdsafe.signer.comparing import Fate, fate
    from sdsafe.signer.opening import log_of

    kept = _existing(state)
    report = audit(kept)
    found = list(kept.entries(max(0, report.size - last)))
    ledger = None if against is None else log_of(against)
    fates = ["" if against is None else fate(each.entry, ledger).value for each in found]
    if as_json:
        rows = [{"index": e.index, "fate": f or None, **plain(e.entry)} for e, f in zip(found, fates, strict=True)]
        emit_json("sdsafe.signer.log/1", {"size": report.size, "consistent": report.consistent, "entries": rows})
    else:
        _show(found, fates, report.size, consistent=report.consistent)
    if not report.consistent:
        raise click.exceptions.Exit(Exit.INVALID)
    if Fate.UNKNOWN in fates:
        raise click.exceptions.Exit(Exit.NOT_SHOWN)


def _show(found: list[Logged], fates: list[str], size: int, *, consistent: bool) -> None:
    columns = ("#", "asset id", "signed at", "effect", "asset sha256", "ledger")
    rows = [
        (str(each.index), e.asset_id, e.recorded_at, e.effect, e.asset_sha256, what or "-")
        for each, what in zip(found, fates, strict=True)
        for e in (each.entry,)
    ]
    table(f"{len(found)} of {size} signatures", columns, rows)
    if not consistent:
        message(
            "sdsafe: the log contradicts itself: `sdsafe ledger audit` with SDSAFE_HOME set to its folder says where"
        )


def _words(value: object) -> str:
    if isinstance(value, dict):
        value = [f"{name} {count}" for name, count in value.items()]
    return (", ".join(map(str, value)) if isinstance(value, list) else str(value)) or "none"


def _existing(state: Path | None) -> SqliteLedger:
    from sdsafe.errors import LedgerError
    from sdsafe.signer.opening import log_of

    kept = log_of(state or settings_from().places.state / "signer")
    if kept is None:
        raise LedgerError("there is no log of a signer", code="ledger.absent", hint="Nothing was signed; or --state.")
    return kept


def _client(path: Path | None) -> SocketSigner:
    from sdsafe.errors import ConfigurationError
    from sdsafe.provenance.signing.apart import SocketSigner
    from sdsafe.provenance.signing.uri import parse_signer_uri

    settings = settings_from()
    scheme, options = ("socket", {"path": str(path)}) if path else parse_signer_uri(settings.signer)
    if scheme != "socket":
        raise ConfigurationError(
            "the configured signer is not in a process of its own",
            code="signer.socket",
            hint='Give --socket PATH, or set signer = "socket:PATH" in the settings.',
        )
    return SocketSigner.configure(settings.places, {**options, **settings.options_for(scheme)})


def _users(names: tuple[str, ...]) -> frozenset[int]:
    import os
    import pwd

    try:
        return frozenset({os.getuid(), *(pwd.getpwnam(name).pw_uid for name in names)})
    except KeyError as error:
        raise click.BadParameter(f"there is no such user: {error.args[0]}", param_hint="--allow-user") from None


def _until_told() -> threading.Event:
    import logging
    import signal
    import threading

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("sdsafe.signer").setLevel(logging.INFO)
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    return stop


def _greeting(said: Mapping[str, Any], path: Path, *, hardened: bool) -> list[str]:
    lines = [
        f"sdsafe: the signer listens on {path}",
        f"  demands  {', '.join(said['packs'])}",
        f"  checks   {', '.join(said['checks'])}",
        f"  signs    {said['per_minute']} a minute at most; {said['signatures']} so far",
    ]
    if not hardened:
        lines.append("  The system does not let it shut its memory against other processes of this user.")
    return lines
