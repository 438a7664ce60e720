"""Time-stamps of authorities (RFC 3161): who signs when can be shown after the certificate has ended.

The C2PA library would ask one address, wait thirty seconds for it and fail. Here several authorities are asked in
order, each with a limit, and an answer counts only if it grants what was asked: same digest, same nonce. Whether
anybody trusts the authority is for those who verify.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from asn1crypto import tsp

from sdsafe._internal.deadline import within
from sdsafe.errors import ConfigurationError, SigningError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HttpStamper", "StampPolicy"]

_TIMEOUT_S = 5.0
_TOTAL_S = 25.0  # the C2PA library gives up after 30
_MOST_BYTES = 64 << 10  # replies with a chain have 2 to 8 KB
_PIECE = 8 << 10
_QUERY_TYPE, _REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"
_GRANTED = {"granted", "granted_with_mods"}


class StampPolicy(StrEnum):
    """What happens when no authority answers."""

    REQUIRE = "require"
    """Nothing is signed."""
    BEST_EFFORT = "best_effort"
    """It is signed without a time-stamp, unless a pack demands one."""
    LATER = "later"
    """Nobody is asked while signing; ``sdsafe timestamp`` adds time-stamps afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpStamper:
    """Asks time-stamp authorities over HTTP, in order, until one grants what was asked."""

    authorities: tuple[str, ...]
    """Addresses, ``http`` or ``https``."""
    policy: StampPolicy = StampPolicy.REQUIRE
    timeout_s: float = _TIMEOUT_S
    """For each authority, from the first byte that is sent to the last that is read."""

    @classmethod
    def of(cls, authorities: Sequence[str], policy: str, *, timeout_s: float = _TIMEOUT_S) -> Self:
        """Return a stamper for checked values.

        Raises:
            ConfigurationError: ``timestamp.address``: an address that is not one; ``timestamp.policy``.
        """
        if not authorities:
            raise ConfigurationError(
                "no time-stamp authority is named", code="timestamp.address", hint="Set `timestamp_authorities`."
            )
        for address in authorities:
            parts = urlsplit(address)
            if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
                raise ConfigurationError(
                    f"{address!r} is no address of a time-stamp authority",
                    code="timestamp.address",
                    hint="Give an http or https address without user and password.",
                )
        try:
            chosen = StampPolicy(policy)
        except ValueError:
            raise ConfigurationError(
                f"the policy {policy!r} for time-stamps is unknown",
                code="timestamp.policy",
                hint=f"Choose one of {', '.join(StampPolicy)}.",
            ) from None
        return cls(authorities=tuple(authorities), policy=chosen, timeout_s=timeout_s)

    @property
    def required(self) -> bool:
        """Whether nothing may be signed without."""
        return self.policy is StampPolicy.REQUIRE

    def stamp(self, query: bytes, /) -> bytes:
        """Return an authority's reply to a time-stamp query, DER as it was sent.

        Raises:
            SigningError: ``signing.timestamp``: none granted it; the message says of each why.
        """
        failures: list[str] = []
        last = time.monotonic() + _TOTAL_S - self.timeout_s
        for address in self.authorities:
            if failures and time.monotonic() > last:
                failures.append(f"{urlsplit(address).hostname}: not asked any more")
                continue
            try:
                reply = within(self.timeout_s, partial(self._ask, address, query))
                _require_granted(query, reply)
            except (OSError, http.client.HTTPException, ValueError) as error:
                failures.append(f"{urlsplit(address).hostname}: {_reason(error)}")
            else:
                return reply
        raise SigningError(
            f"no time-stamp authority granted a time-stamp: {'; '.join(failures)}",
            code="signing.timestamp",
            hint="Name more authorities, or set timestamp_policy to best_effort.",
        )

    def _ask(self, address: str, query: bytes) -> bytes:
        request = urllib.request.Request(  # noqa: S310 - `of` lets http and https pass and nothing else
            address, data=query, headers={"Content-Type": _QUERY_TYPE, "Accept": _REPLY_TYPE}
        )
        opener = urllib.request.build_opener(_NoRedirects())
        with opener.open(request, timeout=self.timeout_s) as response:
            received = b""
            while piece := response.read1(_PIECE):
                received += piece
                if len(received) > _MOST_BYTES:
                    msg = "the reply is too long"
                    raise ValueError(msg)
            return received


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """What an authority signs goes to no address that nobody configured."""

    def redirect_request(self, *_: object) -> None:
        """Follow none: the answer then counts as an error of its own status."""


def _require_granted(query: bytes, reply: bytes) -> None:
    """Make sure that a reply answers this very query (RFC 3161, section 2.4.2); ``ValueError`` says what is amiss."""
    asked, answer = tsp.TimeStampReq.load(query), tsp.TimeStampResp.load(reply)
    try:
        # Read by itself: a refusal holds nothing but its status, which the library's structure does not foresee.
        status = tsp.PKIStatusInfo.load(answer.contents)["status"].native
        if status not in _GRANTED:
            msg = f"it answered {status}"
            raise ValueError(msg)
        info = answer["time_stamp_token"]["content"]["encap_content_info"]["content"].parsed
        same = info["message_imprint"].dump() == asked["message_imprint"].dump()
        fresh = info["nonce"].native == asked["nonce"].native
    except (KeyError, TypeError, AttributeError) as error:
        msg = "the reply is no time-stamp"
        raise ValueError(msg) from error
    if not (same and fresh):
        msg = "the reply is about something else"
        raise ValueError(msg)


def _reason(error: Exception) -> str:
    """Say what happened in words of our own: what a server sends is not repeated."""
    match error:
        case urllib.error.HTTPError():
            error.close()
            return f"HTTP status {error.code}"
        case TimeoutError() | urllib.error.URLError(reason=TimeoutError()):
            return "it did not answer in time"
        case urllib.error.URLError() | OSError():
            return "it cannot be reached"
        case http.client.HTTPException():
            return "it does not speak HTTP"
    text = str(error)
    return text if text.startswith(("the reply", "it answered")) else "the reply is no time-stamp"
