"""What is settled when the ledger answers late, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.core.places import Places
from sdsafe.core.receipts import EntryKind
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.errors import LedgerError
from sdsafe.pipeline import Pipeline
from sdsafe.testing.fakes import LsbWatermarker
from sdsafe.testing.pipeline import fake_parts

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.pipeline import Parts

REQUEST = GenerationRequest(prompt="waves", seed=7, size=Size(width=64, height=64), steps=1)


class Ledger:
    """A ledger that fails as the test says: before it has written, afterwards, or whatever it is asked."""

    def __init__(self, real: Any, how: str) -> None:
        self._real = real
        self.how = how

    def append(self, entry: Any, /) -> Any:
        if self.how == "after":
            self.how = ""
            self._real.append(entry)
            raise LedgerError("written, and then the line broke", code="ledger.test")
        if self.how in {"before", "always"}:
            raise LedgerError("not written", code="ledger.test")
        return self._real.append(entry)

    def prove(self, digest: str, /) -> Any:
        if self.how == "always":
            raise LedgerError("no answer", code="ledger.silent")
        return self._real.prove(digest)

    def entries(self) -> Any:
        return self._real.entries()


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return fake_parts(Places(state=tmp_path / "state", cache=tmp_path / "cache"), watermarker=LsbWatermarker())


def _records(parts: Parts) -> list[str]:
    return [str(info.asset_id) for info in parts.repository.list_records()]  # type: ignore[attr-defined]


def _kinds(parts: Parts) -> list[EntryKind]:
    return [logged.entry.kind for logged in parts.ledger.entries()]  # type: ignore[attr-defined]


def test_an_append_that_raised_after_writing_keeps_its_record_and_is_withdrawn(parts: Parts) -> None:
    failing = replace(parts, ledger=Ledger(parts.ledger, "after"))
    with pytest.raises(LedgerError, match="line broke"):
        Pipeline(failing).run(REQUEST)
    assert _kinds(parts) == [EntryKind.RELEASED, EntryKind.WITHDRAWN]
    assert len(_records(parts)) == 1


def test_an_append_that_raised_before_writing_leaves_nothing(parts: Parts) -> None:
    failing = replace(parts, ledger=Ledger(parts.ledger, "before"))
    with pytest.raises(LedgerError, match="not written"):
        Pipeline(failing).run(REQUEST)
    assert (_kinds(parts), _records(parts)) == ([], [])


def test_a_ledger_that_does_not_answer_leaves_the_record_for_the_next_start(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    failing = replace(parts, ledger=Ledger(parts.ledger, "always"))
    with pytest.raises(LedgerError, match="not written"):  # the first error, not the one of tidying up
        Pipeline(failing).run(REQUEST)
    assert len(_records(parts)) == 1
    assert "ledger.silent" in caplog.text


def test_a_delivery_that_fails_is_told_even_if_it_cannot_be_withdrawn(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(parts.ledger, "")

    def fail(_recorded: object) -> None:
        ledger.how = "always"
        raise OSError("the cable is gone")

    with pytest.raises(OSError, match="cable"):
        Pipeline(replace(parts, ledger=ledger)).run(REQUEST, deliver=fail)
    assert _kinds(parts) == [EntryKind.RELEASED]
    assert "ledger.test" in caplog.text
