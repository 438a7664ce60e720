from __future__ import annotations

import functools
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.core.findings import Box, CheckStatus, Finding, Severity, Span, Stage
from sdsafe.gates.guard import run_output_check, run_prompt_check
from sdsafe.gates.isolation import IsolatedCheck
from sdsafe.testing.misbehaving import MisbehavingCheck
from sdsafe.testing.samples import sample_generated, sample_picture

if TYPE_CHECKING:
    from collections.abc import Iterator

GENERATED = sample_generated(sample_picture())


@pytest.fixture
def isolated(request: pytest.FixtureRequest) -> Iterator[Any]:
    made: list[IsolatedCheck] = []

    def make(kind: str, deadline: float = 20) -> IsolatedCheck:
        check = IsolatedCheck(functools.partial(MisbehavingCheck, kind), name="fake", deadline=deadline)
        made.append(check)
        return check

    yield make
    for each in made:
        each.close()


def test_findings_come_back_as_they_were(isolated: Any) -> None:
    (finding,) = isolated("finds").check(GENERATED)
    assert finding == Finding(
        code="output.score",
        severity=Severity.INFORMATIONAL,
        stage=Stage.OUTPUT,
        source="fake",
        source_version="1",
        category="nudity",
        score=0.25,
        box=Box(left=1, top=2, right=3, bottom=4),
        span=Span(field="prompt", start=0, end=2),
        explanation="seen",
        data={"views": 1},
    )


@pytest.mark.parametrize(
    ("kind", "status", "says"),
    [
        ("raises", CheckStatus.ERROR, "RuntimeError"),
        ("nan", CheckStatus.ERROR, "score outside"),
        ("nothing", CheckStatus.ERROR, "no findings"),
        ("junk", CheckStatus.ERROR, "RuntimeError"),
        ("unavailable", CheckStatus.UNAVAILABLE, "weights are missing"),
        ("dies", CheckStatus.ERROR, "RuntimeError"),
        ("cannot-be-made", CheckStatus.UNAVAILABLE, "could not be made"),
    ],
)
def test_what_a_check_does_wrong_becomes_a_status(isolated: Any, kind: str, status: CheckStatus, says: str) -> None:
    result = run_output_check(isolated(kind), GENERATED)
    assert (result.status, result.findings) == (status, ())
    assert says in result.detail


def test_a_check_that_hangs_is_killed_at_its_deadline_and_the_next_question_is_answered_again(isolated: Any) -> None:
    check = isolated("hangs", deadline=1)
    started = time.monotonic()
    first = run_output_check(check, GENERATED)
    assert (first.status, first.detail) == (CheckStatus.ERROR, "TimeoutError")
    assert time.monotonic() - started < 60
    assert run_output_check(isolated("finds"), GENERATED).status is CheckStatus.OK


def test_it_runs_in_another_process_which_ends_with_it(isolated: Any) -> None:
    check = isolated("pid")
    (finding,) = check.check(GENERATED)
    pid = int(finding.explanation)
    assert pid != os.getpid()
    check.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_texts_of_a_request_can_be_asked_about_too(isolated: Any) -> None:
    assert run_prompt_check(isolated("finds"), GENERATED.admitted.request).status is CheckStatus.OK
