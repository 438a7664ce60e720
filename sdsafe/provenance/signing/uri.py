"""Signer URIs: which plug-in signs, and with which options.

``file:`` signs with the credential of ``sdsafe keys init``; ``file:/etc/keys?key=/run/leaf.key`` with another.
The scheme is the name of an entry point in ``sdsafe.signers``.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from sdsafe.errors import SigningError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["parse_signer_uri"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_SECRET = ("password", "passphrase", "pin", "secret", "token")


def parse_signer_uri(uri: str) -> tuple[str, Mapping[str, str]]:
    """Return (name of the signer plug-in, its options).

    What follows the scheme up to ``?`` is the option ``path`` (percent-decoded; left out when empty), the query
    gives the others.

    Raises:
        SigningError: ``signing.uri``: no scheme, an option twice, or without a value.
            ``signing.secret-in-uri``: an option that looks like a password; command lines and settings are read
            by others.
    """
    match = _SCHEME.fullmatch(uri)
    if match is None:
        raise SigningError(
            "the signer is not a URI", code="signing.uri", hint="Write file:FOLDER, or file: for the default."
        )
    scheme, rest = match.groups()
    path, _, query = rest.partition("?")
    options = {"path": unquote(path.removeprefix("//"))} if path not in ("", "//") else {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=32)
    except ValueError as error:
        raise SigningError(
            "the signer URI has a query that is not name=value&...", code="signing.uri", hint="Correct the URI."
        ) from error
    for name, value in pairs:
        if any(word in name.lower() for word in _SECRET) and not name.endswith("-file"):
            raise SigningError(
                f"the signer URI carries a {name}",
                code="signing.secret-in-uri",
                hint="Set SDSAFE_KEY_PASSWORD, or use password-file=PATH.",
            )
        if name in options or not value:
            raise SigningError(f"the signer URI gives {name!r} twice or without a value", code="signing.uri")
        options[name] = value
    return scheme.lower(), MappingProxyType(options)
