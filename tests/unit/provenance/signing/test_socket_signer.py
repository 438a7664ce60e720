"""The client of a signer apart, against servers that are down, hang, lie or talk nonsense: bounded and typed."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe import plugins
from sdsafe.core.dossier import Dossier
from sdsafe.core.states import Asset
from sdsafe.errors import PluginError, SigningError
from sdsafe.protocols import Demanding
from sdsafe.provenance.signing.apart import SocketSigner
from sdsafe.provenance.signing.wire import Deadline, WireError, receive, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOSSIER = Dossier(
    asset=Asset(data=b"file", media_type="image/png", name="a.png"),
    document={"title": "a"},
    resources={},
    ingredients=(),
    receipts=(),
)
CREDENTIAL = ({"v": 1, "ok": True, "alg": "es256"}, [b"leaf", b"issuer"])


@pytest.fixture
def path() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sds"))
    yield folder / "s"
    shutil.rmtree(folder)


@contextmanager
def listening(path: Path, act: Callable[[socket.socket], None]) -> Iterator[None]:
    """Answer each connection with ``act``, in order of coming."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(0.05)
        stop = threading.Event()

        def run() -> None:
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    try:
                        act(connection)
                    except (OSError, WireError):
                        continue  # whoever asked is gone

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def answering(*answers: tuple[dict[str, Any], list[bytes]]) -> Callable[[socket.socket], None]:
    """Return what answers questions with these in turn; the last one from then on."""
    rest = list(answers)

    def act(connection: socket.socket) -> None:
        receive(connection, Deadline(2))
        header, parts = rest.pop(0) if len(rest) > 1 else rest[0]
        send(connection, header, parts, Deadline(2))

    return act


def code_of(act: Callable[[], object]) -> str:
    started = time.monotonic()
    with pytest.raises(SigningError) as caught:
        act()
    assert time.monotonic() - started < 4
    assert caught.value.hint
    return caught.value.code


def test_it_is_the_plugin_of_its_scheme(path: Path) -> None:
    with listening(path, answering(CREDENTIAL)):
        signer = plugins.load("sdsafe.signers", "socket", None, {"path": str(path), "timeout": "5"})
    assert isinstance(signer, SocketSigner)
    assert issubclass(SocketSigner, Demanding)
    assert (signer.alg, signer.certificate_chain) == ("es256", (b"leaf", b"issuer"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"path": "/x", "other": "1"},
        {"path": "/x", "timeout": "soon"},
        {"path": "/x", "timeout": "0"},
        {"path": "/x", "timeout": "nan"},
        {"path": "/x", "timeout": "1e9"},
        {"path": "/tmp", "user": "nobody-of-that-name"},
    ],
)
def test_options_that_do_not_fit_are_told(options: dict[str, str]) -> None:
    with pytest.raises(PluginError) as caught:
        plugins.load("sdsafe.signers", "socket", None, options)
    assert caught.value.hint


def test_nobody_listens(path: Path) -> None:
    assert code_of(lambda: SocketSigner(path)) == "signer.unreachable"
    with listening(path, answering(CREDENTIAL)):
        pass
    assert code_of(lambda: SocketSigner(path)) == "signer.unreachable"
    assert code_of(lambda: SocketSigner(Path("/tmp/" + "x" * 200))) == "signer.unreachable"
    assert code_of(lambda: SocketSigner(Path("/tmp/a\0b"))) == "signer.unreachable"


def test_a_socket_of_somebody_else_is_not_asked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(path, answering(CREDENTIAL)):
        monkeypatch.setattr(os, "getuid", lambda: 12345)
        if path.stat().st_uid == 0:
            assert SocketSigner(path).alg == "es256"  # root may be whom one asks
        assert code_of(lambda: SocketSigner(path, user="nobody")) == "signer.owner"


def test_silence_ends(path: Path) -> None:
    with listening(path, lambda _: time.sleep(1)):
        assert code_of(lambda: SocketSigner(path, timeout=0.3)) == "signer.timeout"


