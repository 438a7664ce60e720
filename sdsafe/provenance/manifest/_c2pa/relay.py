"""Lets the C2PA library ask us for a time-stamp instead of the network.

The library wants an address, and speaks HTTP to it while it signs. It gets one on the loopback interface, with a
path that nobody can guess, for as long as one signature takes; what it sends there goes to a function of ours.
"""

from __future__ import annotations

import secrets
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Relay", "relaying"]

_MOST_BYTES = 4096  # a query has 70


@dataclass(slots=True)
class Relay:
    """Where the library may ask, and what went wrong there."""

    address: str
    faults: list[BaseException] = field(default_factory=list)


@contextmanager
def relaying(answer: Callable[[bytes], bytes]) -> Iterator[Relay]:
    """Serve ``answer`` until the block ends; what it raises is kept in ``faults``, and the library gets a 502."""
    path = f"/{secrets.token_urlsafe(24)}"
    relay = Relay(address="")

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not secrets.compare_digest(self.path, path) or not length.isdigit() or int(length) > _MOST_BYTES:
                self.send_error(404)
                return
            try:
                reply = answer(self.rfile.read(int(length)))
            except BaseException as fault:  # noqa: BLE001 - raised again by whoever signs
                relay.faults.append(fault)
                self.send_error(502)
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None:
            """Stay silent: standard error belongs to the command."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        relay.address = f"http://127.0.0.1:{server.server_port}{path}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            server.shutdown()
            thread.join()
