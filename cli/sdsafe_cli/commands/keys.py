"""``sdsafe keys``: the credential that signs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.certifying import csr
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import FILE, force_option, json_option
from sdsafe_cli.render import emit_json, message, plain, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.provenance.signing.credentials import Remark
    from sdsafe.settings import Settings

__all__ = ["command"]


@click.group("keys")
def command() -> None:
    """Make and check the credential that signs."""


command.add_command(csr)


@command.command("init")
@click.option("--name", default="local development", show_default=True, help="The organisation in the certificates.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Default: the state folder.")
@click.option("--password-file", type=FILE, help="Encrypt the key with the password in this file.")
@click.option("--ask-password", is_flag=True, help="Encrypt the key with a password that is asked for.")
@click.option("--keep-root-key", is_flag=True, help="Keep the root's private key, to issue more with.")
@force_option
@json_option
def init(  # noqa: PLR0913 - one argument per flag
    *,
    name: str,
    folder: Path | None,
    password_file: Path | None,
    ask_password: bool,
    keep_root_key: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Make a development root, issuing authority and leaf for 90 days.

    Nothing is installed as trusted anywhere: whoever should trust these signatures is given root.pem, and says so
    with --trust. Also encrypts the key when SDSAFE_KEY_PASSWORD is set.
    """
    from sdsafe.provenance.signing.credentials import ROOT_FILE, init_development
    from sdsafe_cli.passwords import new_password

    made = init_development(
        folder or settings_from().places.keys,
        name=name,
        password=new_password(password_file, ask=ask_password),
        force=force,
        keep_root_key=keep_root_key,
    )
    root = made.folder / ROOT_FILE
    if as_json:
        emit_json(
            "sdsafe.keys.init/1",
            {**plain(made), "not_after": f"{made.not_after:%Y-%m-%dT%H:%M:%SZ}", "root": str(root)},
        )
        return
    click.echo(f"credential   {made.subject}")
    click.echo(f"valid until  {made.not_after:%Y-%m-%d %H:%M} UTC")
    click.echo(f"root         {root}")
    click.echo(f"             SHA-256 {made.root_sha256}")
    if made.kept_root:
        click.echo(f"old root     kept as {made.kept_root}")
    if not made.encrypted:
        message("The key is not encrypted: who reads the file can sign as you. Set SDSAFE_KEY_PASSWORD to change that.")
    message(
        "This is a development credential: nobody trusts it unless they are given root.pem. "
        "`sdsafe keys csr` asks a real authority for one."
    )


@command.command("check")
@click.argument("signer", required=False)
@click.option("--level", type=click.Choice(("al1", "al2")), help="Also hold it against this assurance level.")
@click.option(
    "--days", type=click.IntRange(1, 3650), default=14, show_default=True, help="Warn when it ends within this time."
)
@click.option("--strict", is_flag=True, help="Exit 1 for what is only advised, too: for a job that runs daily.")
@json_option
def check(*, signer: str | None, level: str | None, days: int, strict: bool, as_json: bool) -> None:
    """Hold a credential against every rule of C2PA's certificate profile.

    SIGNER is a signer URI; default: the configured one. A key that is elsewhere signs something that is no claim, to
    prove that it belongs to the certificate. A leaf that states an assurance level is held against it. Exit 1: a rule
    is broken.
    """
    from datetime import timedelta

    from sdsafe._internal.clock import now
    from sdsafe.provenance.signing.advice import advise, judge_assurance
    from sdsafe.provenance.signing.lint import lint

    chain, key, further = _credential(settings_from(), signer)
    rules = (
        *lint(chain, key, at=now()),
        *further,
        *judge_assurance(chain, level),
        *advise(chain, at=now(), least_left=timedelta(days=days)),
    )
    good = all(each.ok for each in rules if each.must or strict)
    if as_json:
        emit_json("sdsafe.keys.check/1", {"ok": good, "assurance": _assurance(chain), "rules": plain(rules)})
    else:
        for remark in rules:
            _show(remark)
    if not good:
        raise click.exceptions.Exit(Exit.FAULT)


@command.command("show")
@click.argument("signer", required=False)
@json_option
def show(*, signer: str | None, as_json: bool) -> None:
    """Show the certificates that go into every manifest, leaf first. The key is not touched."""
    from sdsafe._internal.certificates import load, readable_name

    settings = settings_from()
    chain = _chain(settings, *_signer(settings, signer))
    certificates = [load(der) for der in chain]
    rows = [
        {
            "subject": readable_name(each.subject),
            "issuer": readable_name(each.issuer),
            "not_before": f"{each.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}",
            "not_after": f"{each.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
            "serial": f"{each.serial_number:x}",
            "sha256": hashlib.sha256(der).hexdigest(),
        }
        for each, der in zip(certificates, chain, strict=True)
    ]
    if as_json:
        emit_json("sdsafe.keys.show/1", {"certificates": rows})
        return
    columns = ("subject", "issuer", "not_before", "not_after", "sha256")
    table("Certificates", columns, [tuple(row[column] for column in columns) for row in rows])


def _signer(settings: Settings, uri: str | None) -> tuple[str, Mapping[str, object]]:
    from sdsafe.provenance.signing.uri import parse_signer_uri

    scheme, options = parse_signer_uri(uri or settings.signer)
    return scheme, {**options, **settings.options_for(scheme)}


def _chain(settings: Settings, scheme: str, options: Mapping[str, object]) -> tuple[bytes, ...]:
    """Return the certificates of a signer; from files also when it would refuse to sign with them."""
    if scheme == "file":
        from sdsafe.provenance.signing.local import read_chain

        return read_chain(settings.places, options)
    from sdsafe import plugins

    chain: tuple[bytes, ...] = plugins.load("sdsafe.signers", scheme, settings.places, options).certificate_chain
    return chain


def _credential(settings: Settings, uri: str | None) -> tuple[tuple[bytes, ...], bytes | None, tuple[Remark, ...]]:
    """Return (chain, public half of the key where it is in a file, what a key that is elsewhere has shown)."""
    from sdsafe import plugins
    from sdsafe.protocols import Demanding
    from sdsafe.provenance.signing.local import read_public_key
    from sdsafe.provenance.signing.proof import prove_match

    scheme, options = _signer(settings, uri)
    if scheme == "file":
        return _chain(settings, scheme, options), read_public_key(settings.places, options), ()
    signer = plugins.load("sdsafe.signers", scheme, settings.places, options)
    chain: tuple[bytes, ...] = signer.certificate_chain
    if isinstance(signer, Demanding):  # it signs claims that come with receipts, and nothing else
        message("sdsafe: whether the key belongs to the leaf was not checked: this signer signs nothing but claims")
        return chain, None, ()
    return chain, None, (prove_match(signer),)


def _assurance(chain: tuple[bytes, ...]) -> object:
    from sdsafe._internal.certificates import load
    from sdsafe.provenance.signing.assurance import claimed_assurance

    try:
        return plain(claimed_assurance(load(chain[0])))
    except (ValueError, IndexError):
        return None


def _show(remark: Remark) -> None:
    if remark.ok:
        mark = click.style("ok  ", fg="green")
    else:
        mark = click.style("FAIL", fg="red") if remark.must else click.style("note", fg="yellow")
    click.echo(f"{mark} {remark.rule}: {remark.says}")
