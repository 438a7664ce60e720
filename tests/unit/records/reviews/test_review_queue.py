from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe.core.ids import AssetId
from sdsafe.core.placement import MemoryPeak, Offload, Placement
from sdsafe.core.places import Places
from sdsafe.core.reviews import CaseState, Opinion
from sdsafe.core.states import NoiseMark
from sdsafe.errors import RepositoryError, ReviewError
from sdsafe.records.reviews import codec, queue
from sdsafe.records.reviews.queue import SqliteReviews
from sdsafe.testing.samples import sample_generated, sample_picture

if TYPE_CHECKING:
    from pathlib import Path

ID = AssetId(bytes(range(8)))
AT = "2026-11-23T08:00:00Z"


@pytest.fixture
def reviews(tmp_path: Path) -> SqliteReviews:
    return SqliteReviews(Places(state=tmp_path / "state", cache=tmp_path))


def opinion(reviewer: str = "Ada", *, approves: bool = True, reason: str = "looked at it", role: str = "") -> Opinion:
    return Opinion(reviewer=reviewer, approves=approves, reason=reason, at=AT, role=role)


def hold(reviews: SqliteReviews, *, people: int = 1, roles: tuple[str, ...] = ()) -> str:
    held = sample_generated(sample_picture())
    return reviews.put(ID, held, rules=("pack.rule",), people=people, roles=roles).ticket


def assert_same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
    elif is_dataclass(one):
        for item in fields(one):
            assert_same(getattr(one, item.name), getattr(other, item.name))
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert one == other


class TestCodec:
    def test_what_waits_comes_back_as_it_was(self) -> None:
        held = sample_generated(sample_picture())
        assert_same(codec.decode(codec.encode(held)).pixels, held.pixels)
        assert codec.decode(codec.encode(held)).admitted.request.prompt == held.admitted.request.prompt
        assert_same(codec.decode(codec.encode(held.admitted.checks)), held.admitted.checks)
        assert_same(codec.decode(codec.encode(held.admitted.decision)), held.admitted.decision)

    def test_what_really_ran_comes_back_too(self) -> None:
        ran = replace(
            sample_generated(sample_picture()).execution,
            placement=Placement(offload=Offload.MODEL, reason="it fits"),
            peak=MemoryPeak(used=2, before=1, of="process"),
            noise_mark=NoiseMark(alg="a", version="1", key_id="00112233", shape=(1, 4, 32, 32)),
        )
        assert codec.decode(codec.encode(ran)) == ran

    def test_what_the_core_does_not_know_is_refused(self) -> None:
        with pytest.raises(RepositoryError, match="type object"):
            codec.encode((object(),))

    @pytest.mark.parametrize(
        "data",
        [b"", b"{}", b'{"v": 1, "value": {"class": "Popen", "fields": {}}}', b'{"v": 1, "value": {"enum": "x"}}'],
    )
    def test_damaged_bytes_are_named_as_such(self, data: bytes) -> None:
        with pytest.raises(RepositoryError) as caught:
            codec.decode(data)
        assert caught.value.code == "repository.damaged"

    def test_a_newer_format_is_not_guessed_at(self) -> None:
        with pytest.raises(RepositoryError) as caught:
            codec.decode(b'{"v": 2, "value": null}')
        assert caught.value.code == "repository.newer"


def test_a_case_holds_its_picture_until_somebody_decides(reviews: SqliteReviews) -> None:
    ticket = hold(reviews)
    assert ticket == str(ID)
    (case,) = reviews.cases()
    assert (case.state, case.rules, case.people) == (CaseState.WAITING, ("pack.rule",), 1)
    np.testing.assert_array_equal(reviews.open(ticket).pixels, sample_picture())
    assert reviews.say(ticket, opinion()).state is CaseState.APPROVED
    assert reviews.open(ticket).seed == sample_generated(sample_picture()).seed
    reviews.released(ticket)
    assert reviews.case(ticket).state is CaseState.RELEASED
    with pytest.raises(ReviewError, match="released"):
        reviews.open(ticket)


