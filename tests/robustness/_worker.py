"""A process that releases pictures and is killed: at a named point, or at a random moment.

Everything that takes long (imports, packs) happens once; then each job, a line of JSON on standard input, is done by
a fork of its own, and how that one ended is answered by a line of JSON on standard output. A job:

``state``, ``out``    folders; pictures become ``out/NAME-INDEX.png``
``do``                ``release``, ``replace`` (over an older file), ``fail`` (the ledger refuses), ``erase``, ``sweep``
``name``, ``count``   of the pictures
``kill_at``           a fault point, or null
``kill_after``        seconds after the first picture was generated, or null
``uid``               user to become, or null
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdsafe import plugins
from sdsafe.api import save_to
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.errors import LedgerError, SdsafeError
from sdsafe.pipeline import Parts, Pipeline
from sdsafe.recovery import sweep
from sdsafe.testing.fakes import FakeGenerator, LsbWatermarker
from sdsafe.testing.pipeline import fake_parts
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sdsafe.core.states import Admitted, Generated, Recorded
    from sdsafe.protocols import Watch

REQUEST = GenerationRequest(prompt="waves", size=Size(width=64, height=64), steps=1)


class Signalling(FakeGenerator):
    """Tells the parent that the first picture is there."""

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tell = tell

    def generate(self, admitted: Admitted, /, watch: Watch | None = None) -> Iterator[Generated]:
        for generated in super().generate(admitted, watch):
            self._tell()
            yield generated


class Refusing:
    """A ledger that takes nothing."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger

    def append(self, _entry: object, /) -> Any:
        raise LedgerError("it was told to refuse")

    def prove(self, digest: str, /) -> Any:
        return self._ledger.prove(digest)


def main() -> None:
    """Answer one line for every line."""
    shared = _shared(Path(sys.argv[1]))
    _say({"ready": True})
    for line in sys.stdin:
        _say(_answer(json.loads(line), shared))


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _shared(scratch: Path) -> dict[str, Any]:
    """Return the parts that read files and hold nothing open, so that forks can have them."""
    parts = fake_parts(Places(state=scratch, cache=scratch / "cache"))
    for each in parts.fingerprinters:
        each.compute(sample_picture(1))  # brings scipy in: that must not be in the way of every fork
    names = ("policy", "licences", "prompt_checks", "output_checks", "fingerprinters")
    return {name: getattr(parts, name) for name in names}


def _answer(job: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(job, shared, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        if job.get("kill_after") is not None and told.read(1):
            time.sleep(job["kill_after"])
            os.kill(child, signal.SIGKILL)
        rest = told.read().lstrip(b".")
    _, status = os.waitpid(child, 0)
    said = {}
    with suppress(ValueError):  # cut off by the kill
        said = json.loads(rest)
    return {"killed": os.WIFSIGNALED(status), **said}


def _child(job: dict[str, Any], shared: dict[str, Any], told: int) -> None:
    try:
        said = _work(job, shared, told)
    except SdsafeError as error:
        said = {"error": error.code, "type": type(error).__name__}
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent has to hear of it
        said = {"error": "untyped", "type": repr(error)}
    os.write(told, json.dumps(said).encode())
    os._exit(0)


def _work(job: dict[str, Any], shared: dict[str, Any], told: int) -> dict[str, Any]:
    places = Places(state=Path(job["state"]), cache=Path(job["state"]) / "cache")
    signer = plugins.load("sdsafe.signers", "file", places)
    parts = Parts(
        generator=Signalling(lambda: _tell(told)),
        watermarker=LsbWatermarker(),
        signer=signer,
        ledger=plugins.load("sdsafe.ledgers", "sqlite", places, {"timeout": 20}),
        repository=plugins.load("sdsafe.repositories", "sqlite", places, {"timeout": 20}),
        **shared,
    )
    if job.get("uid") is not None:  # nothing is opened for writing before this
        os.setgid(job["uid"])
        os.setuid(job["uid"])
    if job.get("kill_at") is not None:
        _arm(job["kill_at"])
    swept = sweep(parts.ledger, parts.repository)
    said: dict[str, Any] = {"discarded": len(swept.discarded), "withdrawn": len(swept.withdrawn)}
    if job["do"] == "sweep":
        return said
    if job["do"] == "erase":
        return said | {"erased": _erase(parts)}
    return said | {"released": _release(job, parts)}


def _tell(told: int) -> None:
    os.write(told, b".")


def _release(job: dict[str, Any], parts: Parts) -> list[str]:
    released = []

    def deliver(recorded: Recorded) -> None:
        path = Path(job["out"]) / f"{job['name']}-{recorded.generated.index}.png"
        save_to(path, force=job["do"] == "replace")(recorded)
        released.append(str(recorded.asset_id))

    if job["do"] == "fail":
        parts = replace(parts, ledger=Refusing(parts.ledger))
        with suppress(LedgerError):
            Pipeline(parts).run(REQUEST, deliver=deliver)
        return released
    Pipeline(parts).run(replace(REQUEST, count=job.get("count", 1)), deliver=deliver)
    return released


def _erase(parts: Parts) -> str:
    newest = list(parts.repository.list_records())[-1]  # type: ignore[attr-defined]
    parts.repository.erase(newest.asset_id)  # type: ignore[attr-defined]
    return str(newest.asset_id)


def _arm(point: str) -> None:
    """Put a kill in the place of one fault point."""

    def reach(reached: str) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    for module in fault_points().values():
        vars(importlib.import_module(module))["_reach"] = reach


def fault_points() -> dict[str, str]:
    """Return every fault point of the package with its module, found in the sources: a new one needs no list."""
    import sdsafe

    root = Path(sdsafe.__file__).parent
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*.py")):
        if "\nFAULT_POINTS = (" in path.read_text(encoding="utf-8"):
            module = ".".join(("sdsafe", *path.relative_to(root).with_suffix("").parts))
            found |= dict.fromkeys(importlib.import_module(module).FAULT_POINTS, module)
    return found


if __name__ == "__main__":
    main()
