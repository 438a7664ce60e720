"""Time-stamps: several authorities, each with a limit, and nothing that was not granted counts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from asn1crypto import tsp

from sdsafe.errors import ConfigurationError, SigningError
from sdsafe.provenance.signing.timestamp import HttpStamper, StampPolicy

if TYPE_CHECKING:
    from sdsafe.testing.authority import Authority

NOWHERE = "http://127.0.0.1:9/"


def query(nonce: int = 7, digest: bytes = b"d" * 32) -> bytes:
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": digest}
    built: bytes = tsp.TimeStampReq(
        {"version": "v1", "message_imprint": imprint, "nonce": nonce, "cert_req": True}
    ).dump()
    return built


def stamper(*authorities: str, timeout_s: float = 5.0) -> HttpStamper:
    return HttpStamper.of(authorities, "require", timeout_s=timeout_s)


def test_a_granted_reply_comes_back_as_it_was_sent(time_authority: Authority) -> None:
    reply = tsp.TimeStampResp.load(stamper(time_authority.address).stamp(query()))
    assert reply["status"]["status"].native == "granted"
    assert time_authority.queries == [query()]


def test_the_next_authority_is_asked_when_one_is_not_there(time_authority: Authority) -> None:
    assert stamper(NOWHERE, time_authority.address).stamp(query())


def test_the_first_that_grants_is_the_last_that_is_asked(time_authority: Authority) -> None:
    stamper(time_authority.address, time_authority.address).stamp(query())
    assert len(time_authority.queries) == 1


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        ("fails", "HTTP status 500"),
        ("redirects", "HTTP status 302"),
        ("garbage", "no time-stamp"),
        ("rejects", "it answered rejection"),
        ("other", "about something else"),
    ],
)
def test_whatever_is_no_grant_is_an_error_that_says_why(time_authority: Authority, behaviour: str, says: str) -> None:
    asking = stamper(time_authority.address)
    asking.stamp(query(nonce=1))
    time_authority.behaviour = behaviour
    with pytest.raises(SigningError, match=says) as caught:
        asking.stamp(query(nonce=2))
    assert caught.value.code == "signing.timestamp"
    assert "127.0.0.1" in str(caught.value)


@pytest.mark.parametrize("behaviour", ["hangs", "drips"])
def test_who_takes_too_long_is_left_behind(time_authority: Authority, behaviour: str) -> None:
    time_authority.behaviour = behaviour
    started = time.monotonic()
    with pytest.raises(SigningError, match="in time"):
        stamper(time_authority.address, timeout_s=0.5).stamp(query())
    assert time.monotonic() - started < 2.5


@pytest.mark.parametrize(
    "address",
    ["ftp://time.example/", "time.example", "http://", "http://user:word@time.example/", "file:///etc/passwd"],
)
def test_an_address_must_be_one(address: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        stamper(address)
    assert caught.value.code == "timestamp.address"


def test_none_at_all_is_no_configuration() -> None:
    with pytest.raises(ConfigurationError):
        stamper()


def test_policies_are_named(time_authority: Authority) -> None:
    assert HttpStamper.of([time_authority.address], "best_effort").policy is StampPolicy.BEST_EFFORT
    with pytest.raises(ConfigurationError) as caught:
        HttpStamper.of([time_authority.address], "perhaps")
    assert caught.value.code == "timestamp.policy"