def test_one_rejection_ends_a_case_and_erases_it(reviews: SqliteReviews, tmp_path: Path) -> None:
    ticket = hold(reviews, people=2)
    sealed_before = (tmp_path / "state" / "reviews.sqlite").read_bytes()
    assert len(sealed_before) > 10_000
    assert reviews.say(ticket, opinion(approves=False)).state is CaseState.REJECTED
    with pytest.raises(ReviewError):
        reviews.open(ticket)
    with pytest.raises(ReviewError, match="rejected"):
        reviews.say(ticket, opinion("Bob"))


def test_nothing_readable_is_on_the_disk(reviews: SqliteReviews, tmp_path: Path) -> None:
    held = sample_generated(sample_picture())
    hold(reviews)
    on_disk = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert held.admitted.request.prompt.encode() not in on_disk
    assert b"IHDR" not in on_disk
    assert sample_picture().tobytes()[:300] not in on_disk


def test_two_people_means_two_different_ones(reviews: SqliteReviews) -> None:
    ticket = hold(reviews, people=2)
    assert reviews.say(ticket, opinion("Ada Lovelace")).state is CaseState.WAITING
    with pytest.raises(ReviewError) as caught:
        reviews.say(ticket, opinion("  ada  LOVELACE "))
    assert caught.value.code == "review.twice"
    assert reviews.say(ticket, opinion("Bob")).state is CaseState.APPROVED
    assert [each.reviewer for each in reviews.case(ticket).approvals] == ["Ada Lovelace", "Bob"]


def test_only_the_roles_that_are_asked_for_may_approve(reviews: SqliteReviews) -> None:
    ticket = hold(reviews, roles=("legal",))
    with pytest.raises(ReviewError, match="for legal"):
        reviews.say(ticket, opinion(role="art"))
    assert reviews.say(ticket, opinion(role="legal")).state is CaseState.APPROVED


@pytest.mark.parametrize(("reviewer", "reason", "code"), [
    ("", "fine", "review.nameless"),
    ("A\x00B", "fine", "review.nameless"),
    ("Ada", "  ", "review.reasonless"),
    ("Ada", "x" * 3000, "review.reasonless"),
])  # fmt: skip
def test_a_review_has_a_name_and_a_reason(reviews: SqliteReviews, reviewer: str, reason: str, code: str) -> None:
    ticket = hold(reviews)
    with pytest.raises(ReviewError) as caught:
        reviews.say(ticket, opinion(reviewer, reason=reason))
    assert caught.value.code == code
    assert reviews.case(ticket).state is CaseState.WAITING


def test_a_case_expires_and_is_erased(reviews: SqliteReviews, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = hold(reviews)
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=queue.DEFAULT_DAYS + 1)
    monkeypatch.setattr(queue, "now", lambda: later)
    assert reviews.case(ticket).state is CaseState.EXPIRED
    with pytest.raises(ReviewError, match="expired"):
        reviews.open(ticket)


def test_of_two_people_at_the_same_moment_one_is_told(reviews: SqliteReviews, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = hold(reviews, people=3)
    stale = reviews.case(ticket)
    reviews.say(ticket, opinion("Ada"))
    monkeypatch.setattr(reviews, "case", lambda _: stale)
    with pytest.raises(ReviewError, match="same moment"):
        reviews.say(ticket, opinion("Bob"))


def test_an_unknown_ticket_is_named(reviews: SqliteReviews) -> None:
    with pytest.raises(ReviewError, match="no case 'beef'"):
        reviews.case("beef")
    assert reviews.cases() == ()


@pytest.mark.parametrize("options", [{"days": 0}, {"days": True}, {"weeks": 1}])
def test_wrong_options_are_refused(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(ReviewError, match="days"):
        SqliteReviews.configure(Places(state=tmp_path, cache=tmp_path), options)
