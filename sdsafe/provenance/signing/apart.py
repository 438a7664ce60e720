"""Signing with a key in another process (``socket:PATH``): the file and all that is said of it go there, and come back signed.

The other process is ``sdsafe signer serve``. Whatever it does - refuse, hang, die, answer nonsense - ends here in a
``SigningError`` within the time limit. What it signed is read back by the pipeline like every other signature.
"""

from __future__ import annotations

import os
import pwd
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sdsafe.errors import PluginError, SigningError
from sdsafe.provenance.signing.exchange import PROTOCOL, dossier_message
from sdsafe.provenance.signing.wire import Deadline, Message, WireError, receive, send

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sdsafe.core.dossier import Dossier
    from sdsafe.core.places import Places
    from sdsafe.protocols import TimeStamper

__all__ = ["SocketSigner"]

_OPTIONS = {"path", "timeout", "user"}
_TIMEOUT_S = 30.0
_LONGEST_S = 600.0
_MOST_TEXT = 300
_CODE = re.compile(r"(signer|signing|manifest)\.[a-z-]{1,40}")
_MOST_STAMPS = 2  # a signature takes one; the library has never been seen to ask twice
_ALGORITHM = re.compile(r"[ep]s(256|384|512)|ed25519")


class SocketSigner:
    """A signer whose key is in another process of this machine. It signs manifests and nothing else."""

    __slots__ = ("_alg", "_chain", "_path", "_timeout", "_user")

    def __init__(self, path: Path, *, timeout: float = _TIMEOUT_S, user: str | None = None) -> None:
        """Ask the other process who it is.

        Args:
            path: The socket.
            timeout: Seconds for each conversation; asking for time-stamps does not count.
            user: Who must own the socket; default: this process's user, or root.

        Raises:
            SigningError: ``signer.unreachable``, ``signer.owner``, ``signer.timeout`` or ``signer.answer``.
        """
        self._path, self._timeout, self._user = path, timeout, user
        (answer,) = self._converse(Message({"v": PROTOCOL, "op": "credential"}), 0, None)
        alg = answer.header.get("alg")
        if not isinstance(alg, str) or not _ALGORITHM.fullmatch(alg) or not answer.parts:
            raise _nonsense()
        self._alg, self._chain = alg, answer.parts

    @classmethod
    def configure(cls, _places: Places, options: Mapping[str, object]) -> Self:
        """Return a signer; options: ``path`` of the socket, ``timeout`` in seconds, ``user`` who must own it."""
        unknown = sorted(set(options) - _OPTIONS)
        if unknown:
            raise PluginError(
                f"signer socket: unknown option {unknown[0]!r}", hint=f"Known: {', '.join(sorted(_OPTIONS))}."
            )
        if "path" not in options:
            raise PluginError("signer socket: no path", hint="Write socket:/run/sdsafe/signer.sock.")
        user = options.get("user")
        return cls(
            Path(str(options["path"])),
            timeout=_seconds(options.get("timeout", _TIMEOUT_S)),
            user=None if user is None else str(user),
        )

    @property
    def alg(self) -> str:
        """The C2PA name of the algorithm, as the other process says."""
        return self._alg

    @property
    def certificate_chain(self) -> tuple[bytes, ...]:
        """DER certificates, leaf first, as the other process says."""
        return self._chain

    def sign(self, data: bytes, /) -> bytes:  # noqa: ARG002 - the slot's signature
        """Refuse: the other process signs no bytes that it has not composed itself.

        Raises:
            SigningError: ``signer.no-decision``.
        """
        raise SigningError(
            "this signer signs nothing without a decision record and check receipts",
            code="signer.no-decision",
            hint="What `sdsafe generate` and its kin make has them; sign anything else with another key.",
        )

    def sign_shown(self, dossier: Dossier, stamper: TimeStamper | None, /) -> tuple[bytes, bytes]:
        """Have a file signed, and return (file bytes, manifest store).

        Raises:
            SigningError: The other process refused (``signer.*``, see ``docs/guides/keep-the-key-apart.md``), or did
                not answer as it should. Or what ``stamper`` raised, where a time-stamp is required.
        """
        stamping = "none" if stamper is None else "require" if stamper.required else "best_effort"
        answer = self._converse(dossier_message(dossier, stamping), 2, stamper)[-1]
        data, store = answer.parts
        return data, store

    def status(self) -> Mapping[str, Any]:
        """Return what the other process says of itself."""
        return self._converse(Message({"v": PROTOCOL, "op": "status"}), 0, None)[-1].header

    def _converse(self, question: Message, parts: int, stamper: TimeStamper | None) -> list[Message]:
        faults: list[SigningError] = []
        self._check_owner()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                deadline = Deadline(self._timeout)
                connection.settimeout(deadline.left())
                connection.connect(str(self._path))
                _send_all(connection, question, deadline)
                answers = list(self._answers(connection, stamper, faults))
        except TimeoutError as error:
            raise SigningError(
                f"the signer did not answer within {self._timeout:g} s",
                code="signer.timeout",
                hint="Look at its log; `socket:PATH?timeout=SECONDS` waits longer.",
            ) from error
        except WireError as error:
            raise _nonsense() from error
        except OSError as error:
            raise _unreachable(error.strerror or type(error).__name__) from error
        _require_ok(answers[-1], parts, faults)
        return answers

    def _answers(
        self, connection: socket.socket, stamper: TimeStamper | None, faults: list[SigningError]
    ) -> Iterator[Message]:
        """Yield the final answer; before it, ask for the time-stamps that the other process wants."""
        for _ in range(_MOST_STAMPS + 1):
            answer = receive(connection, Deadline(self._timeout))
            if answer is None or answer.header.get("v") != PROTOCOL:
                raise WireError("no answer")
            if answer.header.get("op") != "stamp":
                yield answer
                return
            if stamper is None or len(answer.parts) != 1:
                raise WireError("a question that makes no sense")
            reply = _stamped(stamper, answer.parts[0], faults)
            _send_all(connection, reply, Deadline(self._timeout))
        raise WireError("too many questions")

    def _check_owner(self) -> None:
        """Make sure that nobody else can have put the socket there."""
        try:
            owner = self._path.stat().st_uid
            allowed = {os.getuid(), 0} if self._user is None else {pwd.getpwnam(self._user).pw_uid}
        except KeyError:
            raise PluginError("signer socket: there is no such user", hint="Correct `user` in the URI.") from None
        except (OSError, ValueError) as error:
            raise _unreachable(getattr(error, "strerror", None) or type(error).__name__) from error
        if owner not in allowed:
            raise SigningError(
                "the signer's socket belongs to another user",
                code="signer.owner",
                hint="If that is meant, name the user: socket:PATH?user=NAME.",
            )


