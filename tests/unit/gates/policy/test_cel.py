"""The door to CEL: what it answers, what it cannot answer, and what it does not let in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from sdsafe.gates.policy._checked import read_checked
from sdsafe.gates.policy.cel import MAX_EXPRESSION, ConditionError, Door, facts_named

if TYPE_CHECKING:
    from collections.abc import Mapping

FACTS = {
    "found.rain": "bool",
    "found.snow": "bool",
    "score.gore": "double",
    "request.prompt": "string",
    "request.width": "int",
    "licence.ids": "list",
}
ALL: Mapping[str, object] = {
    "found.rain": True,
    "found.snow": False,
    "score.gore": 0.5,
    "request.prompt": "a red boat",
    "request.width": 512,
    "licence.ids": ("a", "b"),
}


@pytest.fixture(scope="module")
def door() -> Door:
    return Door(FACTS)


def ask(door: Door, expression: str, facts: Mapping[str, object]) -> bool | None:
    condition = door.compile(expression)
    return condition.ask(door.activate(facts))


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("true", True),
        ("found.rain", True),
        ("found.rain && !found.snow", True),
        ("score.gore >= 0.5 && score.gore < 0.51", True),
        ("request.width > 512", False),
        ("request.width in [256, 512]", True),
        ("'a' in licence.ids", True),
        ("licence.ids.exists(each, each.startsWith('b'))", True),
        ("licence.ids.all(each, each == 'a')", False),
        ('request.prompt.contains("boat")', True),
        ("size(licence.ids) == 2 && licence.ids[1] == 'b'", True),
        ("found . rain", True),
        ("found.rain ? found.snow : found.rain", False),
        ("request.width / 2 * 2 + request.width % 2 == request.width", True),
        ("double(request.width) - 0.5 > 511.0", True),
    ],
)
def test_conditions_over_what_is_known(door: Door, expression: str, *, answer: bool) -> None:
    assert ask(door, expression, ALL) is answer


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_that_is_missing_is_unknown_and_never_false(door: Door, name: str) -> None:
    plain = {"bool": "{}", "double": "{} >= 0.0", "string": "{} != 'x'", "int": "{} >= 0", "list": "size({}) > 0"}
    expression = plain[FACTS[name]].format(name)
    assert ask(door, expression, ALL) is True or name == "found.snow"
    rest = {each: value for each, value in ALL.items() if each != name}
    assert ask(door, expression, rest) is None
    assert ask(door, f"!({expression})", rest) is None
    assert ask(door, f"has({name})", rest) is False
    assert ask(door, f"has({name})", ALL) is True
    assert ask(door, f"has({name}) && {expression}", rest) is False


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("found.rain || true", True),
        ("true || found.rain", True),
        ("found.rain || false", None),
        ("false && found.rain", False),
        ("found.rain && false", False),
        ("found.rain && true", None),
        ("!found.rain", None),
        ("found.rain ? true : true", None),
        ("true ? true : found.rain", True),
        ("found.rain == found.rain", None),
        ("['x'].exists(e, found.rain)", None),
        ("['x'].all(e, found.rain || e == 'x')", True),
    ],
)
def test_logic_has_three_values(door: Door, expression: str, *, answer: bool | None) -> None:
    assert ask(door, expression, {}) is answer


@pytest.mark.parametrize(
    "expression",
    [
        "request.width / 0 == 1",
        "request.width % 0 == 1",
        "request.width * 9223372036854775807 > 0",
        "licence.ids[2] == 'c'",
        "licence.ids[-1] == 'b'",
    ],
)
def test_what_cannot_be_computed_is_unknown_and_no_value_that_is_true(door: Door, expression: str) -> None:
    assert ask(door, expression, ALL) is None
    assert ask(door, f"!({expression})", ALL) is None


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("found.rain", "yes"),
        ("found.rain", 1),
        ("request.width > 0", 10**30),
        ("request.width > 0", 1.5),
        ("request.width > 0", True),
        ("request.width > 0", "512"),
        ("score.gore < 0.5", float("nan")),
        ("score.gore < 0.5", float("inf")),
        ("score.gore < 0.5", "0.1"),
        ("request.prompt == ''", None),
        ("request.prompt.contains('boat')", "red\0boat"),  # the library would read "red"
        ("request.prompt.contains('boat')", "boat\ud800"),  # the library would raise
        ("'a' in licence.ids", ["a", 1]),
        ("'a' in licence.ids", "a"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_unknown(door: Door, expression: str, value: object) -> None:
    name = door.compile(expression).names[0]
    facts = {**ALL, name: value}
    assert ask(door, expression, facts) is None
    assert ask(door, f"!({expression})", facts) is None
    assert ask(door, f"has({name})", facts) is None
    assert ask(door, "found.snow" if name == "found.rain" else "found.rain", facts) is (name != "found.rain")


def test_what_may_still_come_is_not_said_to_be_missing(door: Door) -> None:
    condition = door.compile("has(score.gore)")
    assert condition.ask(door.activate({})) is False
    assert condition.ask(door.activate({}, coming=lambda name: name.startswith("score."))) is None
    assert condition.ask(door.activate({}, coming=lambda name: name.startswith("use."))) is False


def test_texts_are_not_taken_for_code(door: Door) -> None:
    condition = door.compile('request.prompt == \'has(found.rain)\' || request.prompt == "a \\" found.snow"')
    assert condition.names == ("request.prompt",)
    assert condition.ask(door.activate({"request.prompt": "has(found.rain)"})) is True
    assert condition.ask(door.activate({"request.prompt": 'a " found.snow'})) is True
    assert condition.ask(door.activate({"request.prompt": "known__.found.rain"})) is False


@pytest.mark.parametrize(
    ("expression", "expected", "found"),
    [
        ("found.rian", "did you mean found.rain?", "'found.rian'"),
        ("has(found.rian)", "did you mean found.rain?", "'found.rian'"),
        ("found", "a fact that is known at this stage", "'found'"),
        ("weather == 'x'", "(found.*, score.*, request.*, licence.*)", "'weather'"),
        ("found.rain.x", "a condition in CEL", "'bool'"),
        ("found.rain == 1", "operands that fit together", "bool, int"),
        ("request.width == 'a'", "operands that fit together", "int, string"),
        ("score.gore >= 1", "write a whole number beside a double as 1.0", "double, int"),
        ("request.width in ['a']", "operands that fit together", "int, list(string)"),
        ("request.width in [1, 'a']", "lists of one of them", "another type"),
        ("request.prompt == null", "operands that fit together", "null"),
        ("request.prompt in {'a': true}", "nothing but", "in_map"),
        ("found.rain ? 1 : 2", "true or false", "INT"),
        ("request.prompt", "true or false", "STRING"),
        ("dyn(request.width) == 'a'", "nothing but", "dyn"),
        ("type(request.width) == int", "nothing but", "type"),
        ("int(request.prompt) == 1", "nothing but", "string_to_int64"),
        ("double('nan') > score.gore", "nothing but", "string_to_double"),
        ("score.gore / 0.0 > 1.0", "nothing but", "divide_double"),
        ("timestamp(request.prompt) == timestamp('x')", "nothing but", "timestamp"),
        ("google.protobuf.BoolValue{value: true} && found.rain", "lists of one of them", "another type"),
        ("found.rain && licence.ids == licence.ids + ['a']", "nothing but", "add_list"),
        ("true || true", "asks about a fact, or the word true", "'true || true'"),
        ("false", "asks about a fact, or the word true", "'false'"),
        ("1 < 2", "asks about a fact, or the word true", "'1 < 2'"),
        ("", "a condition in CEL", "<EOF>"),
        ("found.rain &&", "a condition in CEL", "Syntax error"),
        ("found.rain \ud800", "text", "characters that no text may hold"),
        ("found.rain " + "|| found.rain" * 200, f"at most {MAX_EXPRESSION} characters", "26"),
        ("(" * 300 + "found.rain" + ")" * 300, "a condition in CEL", "recursion limit"),
        ("licence.ids.map(e, e) == licence.ids", "without", "map"),
        ("licence.ids.\n filter (e, true) == licence.ids", "without", "filter"),
        ("licence.ids.exists_one(e, true)", "without", "exists_one"),
        ("request.prompt.matches('(a+)+$')", "without", "matches"),
        ("matches(request.prompt, '(a+)+$')", "without", "matches"),
        (" || ".join(["licence.ids.exists(e, e == 'a')"] * 3), "at most 2 of exists and all", "3"),
        ("has(found)", "has() around the name of one fact", "something else"),
        ("has(licence.ids[0])", "has() around the name of one fact", "something else"),
        ("known__.found.rain", "has(FACT)", "known__"),
        (".found.rain || found.snow", "facts by their plain names", "found.rain"),
        ("found.rain // it's so", "no comment", "//"),
        ("r'\\' == request.prompt || has(found.rain)", "plain quotes", "r'"),
        ("'''a'b''' == request.prompt", "plain quotes", "'''"),
        ("bytes(request.prompt) == b'x'", "plain quotes", "b'x'"),
    ],
)
def test_what_is_no_condition_is_refused_with_expected_and_found(
    door: Door, expression: str, expected: str, found: str
) -> None:
    with pytest.raises(ConditionError) as caught:
        door.compile(expression)
    assert expected in caught.value.expected
    assert found in caught.value.found
    assert len(caught.value.found) < 250


def test_the_longest_condition_over_long_lists_ends_soon(door: Door) -> None:
    words = ", ".join(f"'{n}'" for n in range(200))
    expression = f"[{words}].all(a, licence.ids.all(b, a != b))"
    started = time.perf_counter()
    assert ask(door, expression, {"licence.ids": tuple(f"x{n}" for n in range(300))}) in {True, None}
    assert time.perf_counter() - started < 2


def test_the_facts_that_are_named_in_order_each_once() -> None:
    text = "request . width > 1 && found.rain || 'found.snow' == request.prompt || has(found.rain) && other.rain"
    assert facts_named(text, FACTS) == ("request.width", "found.rain", "request.prompt")


@pytest.mark.parametrize(
    "data", [b"", b"\x0a\x01x", b"\xff", b"\x0a\xff\xff", b"\x12\x00", b"\x0b", b"\x08\x01\x12\x02\x12\x01"]
)
def test_bytes_that_are_no_checked_expression_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"expression|field|number"):
        read_checked(data)
