"""``sdsafe policy keygen``, ``sign`` and ``verify``: who vouches for a pack."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdsafe_cli.options import FILE, force_option, json_option
from sdsafe_cli.render import emit_json, message

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["keygen", "sign", "verify"]

_PACK = click.Path(exists=True, path_type=Path)
_PASSWORD_FILE = click.option("--password-file", type=FILE, help="The password of the key is in this file.")


@click.command("keygen", short_help="Make a pair of keys that signs packs.")
@click.argument("name", default="policy")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Default: the state folder's keys.")
@_PASSWORD_FILE
@click.option("--ask-password", is_flag=True, help="Encrypt the key with a password that is asked for.")
@force_option
@json_option
def keygen(  # noqa: PLR0913 - one argument per option
    *, name: str, folder: Path | None, password_file: Path | None, ask_password: bool, force: bool, as_json: bool
) -> None:
    """Make a pair of keys that signs policy packs: NAME.key stays with you, NAME.pub is what others trust.

    Also encrypts the key when SDSAFE_KEY_PASSWORD is set.
    """
    from sdsafe._internal.atomic import replace, write_new
    from sdsafe.gates.policy.signing import make_key
    from sdsafe_cli.context import settings_from

    target = folder or settings_from().places.keys
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    password = _asked() if ask_password else _password(password_file)()
    private, public, key_id = make_key(password)
    write = replace if force else write_new
    write(target / f"{name}.key", private, mode=0o600)
    write(target / f"{name}.pub", public)
    if as_json:
        files = {"private": target / f"{name}.key", "public": target / f"{name}.pub"}
        emit_json("sdsafe.policy-keygen/1", {"key": key_id, "encrypted": password is not None, **files})
        return
    click.echo(f"key id   {key_id}")
    click.echo(f"private  {target / f'{name}.key'}")
    click.echo(f"public   {target / f'{name}.pub'}")
    if password is None:
        message("The key is not encrypted: who reads the file can sign as you. --ask-password changes that.")


@click.command("sign", short_help="Sign a pack.")
@click.argument("pack", type=_PACK)
@click.option("--key", required=True, type=FILE, help="The private key that `policy keygen` made.")
@_PASSWORD_FILE
@json_option
def sign(*, pack: Path, key: Path, password_file: Path | None, as_json: bool) -> None:
    """Sign the pack in the folder PACK: writes policy.sig beside policy.yaml. What it extends is signed on its own.

    The password of an encrypted key comes from --password-file, SDSAFE_KEY_PASSWORD, or is asked for.
    """
    from sdsafe.gates.policy.signing import SIGNATURE_FILE, read_private_key, sign_pack

    signed = sign_pack(pack, read_private_key(key, _password(password_file, ask=True)))
    if as_json:
        emit_json("sdsafe.policy-signed/1", {"policy": signed.pack, "key": signed.key})
        return
    click.echo(f"signed   {signed.pack.id} {signed.pack.version} ({signed.pack.digest[:12]})")
    click.echo(f"by       {signed.key}")
    click.echo(f"written  {SIGNATURE_FILE}")


@click.command("verify", short_help="Say who vouches for a pack.")
@click.argument("pack", type=_PACK)
@click.option("--key", "keys", required=True, multiple=True, type=FILE, help="A trusted .pub file (repeatable).")
@json_option
def verify(*, pack: Path, keys: tuple[Path, ...], as_json: bool) -> None:
    """Say who vouches for the pack in the folder PACK. Exit 1: nobody whose key is given here."""
    from sdsafe.gates.policy.signing import read_public_keys, verify_pack

    signed = verify_pack(pack, read_public_keys(keys))
    if as_json:
        emit_json("sdsafe.policy-signed/1", {"policy": signed.pack, "key": signed.key})
        return
    click.echo(f"{signed.pack.id} {signed.pack.version} ({signed.pack.digest[:12]}) is signed by {signed.key}")


def _asked() -> bytes:
    answer: str = click.prompt("Password for the key", hide_input=True, confirmation_prompt=True, err=True)
    return answer.encode()


def _password(file: Path | None, *, ask: bool = False) -> Callable[[], bytes | None]:
    """Return a source of the password: nothing is read or asked before it is needed."""
    from sdsafe.provenance.signing.local import PASSWORD_VARIABLE

    def source() -> bytes | None:
        if file is not None:
            return file.read_bytes().rstrip(b"\r\n")
        if given := os.environ.get(PASSWORD_VARIABLE, ""):
            return given.encode()
        if ask:
            answer: str = click.prompt("Password of the key", hide_input=True, err=True)
            return answer.encode()
        return None

    return source