def test_a_trickle_ends(path: Path) -> None:
    def drip(connection: socket.socket) -> None:
        for _ in range(20):
            connection.sendall(b"S")
            time.sleep(0.1)

    with listening(path, drip):
        assert code_of(lambda: SocketSigner(path, timeout=0.5)) in {"signer.timeout", "signer.answer"}


@pytest.mark.parametrize(
    ("header", "parts"),
    [
        ({}, []),
        ({"v": 2, "ok": True, "alg": "es256"}, [b"leaf"]),
        ({"v": 1, "ok": True, "alg": "es256"}, []),
        ({"v": 1, "ok": True, "alg": "none"}, [b"leaf"]),
        ({"v": 1, "ok": True, "alg": 7}, [b"leaf"]),
        ({"v": 1, "ok": "yes", "alg": "es256"}, [b"leaf"]),
        ({"v": 1, "ok": False}, []),
        ({"v": 1, "ok": False, "code": "refused.prompt", "message": "m"}, []),
        ({"v": 1, "op": "stamp"}, [b"query"]),
    ],
)
def test_nonsense_is_told(path: Path, header: dict[str, Any], parts: list[bytes]) -> None:
    with listening(path, answering((header, parts))):
        assert code_of(lambda: SocketSigner(path)) == "signer.answer"


@pytest.mark.parametrize(
    "data", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"SDSG\x01\xff\xff\xff\xff", b"SDSG\x01\0\0\0\x02[]"]
)
def test_other_bytes_are_told(path: Path, data: bytes) -> None:
    with listening(path, lambda connection: connection.sendall(data)):
        assert code_of(lambda: SocketSigner(path)) in {"signer.answer", "signer.unreachable"}


def test_a_refusal_keeps_its_code_and_nothing_that_does_not_print(path: Path) -> None:
    no = {"v": 1, "ok": False, "code": "signer.stale", "message": "too\x1b[31m old\n" + "x" * 999, "hint": "Again."}
    with listening(path, answering(CREDENTIAL, (no, []))):
        signer = SocketSigner(path)
        with pytest.raises(SigningError) as caught:
            signer.sign_shown(DOSSIER, None)
    assert caught.value.code == "signer.stale"
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 350


@pytest.mark.parametrize("parts", [[], [b"only one"], [b"a", b"b", b"c"]])
def test_a_signature_has_two_parts(path: Path, parts: list[bytes]) -> None:
    with listening(path, answering(CREDENTIAL, ({"v": 1, "ok": True}, parts))):
        signer = SocketSigner(path)
        assert code_of(lambda: signer.sign_shown(DOSSIER, None)) == "signer.answer"


class Stamper:
    required = False

    def __init__(self) -> None:
        self.asked = 0

    def stamp(self, _query: bytes, /) -> bytes:
        self.asked += 1
        return b"reply"


def test_questions_for_time_stamps_end(path: Path) -> None:
    def act(connection: socket.socket) -> None:
        for _ in range(10):
            receive(connection, Deadline(2))
            send(connection, {"v": 1, "op": "stamp"}, [b"query"], Deadline(2))

    stamper = Stamper()
    with listening(path, answering(CREDENTIAL)):
        signer = SocketSigner(path)
    path.unlink()
    with listening(path, act):
        assert code_of(lambda: signer.sign_shown(DOSSIER, stamper)) == "signer.answer"
    assert stamper.asked == 3


def test_bare_bytes_are_never_signed(path: Path) -> None:
    with listening(path, answering(CREDENTIAL)):
        signer = SocketSigner(path)
    assert code_of(lambda: signer.sign(b"bytes")) == "signer.no-decision"


def test_too_much_is_not_even_sent(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sdsafe.provenance.signing import wire

    with listening(path, answering(CREDENTIAL)):
        signer = SocketSigner(path)
        monkeypatch.setattr(wire, "MOST_PART_BYTES", 3)
        assert code_of(lambda: signer.sign_shown(DOSSIER, None)) == "signer.too-large"