def _send_all(connection: socket.socket, message: Message, deadline: Deadline) -> None:
    """Send a message; who is hung up on may still have been answered, so that is not the end."""
    try:
        send(connection, message.header, message.parts, deadline)
    except (BrokenPipeError, ConnectionResetError):
        return
    except WireError as error:
        raise SigningError(
            "the file, or what went into it, is too large for the signer",
            code="signer.too-large",
            hint="Together they may have 256 MiB.",
        ) from error


def _stamped(stamper: TimeStamper, query: bytes, faults: list[SigningError]) -> Message:
    try:
        reply = stamper.stamp(query)
    except SigningError as fault:
        faults.append(fault)
        return Message({"v": PROTOCOL, "op": "unstamped"})
    return Message({"v": PROTOCOL, "op": "stamped"}, (reply,))


def _require_ok(answer: Message, parts: int, faults: list[SigningError]) -> None:
    header = answer.header
    if header.get("ok") is True and (not parts or len(answer.parts) == parts):
        return
    code, text, hint = header.get("code"), header.get("message"), header.get("hint")
    if header.get("ok") is not False or not isinstance(code, str) or not _CODE.fullmatch(code):
        raise _nonsense()
    if faults and code == faults[0].code:
        raise faults[0]
    raise SigningError(f"the signer refused: {_printable(text)}", code=code, hint=_printable(hint))


def _printable(text: object) -> str:
    return "".join(each for each in str(text or "")[:_MOST_TEXT] if each.isprintable())


def _seconds(value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_S:
        raise PluginError(
            f"signer socket: timeout is a number of seconds up to {_LONGEST_S:g}", hint="Correct the URI."
        )
    return seconds


def _unreachable(reason: str) -> SigningError:
    return SigningError(
        f"the signer cannot be reached: {reason}",
        code="signer.unreachable",
        hint="Is it running? `sdsafe signer serve --socket PATH --key URI` starts it; `sdsafe signer status` asks it.",
    )


def _nonsense() -> SigningError:
    return SigningError(
        "what listens on the signer's socket does not answer like a signer",
        code="signer.answer",
        hint="Check that the socket is that of `sdsafe signer serve`, of the same version as this.",
    )
