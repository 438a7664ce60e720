"""``sdsafe keys csr``: ask an authority for the certificate of a key, wherever that key is."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdsafe_cli.context import settings_from
from sdsafe_cli.options import FILE, force_option, json_option
from sdsafe_cli.render import emit_json, message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.provenance.signing.request import KeyToCertify
    from sdsafe.settings import Settings

__all__ = ["csr"]

_ALGORITHMS = ("es256", "es384", "es512", "ed25519", "ps256")


@click.command("csr", short_help="Ask an authority for a certificate of a key.")
@click.argument("signer", required=False)
@click.option("--organisation", required=True, metavar="NAME", help="Whom reports name as the signer (O).")
@click.option("--common-name", metavar="NAME", help="The product or service (CN); default: the organisation.")
@click.option("--country", metavar="CC", help="Two letters (C). Conforming products of C2PA need it.")
@click.option("--state", metavar="NAME", help="State or province (ST).")
@click.option("--locality", metavar="NAME", help="Town (L).")
@click.option("--unit", metavar="NAME", help="Unit of the organisation (OU).")
@click.option(
    "--make-key", type=click.Choice(_ALGORITHMS), help="Make the key first, where a file: signer looks for it."
)
@click.option(
    "--password-file",
    type=FILE,
    help="Encrypt the key that is made with the password in this file.",
)
@click.option("--ask-password", is_flag=True, help="Encrypt the key that is made with a password that is asked for.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: standard output.")
@force_option
@json_option
def csr(  # noqa: PLR0913 - one argument per option
    *,
    signer: str | None,
    organisation: str,
    common_name: str | None,
    country: str | None,
    state: str | None,
    locality: str | None,
    unit: str | None,
    make_key: str | None,
    password_file: Path | None,
    ask_password: bool,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write a request (PKCS#10) that an authority answers with a certificate. The key stays where it is.

    SIGNER is a signer URI; default: the configured one. A key in a token, AWS KMS or Vault needs no chain= yet. Also
    encrypts a key that is made when SDSAFE_KEY_PASSWORD is set. Send the request to the authority, keep what it answers
    as the chain (leaf first, root left out), then: sdsafe keys check.
    """
    from sdsafe._internal.atomic import replace, write_new
    from sdsafe.provenance.signing.request import Subject, certificate_request
    from sdsafe.provenance.signing.uri import parse_signer_uri

    if output is not None and output.exists() and not force:
        raise click.UsageError(f"{output} exists: --force overwrites it")
    subject = Subject(
        organisation=organisation,
        common_name=common_name or organisation,
        country=country,
        state=state,
        locality=locality,
        unit=unit,
    )
    named = subject.name()  # what does not fit is said before a key is made
    settings = settings_from()
    scheme, named_options = parse_signer_uri(signer or settings.signer)
    options = {**named_options, **settings.options_for(scheme)}
    if make_key is None:
        key = _key(settings, scheme, options)
    else:
        key = _made(settings, scheme, options, make_key, password_file, ask=ask_password)
    request = certificate_request(key, subject)
    if output is not None:
        (replace if force else write_new)(output, request)
    digest = hashlib.sha256(key.public).hexdigest()
    if as_json:
        emit_json(
            "sdsafe.keys.csr/1",
            {"request": request.decode("ascii"), "subject": named.rfc4514_string(), "public_key_sha256": digest},
        )
        return
    if output is None:
        click.echo(request.decode("ascii"), nl=False)
    message(f"subject      {named.rfc4514_string()}")
    message(f"public key   SHA-256 {digest}")
    if country is None:
        message("No country: authorities for conforming products of C2PA need one (--country).")


def _key(settings: Settings, scheme: str, options: Mapping[str, object]) -> KeyToCertify:
    from sdsafe import plugins
    from sdsafe.errors import SigningError
    from sdsafe.protocols import Demanding
    from sdsafe.provenance.signing.elsewhere import NO_CHAIN
    from sdsafe.provenance.signing.local import read_key
    from sdsafe.provenance.signing.request import KeyToCertify

    if scheme == "file":
        return KeyToCertify.of_file(read_key(settings.places, options))
    if scheme in {"pkcs11", "awskms", "vault"}:
        options = {"chain": NO_CHAIN, **options}
    signer = plugins.load("sdsafe.signers", scheme, settings.places, options)
    if isinstance(signer, Demanding):
        raise SigningError(
            "this signer signs nothing but claims",
            code="signing.unsupported",
            hint="Ask where its key is: sdsafe keys csr, with the URI that `signer serve --key` has.",
        )
    return KeyToCertify.of_signer(signer)


def _made(  # noqa: PLR0913 - what the command was given
    settings: Settings, scheme: str, options: Mapping[str, object], alg: str, password_file: Path | None, *, ask: bool
) -> KeyToCertify:
    from sdsafe.provenance.signing.keyfiles import make_key
    from sdsafe.provenance.signing.local import key_file
    from sdsafe.provenance.signing.request import KeyToCertify
    from sdsafe_cli.passwords import new_password

    if scheme != "file":
        raise click.UsageError("--make-key makes a file; a token or a service makes its keys itself")
    password = new_password(password_file, ask=ask)
    path = key_file(settings.places, options)
    key = make_key(path, alg, password)
    message(f"key          {path}")
    if password is None:
        message("The key is not encrypted: who reads the file can sign as you. Set SDSAFE_KEY_PASSWORD to change that.")
    return KeyToCertify.of_file(key)
