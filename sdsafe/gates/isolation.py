"""Runs a check in a process of its own, which is killed at its deadline. Threads cannot be killed; processes can.

For checks that may hang: an endpoint that does not answer, a plug-in of somebody else. What is to be looked at goes to
the process as it is; what comes back is JSON and becomes findings here, so that nothing the process sends can run code.
"""

from __future__ import annotations

import json
import multiprocessing
import threading
from contextlib import suppress
from dataclasses import asdict, replace
from multiprocessing.reduction import ForkingPickler
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

from sdsafe.core.findings import Box, Finding, Severity, Span, Stage
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from multiprocessing.connection import Connection

    from sdsafe.core.request import GenerationRequest, InputImage
    from sdsafe.core.states import Generated

__all__ = ["IsolatedCheck"]

_START_S: Final = 120.0
"""Seconds that a process gets to import what it needs and to build the check."""
_GRACE_S: Final = 2.0
_MAX_ANSWER: Final = 1 << 22


class IsolatedCheck:
    """Stands where a check of a slot stands, and asks it in another process.

    The process is started at the first question and kept; after a deadline, or after it died, the next question
    starts another. One question at a time.
    """

    def __init__(self, make: Callable[[], Any], *, name: str, deadline: float) -> None:
        """Note how the check is made; nothing is started yet.

        Args:
            make: Called in the process; a function of a module, or a ``functools.partial`` of one.
            name: What to call the check until it has said its name.
            deadline: Seconds for one question.
        """
        self._make = make
        self._name = name
        self._version = ""
        self._deadline = deadline
        self._lock = threading.Lock()
        self._process: Any = None
        self._pipe: Connection | None = None

    @property
    def name(self) -> str:
        """The check's own name."""
        self._introduced()
        return self._name

    @property
    def version(self) -> str:
        """The check's own version; ``unknown`` where it cannot be made, which its first answer explains."""
        return self._introduced() or "unknown"

    def check(self, subject: Generated | GenerationRequest, /) -> Iterable[Finding]:
        """Return what the check finds in a generated picture, or in the texts of a request.

        Raises:
            Unavailable: The check said so, or it could not be made.
            TimeoutError: It did not answer before the deadline; its process is gone.
            RuntimeError: It raised, or its process died; the message has the name of the error alone.
        """
        return self._ask("check", subject)

    def check_input(self, image: InputImage, /) -> Iterable[Finding]:
        """Return what the check finds in a picture that goes into generation; raises as ``check`` does."""
        return self._ask("check_input", image)

    def close(self) -> None:
        """End the process; a later question starts another."""
        with self._lock:
            self._end()

    def __enter__(self) -> Self:
        """Return the check itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.close()

    def _introduced(self) -> str:
        """Start the check, if need be, so that it can say who it is; never raises."""
        with self._lock, suppress(Unavailable):
            if not self._version:
                self._running()
        return self._version

    def _ask(self, method: str, subject: object) -> tuple[Finding, ...]:
        with self._lock:
            pipe = self._running()
            try:
                pipe.send((method, subject))
                in_time = pipe.poll(self._deadline)
                kind, answer = _receive(pipe) if in_time else ("late", "")
            except (EOFError, OSError) as error:
                self._end()
                msg = "the process of the check died"
                raise RuntimeError(msg) from error
            if not in_time:
                self._end()
                msg = f"no answer within {self._deadline:g} s"
                raise TimeoutError(msg)
        if kind == "unavailable":
            raise Unavailable(answer)
        if kind == "error":
            msg = f"the check raised {answer}"
            raise RuntimeError(msg)
        return tuple(_finding(each) for each in answer)

    def _running(self) -> Connection:
        if self._pipe is not None and self._process.is_alive():
            return self._pipe
        self._end()
        # A fresh interpreter: a fork would inherit the pipe, the signing key and locks held by other threads.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._make), daemon=True)
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours
        try:
            kind, reason = _receive(ours) if ours.poll(_START_S) else ("unavailable", "its process did not start")
        except (EOFError, OSError):
            kind, reason = "unavailable", "its process died at once"
        if kind != "ready":
            self._end()
            raise Unavailable(f"the check {self._name} cannot run: {reason}")
        self._name, self._version = str(reason[0]), str(reason[1])
        return ours

    def _end(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join(_GRACE_S)
        self._process, self._pipe = None, None


def _serve(pipe: Connection, make: Callable[[], Any]) -> None:
    """Answer questions until the pipe closes; runs in the process."""
    try:
        check = make()
        who = [str(check.name), str(check.version)]
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
        _send(pipe, "unavailable", f"it could not be made ({type(error).__name__})")
        return
    _send(pipe, "ready", who)
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            method, subject = pipe.recv()
            _send(pipe, *_answer(check, method, subject))


def _answer(check: Any, method: str, subject: object) -> tuple[str, object]:
    try:
        found = tuple(getattr(check, method)(subject))
    except Unavailable as missing:
        return "unavailable", str(missing)
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
        return "error", type(error).__name__
    if not all(isinstance(each, Finding) for each in found):
        return "error", "something that is not a Finding"
    return "ok", [asdict(replace(each, data=dict(each.data))) for each in found]


def _send(pipe: Connection, kind: str, answer: object) -> None:
    pipe.send_bytes(json.dumps([kind, answer], default=str).encode())


def _receive(pipe: Connection) -> tuple[str, Any]:
    """Return kind and answer; a message that is not ours counts as the end of the process."""
    try:
        kind, answer = json.loads(pipe.recv_bytes(_MAX_ANSWER))
    except ValueError as error:
        raise EOFError from error
    return str(kind), answer


def _finding(values: Any) -> Finding:
    """Return the finding that ``values`` describe; ``RuntimeError`` where they describe none."""
    try:
        return Finding(
            **{
                **values,
                "severity": Severity(values["severity"]),
                "stage": Stage(values["stage"]),
                "span": Span(**values["span"]) if values["span"] else None,
                "box": Box(**values["box"]) if values["box"] else None,
                "data": MappingProxyType(dict(values["data"])),
            }
        )
    except (TypeError, ValueError, KeyError) as error:
        msg = "the check returned what is no finding"
        raise RuntimeError(msg) from error


def _frozen(values: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(values)


# Requests hold read-only mappings, which the pickler of multiprocessing does not know.
ForkingPickler.register(MappingProxyType, lambda values: (_frozen, (dict(values),)))
