"""The server on its socket: whoever asks, whatever is sent, however slowly, it answers the next one."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.core.states import Recorded
from sdsafe.errors import SigningError
from sdsafe.provenance.signing.apart import SocketSigner
from sdsafe.provenance.signing.exchange import PROTOCOL, dossier_in, dossier_message
from sdsafe.provenance.signing.timestamp import HttpStamper
from sdsafe.provenance.signing.wire import Deadline, Message, receive, send
from sdsafe.signer import keeper as keepers
from sdsafe.signer import server
from sdsafe.testing.apart import fake_keeper, serving_apart
from sdsafe.testing.pipeline import fake_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sdsafe.core.dossier import Dossier
    from sdsafe.signer.keeper import Keeper
    from sdsafe.testing.authority import Authority

REQUEST = GenerationRequest(prompt="waves", seed=7, size=Size(width=256, height=256), steps=2)
TIMEOUT = 5.0


@pytest.fixture
def path(keeper: Keeper, run_folder: Path) -> Iterator[Path]:
    with serving_apart(run_folder / "s", keeper) as at:
        yield at


def asked(path: Path, message: Message) -> Message:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        send(connection, message.header, message.parts, Deadline(TIMEOUT))
        answer = receive(connection, Deadline(TIMEOUT))
    assert answer is not None
    return answer


def raw(path: Path, data: bytes) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = receive(connection, Deadline(TIMEOUT))
    assert answer is not None
    return dict(answer.header)


def framed(text: bytes) -> bytes:
    return b"SDSG\x01" + struct.pack(">I", len(text)) + text


def test_a_dossier_goes_over_the_wire_and_back(shown: Dossier) -> None:
    there, stamping = dossier_in(dossier_message(shown, "require"))
    assert stamping == "require"
    assert (there.asset, there.document, there.receipts) == (shown.asset, dict(shown.document), shown.receipts)
    assert dict(there.resources) == dict(shown.resources)


def test_a_pipeline_whose_key_is_elsewhere_releases(path: Path, places: Places, tmp_path: Path) -> None:
    mine = Places(state=tmp_path / "mine", cache=tmp_path / "cache")
    signer = SocketSigner(path)
    (outcome,) = fake_pipeline(mine, signer=signer).run(REQUEST)
    assert isinstance(outcome, Recorded)
    theirs = (places.keys / "chain.pem").read_bytes()
    assert theirs != (mine.keys / "chain.pem").read_bytes()  # the pipeline's own key took no part
    assert signer.status()["signatures"] == 1
    assert len(fake_pipeline(mine, signer=signer).run(replace(REQUEST, count=3))) == 3
    assert signer.status()["signatures"] == 4


def test_sidecars_and_other_formats_are_signed_too(path: Path, places: Places) -> None:
    pipeline = fake_pipeline(places, signer=SocketSigner(path))
    (outcome,) = pipeline.run(replace(REQUEST, sidecar=True))
    assert isinstance(outcome, Recorded)
    assert outcome.asset.sidecar is not None
    (outcome,) = pipeline.run(replace(REQUEST, media_type="image/jpeg"))
    assert isinstance(outcome, Recorded)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"SDSG\x02\0\0\0\x02{}",
        b"SDSG\x01\xff\xff\xff\xff",
        framed(b"{"),
        framed(b"[" * 100_000),
        framed(b"[]"),
        framed(b"{}"),
        framed(b'{"parts":[1]}'),
        framed(b'{"parts":[-1]}'),
        framed(b'{"parts":[true]}'),
        framed(b'{"parts":[99999999999]}'),
        framed(json.dumps({"parts": [0] * 1000}).encode()),
        framed(b'{"parts":[],"parts":[]}'),
        framed(b'{"parts":[],"v":1,"op":"sign"}'),
        framed(b'{"parts":[],"v":1,"op":"quit"}'),
        framed(b'{"parts":[],"v":2,"op":"status"}'),
        framed(b'{"parts":[],"v":1.0,"op":"status"}'),
        framed(b'{"parts":[],"v":1,"op":"status","x":NaN}'),
        framed(b'\xff{"parts":[]}'),
    ],
)
def test_garbage_is_told_so_and_the_next_one_is_answered(path: Path, data: bytes) -> None:
    answer = raw(path, data)
    assert (answer["ok"], answer["code"]) == (False, "signer.message")
    assert asked(path, Message({"v": PROTOCOL, "op": "status"})).header["ok"] is True


@pytest.mark.parametrize("key", ["asset", "document", "resources", "ingredients", "receipts", "stamping", "beside"])
@pytest.mark.parametrize("value", [None, 1, "x", [1], {"x": 1}])
def test_a_dossier_of_another_shape_is_told_so(path: Path, shown: Dossier, key: str, value: object) -> None:
    message = dossier_message(shown, "none")
    answer = asked(path, Message({**message.header, key: value}, message.parts)).header
    assert answer["ok"] is False
    assert answer["code"] in {"signer.message", "signer.document"}


def test_a_missing_decision_a_denied_one_a_changed_word_and_a_used_id(path: Path, shown: Dossier) -> None:
    signer = SocketSigner(path)
    with pytest.raises(SigningError) as caught:
        signer.sign(b"any bytes at all")
    assert caught.value.code == "signer.no-decision"
    signer.sign_shown(shown, None)
    for change, code in (
        ({"document": {**shown.document, "assertions": shown.document["assertions"][:1]}}, "signer.no-decision"),  # type: ignore[index]
        ({"receipts": ()}, "signer.receipt"),
        ({"asset": replace(shown.asset, data=b"\x89PNG other")}, "signer.repeated"),
    ):
        with pytest.raises(SigningError) as caught:
            signer.sign_shown(replace(shown, **change), None)
        assert caught.value.code == code
    assert signer.status()["refused_since"] == {"signer.no-decision": 1, "signer.receipt": 1, "signer.repeated": 1}


def test_other_users_are_turned_away_unasked(keeper: Keeper, run_folder: Path) -> None:
    nobody = frozenset({os.getuid() + 1})
    with serving_apart(run_folder / "s", keeper, nobody) as path, pytest.raises(SigningError) as caught:
        SocketSigner(path)
    assert caught.value.code == "signer.peer"


def test_who_says_nothing_is_not_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_QUESTION_S", 0.3)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        started = time.monotonic()
        for _ in range(4):  # a byte now and then is no question either
            connection.sendall(b"S")
            time.sleep(0.05)
        answer = receive(connection, Deadline(TIMEOUT))
    assert answer is not None
    assert answer.header["code"] == "signer.message"
    assert time.monotonic() - started < 2


def test_too_many_at_once_are_told_so(path: Path) -> None:
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(server._MOST_AT_ONCE)]
    try:
        for each in waiting:
            each.connect(str(path))
        time.sleep(0.5)
        with pytest.raises(SigningError) as caught:
            SocketSigner(path)
        assert caught.value.code == "signer.busy"
    finally:
        for each in waiting:
            each.close()
    time.sleep(0.3)
    assert SocketSigner(path).alg == "es256"


def test_the_same_asset_is_not_signed_twice_at_once(
    path: Path, shown: Dossier, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, leave = threading.Event(), threading.Event()

    def reach(point: str) -> None:
        if point == "signer.signed":
            entered.set()
            leave.wait(TIMEOUT)

    monkeypatch.setattr(keepers, "_reach", reach)
    signer = SocketSigner(path)
    first = threading.Thread(target=signer.sign_shown, args=(shown, None))
    first.start()
    assert entered.wait(TIMEOUT)
    with pytest.raises(SigningError) as caught:
        signer.sign_shown(shown, None)
    leave.set()
    first.join()
    assert caught.value.code == "signer.repeated"


def test_a_fault_of_ours_is_not_told_and_not_the_end(
    path: Path, shown: Dossier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("waves under a red sky")

    signer = SocketSigner(path)
    monkeypatch.setattr(keepers, "examine", broken)
    with pytest.raises(SigningError) as caught:
        signer.sign_shown(shown, None)
    assert caught.value.code == "signer.answer"
    assert "ZeroDivisionError" in caplog.text
    assert "waves" not in caplog.text
    monkeypatch.undo()
    signer.sign_shown(shown, None)


def test_time_stamps_are_asked_for_by_who_asks(path: Path, places: Places, time_authority: Authority) -> None:
    stamper = HttpStamper.of([time_authority.address], "require", timeout_s=2)
    (outcome,) = fake_pipeline(places, signer=SocketSigner(path), stamper=stamper).run(REQUEST)
    assert isinstance(outcome, Recorded)
    assert len(time_authority.queries) == 1
    time_authority.behaviour = "fails"
    with pytest.raises(SigningError) as caught:
        fake_pipeline(places, signer=SocketSigner(path), stamper=stamper).run(REQUEST)
    assert caught.value.code == "signing.timestamp"
    assert "HTTP status 500" in str(caught.value)
    relaxed = HttpStamper.of([time_authority.address], "best_effort", timeout_s=2)
    (outcome,) = fake_pipeline(places, signer=SocketSigner(path), stamper=relaxed).run(REQUEST)
    assert isinstance(outcome, Recorded)
    assert SocketSigner(path).status()["signatures"] == 2


def test_a_refusal_leaves_no_asset_and_no_line(run_folder: Path, places: Places) -> None:
    keeper = fake_keeper(places, output_checks=("open-nsfw",))
    with serving_apart(run_folder / "s", keeper) as path:
        pipeline = fake_pipeline(places, signer=SocketSigner(path))
        with pytest.raises(SigningError) as caught:
            pipeline.run(REQUEST)
    assert caught.value.code == "signer.no-check"
    assert not (places.state / "signer" / "ledger.sqlite").exists()
    assert not (places.state / "ledger.sqlite").exists()


def test_a_signer_that_goes_away_is_a_typed_error(keeper: Keeper, run_folder: Path, places: Places) -> None:
    with serving_apart(run_folder / "s", keeper) as path:
        pipeline = fake_pipeline(places, signer=SocketSigner(path))
    assert not path.exists()
    with pytest.raises(SigningError) as caught:
        pipeline.run(REQUEST)
    assert caught.value.code == "signer.unreachable"
