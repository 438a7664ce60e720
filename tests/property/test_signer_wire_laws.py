"""Messages between signer and client: what is sent is what is received, and nothing else is a message."""

from __future__ import annotations

import socket

from hypothesis import given, settings
from hypothesis import strategies as st

from sdsafe.provenance.signing.exchange import dossier_in
from sdsafe.provenance.signing.wire import Deadline, Message, WireError, receive, send

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
_HEADERS = st.dictionaries(st.text(max_size=10).filter(lambda name: name != "parts"), _VALUES, max_size=4)


def _received(data: bytes) -> Message | None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.close()
        return receive(ours, Deadline(5))


@given(_HEADERS, st.lists(st.binary(max_size=200), max_size=4))
@settings(max_examples=60, deadline=None)
def test_what_is_sent_is_received(header: dict[str, object], parts: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(theirs, header, parts, Deadline(5))
        assert receive(ours, Deadline(5)) == Message(header, tuple(parts))


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=200, deadline=None)
def test_anything_else_is_a_wire_error(data: bytes, framed: bool) -> None:
    sent = b"SDSG\x01" + len(data).to_bytes(4, "big") + data if framed else data
    try:
        found = _received(sent)
    except WireError:
        return
    if found is not None:
        assert framed
        assert data.startswith(b"{")
        assert found.parts == ()
    else:
        assert sent == b""


@given(_HEADERS, st.lists(st.binary(max_size=5), max_size=3))
@settings(max_examples=100, deadline=None)
def test_a_dossier_is_read_or_refused(header: dict[str, object], parts: list[bytes]) -> None:
    base: dict[str, object] = {
        "v": 1, "op": "sign", "stamping": "none", "beside": False, "asset": {"media_type": "image/png", "name": "a"},
        "document": {}, "resources": [], "ingredients": [], "receipts": [],
    }  # fmt: skip
    names = list(base)
    changed = {**base, **{names[len(name) % len(names)]: value for name, value in header.items()}}
    try:
        dossier, stamping = dossier_in(Message(changed, tuple(parts)))
    except WireError:
        return
    assert stamping in {"none", "best_effort", "require"}
    assert dossier.asset.data == parts[0]
