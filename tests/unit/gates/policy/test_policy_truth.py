"""Trying out whether a condition can be true: against conditions whose answer is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sdsafe.gates.policy.truth import Truth, samples, truth_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Facts = Mapping[str, object]

A, B = {"found.a": "bool"}, {"found.a": "bool", "found.b": "bool"}


def known(facts: Facts, *names: str) -> bool:
    return all(name in facts for name in names)


@pytest.mark.parametrize(
    ("expression", "types", "answer", "truth"),
    [
        ("true", {}, lambda facts: True, Truth.ALWAYS),
        ("1 > 2", {}, lambda facts: False, Truth.NEVER),
        ("found.a", A, lambda facts: facts.get("found.a"), Truth.SOMETIMES),
        ("found.a && !found.a", A, lambda facts: False if known(facts, "found.a") else None, Truth.NEVER),
        ("has(found.a) || !has(found.a)", A, lambda facts: True, Truth.ALWAYS),
        (
            "found.a || !found.a",
            A,
            lambda facts: True if known(facts, "found.a") else None,
            Truth.SOMETIMES,  # a fact that is missing is an error, not a no
        ),
        (
            "score.n >= 0.5 && score.n < 0.5",
            {"score.n": "double"},
            lambda facts: 0.5 <= facts["score.n"] < 0.5 if known(facts, "score.n") else None,  # type: ignore[operator]
            Truth.NEVER,
        ),
        (
            "score.n > 0.5 && score.n < 0.6",
            {"score.n": "double"},
            lambda facts: 0.5 < facts["score.n"] < 0.6 if known(facts, "score.n") else None,  # type: ignore[operator]
            Truth.SOMETIMES,
        ),
        (
            "request.width > 512 && request.width < 513",
            {"request.width": "int"},
            lambda facts: 512 < facts["request.width"] < 513 if known(facts, "request.width") else None,  # type: ignore[operator]
            Truth.NEVER,
        ),
        (
            "use.kind == 'private' && use.kind == 'commercial'",
            {"use.kind": "string"},
            lambda facts: False if known(facts, "use.kind") else None,
            Truth.NEVER,
        ),
        (
            "'EU' in organisation.territories && !('US' in organisation.territories)",
            {"organisation.territories": "list"},
            lambda facts: (
                "EU" in facts.get("organisation.territories", ())  # type: ignore[operator]
                and "US" not in facts.get("organisation.territories", ())
            ),  # type: ignore[operator]
            Truth.SOMETIMES,
        ),
    ],
)
def test_it_says_what_is_so(
    expression: str, types: Mapping[str, str], answer: Callable[[Facts], bool | None], truth: Truth
) -> None:
    assert truth_of(expression, types, answer) is truth


def test_where_there_are_too_many_cases_nothing_is_claimed() -> None:
    types = {f"found.c{index}": "bool" for index in range(12)}
    assert truth_of(" && ".join(types), types, lambda facts: False) is Truth.UNKNOWN


def test_numbers_and_texts_of_the_expression_are_tried_and_what_lies_around_them() -> None:
    tried = list(samples('request.width >= 512 && use.kind == "a\'b"', {"request.width": "int", "use.kind": "string"}))
    assert {facts.get("request.width") for facts in tried} >= {None, 511, 512, 513}
    assert {facts.get("use.kind") for facts in tried} >= {None, "a'b", "something else"}
    assert not any(facts.get("request.width") == 1.5 for facts in tried)
    assert len(tried) == len({tuple(sorted(facts.items())) for facts in tried})


def test_a_text_that_takes_no_other_value_takes_no_other() -> None:
    types = {"use.kind": "string"}
    answer = lambda facts: facts.get("use.kind") == "comercial"  # noqa: E731 - asked twice
    assert truth_of("use.kind == 'comercial'", types, answer) is Truth.SOMETIMES
    assert truth_of("use.kind == 'comercial'", types, answer, {"use.kind": ("private", "commercial")}) is Truth.NEVER


def test_scores_end_at_one() -> None:
    assert {facts.get("score.n") for facts in samples("score.n > 2.0", {"score.n": "double"})} == {None, 0.0, 1.0}
