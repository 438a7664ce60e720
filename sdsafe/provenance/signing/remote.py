"""Signing by somebody else's server over HTTPS: the key never comes here.

The protocol is small, so that a server for it is soon written (``examples/signing_server.py`` is one):

- ``GET BASE/credential`` answers ``{"alg": "es256", "chain": ["base64 of DER", ...]}``, leaf first;
- ``POST BASE/sign`` with ``{"alg": "es256", "data": "base64"}`` answers ``{"signature": "base64"}``: the raw signature
  (ECDSA: IEEE P1363) over those bytes.

A token goes along as ``Authorization: Bearer``; a client certificate may. Whatever the server does, it does not keep
us: every exchange has a deadline, a limit in bytes, and follows no redirect. Each answer is verified with the
certificate before anything is released.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import os
import ssl
import urllib.error
import urllib.request
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self
from urllib.parse import urlsplit

from cryptography import x509

from sdsafe._internal.deadline import within
from sdsafe._internal.prompting import ask_person
from sdsafe.errors import PluginError, SigningError
from sdsafe.provenance.signing.algorithms import algorithm_for
from sdsafe.provenance.signing.keyfiles import read_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.places import Places

__all__ = ["TOKEN_VARIABLE", "HttpSigner", "HttpsSigner", "base_address", "exchange"]

TOKEN_VARIABLE = "SDSAFE_SIGNER_TOKEN"  # noqa: S105 - the name of a variable, not a token

_TIMEOUT_S = 10.0
_MOST_BYTES = 256 << 10  # a chain has 2 to 8 KB
_PIECE = 16 << 10
_OPTIONS = {"path", "token-file", "ca", "client", "timeout"}


class HttpsSigner:
    """Signs by asking a server. Holds no key; its ``repr`` shows no token. Safe to share between threads."""

    __slots__ = ("__alg", "__chain", "__context", "__timeout", "__token", "__url")

    _scheme = "https"

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        ca: Path | None = None,
        client: Path | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        """Ask the server for its credential.

        Args:
            url: Base of the protocol's addresses, without user and password.
            token: Sent as a bearer token.
            ca: PEM file with the authorities to believe in place of the system's.
            client: PEM file with certificate and key to show to the server.
            timeout_s: For each exchange, from the first byte that is sent to the last that is read.

        Raises:
            SigningError: ``signing.address``, ``signing.unreachable``, ``signing.answer``, ``signing.unreadable``.
        """
        self.__url = base_address(url)
        self.__token = token
        self.__timeout = timeout_s
        self.__context = _context(ca, client) if self.__url.startswith("https") else None
        found = self.__ask("credential", None)
        self.__chain = _chain(found.get("chain"))
        leaf = x509.load_der_x509_certificate(self.__chain[0])
        self.__alg = algorithm_for(leaf.public_key(), str(found.get("alg"))).name

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Return a signer from options.

        Options: ``path``, host and path of the address; ``token-file`` (default: the variable
        ``SDSAFE_SIGNER_TOKEN``); ``ca`` and ``client``, PEM files; ``timeout`` in seconds.
        """
        del places
        if unknown := sorted(set(options) - _OPTIONS):
            raise PluginError(
                f"signer {cls._scheme}: unknown option {unknown[0]!r}", hint=f"Known: {', '.join(sorted(_OPTIONS))}."
            )
        try:
            timeout = float(str(options.get("timeout", _TIMEOUT_S)))
        except ValueError:
            timeout = 0.0
        if not 0 < timeout <= 60:  # noqa: PLR2004 - a minute: nobody waits longer for one picture
            raise PluginError(f"signer {cls._scheme}: timeout must be a number of seconds up to 60")
        files = {name: Path(str(options[name])).expanduser() for name in ("ca", "client") if name in options}
        address = f"{cls._scheme}://{options.get('path', '')}"
        return cls(address, token=_token(options), timeout_s=timeout, **files)

    @property
    def alg(self) -> str:
        """As the server says, and its certificate allows."""
        return self.__alg

    @property
    def certificate_chain(self) -> tuple[bytes, ...]:
        """DER certificates as the server gave them: leaf first."""
        return self.__chain

    def sign(self, data: bytes, /) -> bytes:
        """Return the server's signature over ``data``; whoever embeds it verifies it.

        Raises:
            SigningError: ``signing.unreachable`` or ``signing.answer``.
        """
        asked = {"alg": self.__alg, "data": base64.b64encode(data).decode("ascii")}
        return _decoded(self.__ask("sign", asked).get("signature"))

    def __ask(self, what: str, body: object) -> dict[str, Any]:
        headers = {} if self.__token is None else {"Authorization": f"Bearer {self.__token}"}
        return exchange(f"{self.__url}/{what}", body, headers=headers, timeout_s=self.__timeout, context=self.__context)

    def __repr__(self) -> str:
        """Name host and algorithm, no token."""
        return f"{type(self).__name__}(host={urlsplit(self.__url).hostname!r}, alg={self.__alg!r})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse to be copied or pickled: the copy would carry the token."""
        raise TypeError("a signer can be neither copied nor pickled: it holds a token")


