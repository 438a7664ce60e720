"""Answers on the socket: one question a connection, each examined, none waited for without end."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from sdsafe.errors import SdsafeError, SigningError
from sdsafe.provenance.signing.exchange import PROTOCOL, dossier_in, refusal
from sdsafe.provenance.signing.wire import Deadline, Message, WireError, receive, send
from sdsafe.signer.peers import peer_of

if TYPE_CHECKING:
    import socket

    from sdsafe.signer.keeper import Keeper
    from sdsafe.signer.peers import Peer

__all__ = ["serve"]

_QUESTION_S = 15.0
"""For a whole question, however slowly it trickles in."""

_STAMP_S = 60.0
_ANSWER_S = 15.0
_POLL_S = 0.2
_FAREWELL_S = 10.0
_MOST_AT_ONCE = 8

_log = logging.getLogger(__name__)


def serve(listener: socket.socket, keeper: Keeper, allowed: frozenset[int], stop: threading.Event) -> None:
    """Answer until ``stop`` is set; questions under way are then given a few seconds.

    Args:
        listener: A listening Unix socket.
        keeper: Holds the key.
        allowed: User ids that may ask; the kernel says who does.
        stop: Looked at five times a second.
    """
    listener.settimeout(_POLL_S)
    free = threading.BoundedSemaphore(_MOST_AT_ONCE)
    threads: set[threading.Thread] = set()
    while not stop.is_set():
        threads = {each for each in threads if each.is_alive()}
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        except OSError as error:
            _log.warning("a connection was lost before it was accepted: %s", error.strerror)
            stop.wait(_POLL_S)  # out of file descriptors: do not spin
            continue
        thread = threading.Thread(target=_converse, args=(connection, keeper, allowed, free), daemon=True)
        thread.start()
        threads.add(thread)
    farewell = Deadline(_FAREWELL_S)
    for thread in threads:
        try:
            thread.join(farewell.left())
        except TimeoutError:
            return


def _converse(
    connection: socket.socket, keeper: Keeper, allowed: frozenset[int], free: threading.BoundedSemaphore
) -> None:
    """Answer one question. Nothing that goes wrong here ends the signer, and nothing of it is told but its kind."""
    with connection:
        try:
            peer = peer_of(connection)
            answer = _answer(connection, keeper, peer, allowed, free)
            send(connection, answer.header, answer.parts, Deadline(_ANSWER_S))
        except (WireError, OSError) as error:
            _log.info("a conversation broke off: %s", type(error).__name__)
        except Exception as error:  # noqa: BLE001 - the thread of one question; the next one must find us well
            _log.error("a question could not be answered: %s", type(error).__name__)


def _answer(
    connection: socket.socket, keeper: Keeper, peer: Peer, allowed: frozenset[int], free: threading.BoundedSemaphore
) -> Message:
    if peer.uid not in allowed:
        return _refused(peer, "signer.peer", "this user may not ask", "Start the signer with --allow-user NAME.")
    if not free.acquire(blocking=False):
        return _refused(peer, "signer.busy", "too many ask at once", "Ask again.")
    try:
        return _reply(connection, _question(connection), keeper, peer)
    except SdsafeError as error:
        return _refused(peer, error.code, str(error), error.hint)
    except WireError as error:
        return _refused(peer, "signer.message", str(error), "Use the same version of sdsafe on both sides.")
    except TimeoutError:
        return _refused(peer, "signer.message", "the question did not come in time")
    finally:
        free.release()


def _question(connection: socket.socket) -> Message:
    question = receive(connection, Deadline(_QUESTION_S))
    if question is None or question.header.get("v") != PROTOCOL:
        raise WireError("there is no question of this version")
    return question


def _reply(connection: socket.socket, question: Message, keeper: Keeper, peer: Peer) -> Message:
    asked = question.header.get("op")
    if asked == "credential":
        alg, chain = keeper.credential
        return Message({"v": PROTOCOL, "ok": True, "alg": alg}, chain)
    if asked == "status":
        return Message({"v": PROTOCOL, "ok": True, **keeper.status()})
    if asked != "sign":
        raise WireError("the message asks for something unknown")
    dossier, stamping = dossier_in(question)
    stamper = None if stamping == "none" else _ThroughThem(connection, required=stamping == "require")
    data, store = keeper.sign(dossier, stamper)
    _log.info("signed for pid %d, uid %d", peer.pid, peer.uid)
    return Message({"v": PROTOCOL, "ok": True}, (data, store))


def _refused(peer: Peer, code: str, text: str, hint: str = "") -> Message:
    _log.warning("refused %s to pid %d, uid %d", code, peer.pid, peer.uid)
    return Message(refusal(code, text, hint))


class _ThroughThem:
    """Has whoever asked for the signature ask the time-stamp authorities: the signer needs no network."""

    def __init__(self, connection: socket.socket, *, required: bool) -> None:
        self._connection, self._required = connection, required

    @property
    def required(self) -> bool:
        """Whether nothing may be signed without."""
        return self._required

    def stamp(self, query: bytes, /) -> bytes:
        """Return the reply that came back; what it is worth is for those who verify to say."""
        try:
            send(self._connection, {"v": PROTOCOL, "op": "stamp"}, [query], Deadline(_ANSWER_S))
            answer = receive(self._connection, Deadline(_STAMP_S))
        except (OSError, WireError) as error:
            raise SigningError("no time-stamp came back in time", code="signing.timestamp") from error
        if answer is None or answer.header.get("op") != "stamped" or len(answer.parts) != 1:
            raise SigningError("no time-stamp authority granted a time-stamp", code="signing.timestamp")
        return answer.parts[0]
