"""A signer apart for tests: the real server on a real socket, in a thread, with a floor that fits ``fake_parts``."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sdsafe import plugins
from sdsafe.gates.policy.loader import load_policies
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.signer.floor import Floor
from sdsafe.signer.keeper import Keeper
from sdsafe.signer.opening import log_in
from sdsafe.signer.peers import listening
from sdsafe.signer.server import serve
from sdsafe.testing.pipeline import fake_licences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sdsafe.core.places import Places

__all__ = ["fake_floor", "fake_keeper", "serving_apart"]


def fake_floor(**others: Any) -> Floor:
    """Return a floor that what ``fake_pipeline`` makes reaches; ``others`` are fields to use instead."""
    packs = load_policies(["baseline"]).refs
    chosen: dict[str, Any] = {
        "packs": packs,
        "known": frozenset(ref.digest for ref in (*packs, fake_licences().ref)),
        "prompt_checks": ("lexicon",),
        "output_checks": ("fake-output-check",),
    }
    return Floor(**{**chosen, **others})


def fake_keeper(places: Places, *, per_minute: int = 1000, **floor: Any) -> Keeper:
    """Return a keeper with a development credential in ``places.keys`` and its log in ``places.state / "signer"``."""
    if not (places.keys / "chain.pem").exists():
        init_development(places.keys, name="sdsafe test", password=None, force=False)
    signer = plugins.load("sdsafe.signers", "file", places)
    return Keeper(signer, fake_floor(**floor), log_in(places.state / "signer"), per_minute)


@contextmanager
def serving_apart(path: Path, keeper: Keeper, allowed: frozenset[int] | None = None) -> Iterator[Path]:
    """Answer at ``path`` while the block lasts, and yield the path.

    Args:
        path: Of the socket; short.
        keeper: What ``fake_keeper`` returns.
        allowed: User ids; default: the test's own.
    """
    stop = threading.Event()
    with listening(path) as listener:
        users = frozenset({os.getuid()}) if allowed is None else allowed
        thread = threading.Thread(target=serve, args=(listener, keeper, users, stop), daemon=True)
        thread.start()
        try:
            yield path
        finally:
            stop.set()
            thread.join()