class HttpSigner(HttpsSigner):
    """The same without TLS, for a server on this very machine."""

    __slots__ = ()

    _scheme = "http"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Claims go to no address that nobody configured."""

    def redirect_request(self, *_: object) -> None:
        """Follow none: the answer then counts as an error of its own status."""


def exchange(
    url: str,
    body: object,
    *,
    headers: Mapping[str, str],
    timeout_s: float,
    context: ssl.SSLContext | None = None,
) -> dict[str, Any]:
    """Return the JSON object that a server answers, within a limit of time and bytes.

    Args:
        url: ``http`` or ``https``.
        body: Sent as JSON by POST; None: by GET.
        headers: Besides those of JSON.
        timeout_s: From the first byte that is sent to the last that is read.
        context: For TLS; None: the system's authorities.

    Raises:
        SigningError: ``signing.unreachable``, ``signing.refused`` (status 401 or 403), ``signing.answer``. What a
            server sends is not repeated.
    """
    host = urlsplit(url).hostname or "the server"
    data = None if body is None else json.dumps(body).encode()
    sent = {"Accept": "application/json", "Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, data=data, headers=sent)  # noqa: S310 - base_address lets http and https pass
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects(), urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    opener = urllib.request.build_opener(*handlers)

    def ask() -> bytes:
        with opener.open(request, timeout=timeout_s) as response:
            return _read(response)

    try:
        found = json.loads(within(timeout_s, ask))
    except urllib.error.HTTPError as error:
        error.close()
        refused = error.code in {401, 403}
        raise SigningError(
            f"{host} answered with HTTP status {error.code}",
            code="signing.refused" if refused else "signing.unreachable",
            hint="Check the token." if refused else "Look at the server's own log.",
        ) from None
    except (OSError, http.client.HTTPException) as error:
        late = isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError)
        raise SigningError(
            f"{host} {'did not answer in time' if late else 'cannot be reached'}",
            code="signing.unreachable",
            hint="Check the address, the certificate authorities (`ca`), and whether the server runs.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise _odd(host) from error
    if not isinstance(found, dict):
        raise _odd(host)
    return found


def _read(response: http.client.HTTPResponse) -> bytes:
    received = b""
    while piece := response.read1(_PIECE):
        received += piece
        if len(received) > _MOST_BYTES:
            msg = "too long"
            raise ValueError(msg)
    return received


def base_address(url: str) -> str:
    """Return an address that claims may be sent to, without a slash at its end.

    Raises:
        SigningError: ``signing.address``: it is none, holds a password, or is not encrypted and leads elsewhere.
    """
    parts = urlsplit(url)
    sound = parts.scheme in {"http", "https"} and parts.hostname and not parts.username and not parts.query
    if not sound or (parts.scheme == "http" and not _is_here(parts.hostname or "")):
        raise SigningError(
            "the address of the signing server cannot be used",
            code="signing.address",
            hint="Write https://HOST/PATH without user and password; plain http is for this machine alone.",
        )
    return url.rstrip("/")


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _context(ca: Path | None, client: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
        if client is not None:
            # Without a password OpenSSL itself would ask at the terminal, and wait for ever where nobody sits there.
            context.load_cert_chain(str(client), password=lambda: ask_person(f"Password of {client.name}") or "")
    except (OSError, ssl.SSLError) as error:
        raise SigningError(
            "the files for TLS cannot be read",
            code="signing.unreadable",
            hint="`ca` and `client` are PEM files; `client` holds certificate and key, not encrypted where nobody can be asked.",
        ) from error
    return context


def _token(options: Mapping[str, object]) -> str | None:
    if "token-file" in options:
        token = read_file(Path(str(options["token-file"])).expanduser(), "the token file").decode("latin-1").strip()
    else:
        token = os.environ.get(TOKEN_VARIABLE, "")
    if not token.isascii() or not token.isprintable():
        raise SigningError("the token holds characters that no token has", code="signing.unreadable")
    return token or None


def _chain(found: object) -> tuple[bytes, ...]:
    if not isinstance(found, list) or not found:
        raise _odd("the server")
    chain = tuple(_decoded(each) for each in found)
    try:
        for each in chain:
            x509.load_der_x509_certificate(each)
    except ValueError as error:
        raise _odd("the server") from error
    return chain


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True) if isinstance(text, str) and text else _nothing()
    except (binascii.Error, ValueError) as error:
        raise _odd("the server") from error


def _nothing() -> bytes:
    msg = "empty"
    raise ValueError(msg)


def _odd(host: str) -> SigningError:
    return SigningError(
        f"{host} answered something that is not of the protocol",
        code="signing.answer",
        hint="The protocol stands in the guide on keys; look at the server's own log.",
    )
