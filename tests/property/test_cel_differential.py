"""The door to CEL against a second CEL, in Python and by other people: they answer every condition alike.

What differs is how facts get in. The door declares flat names (``request.width``) and rewrites ``has``; the other
walks nested mappings and has a ``has`` of its own. A missing fact, a division by zero or an index out of range is
unknown to the door and an error there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import celpy
import pytest
from celpy import celtypes
from celpy.adapter import json_to_cel
from celpy.evaluation import CELEvalError
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sdsafe.gates.policy.cel import Door

if TYPE_CHECKING:
    from collections.abc import Mapping

FACTS = {
    "found.a": "bool",
    "found.b": "bool",
    "found_in.prompt.a": "bool",
    "score.s": "double",
    "score.t": "double",
    "request.prompt": "string",
    "use.kind": "string",
    "request.width": "int",
    "request.inputs": "int",
    "organisation.territories": "list",
    "licence.ids": "list",
}
DOOR = Door(FACTS)
OTHER = celpy.Environment()
WORDS = ["", "a", "ab", "private", "EU", 'quote " here', "has(found.a)", "back\\slash", "// found.b", "a || b"]
INTS = [0, 1, 2, 7, 512, 1_000_000, 2**63 - 1, -(2**63) + 1]
DOUBLES = [0.0, 0.25, 0.5, 0.75, 1.0, -1.5]
VALUES: Mapping[str, st.SearchStrategy[object]] = {
    "bool": st.booleans(),
    "double": st.sampled_from(DOUBLES),
    "string": st.sampled_from(WORDS),
    "int": st.sampled_from(INTS),
    "list": st.lists(st.sampled_from(WORDS), max_size=3),
}
EVERY = {name: VALUES[kind] for name, kind in FACTS.items()}
CONTEXTS = st.one_of(st.fixed_dictionaries(EVERY), st.fixed_dictionaries({}, optional=EVERY))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _facts(kind: str) -> st.SearchStrategy[str]:
    return st.sampled_from([name for name, each in FACTS.items() if each == kind])


def _calls(template: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda each: template.format(*each))


compares = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
texts = st.one_of(_facts("string"), st.sampled_from(WORDS).map(_quoted))
# No empty list is written out: the other library fails while it words an error about one.
lists = st.one_of(_facts("list"), st.lists(texts, min_size=1, max_size=3).map(lambda each: f"[{', '.join(each)}]"))
ints = st.recursive(
    st.one_of(_facts("int"), st.sampled_from([0, 1, 2, 7, 512, 2**63 - 1]).map(str), _calls("size({})", lists)),
    lambda inner: st.one_of(
        _calls("({} {} {})", inner, st.sampled_from(["+", "-", "*", "/", "%"]), inner), _calls("-({})", inner)
    ),
    max_leaves=3,
)
doubles = st.recursive(
    st.one_of(_facts("double"), st.sampled_from(DOUBLES).map(lambda n: f"({n})"), _calls("double({})", _facts("int"))),
    lambda inner: _calls("({} {} {})", inner, st.sampled_from(["+", "-"]), inner),
    max_leaves=3,
)
leaves = st.one_of(
    _facts("bool"),
    st.sampled_from(sorted(FACTS)).map(lambda name: f"has({name})"),
    st.sampled_from(["true", "false"]),
    _calls("({} {} {})", ints, compares, ints),
    _calls("({} {} {})", doubles, compares, doubles),
    _calls("({} {} {})", texts, compares, texts),
    _calls("{}.{}({})", texts, st.sampled_from(["contains", "startsWith", "endsWith"]), texts),
    _calls("({} in {})", texts, lists),
    _calls("({}[{}] == {})", lists, st.sampled_from(["0", "1", "9"]), texts),
    _calls("({} == {})", lists, lists),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        _calls("({} {} {})", inner, st.sampled_from(["&&", "||", "==", "!="]), inner),
        _calls("({} {} {} {} {})", inner, st.just("&&"), inner, st.just("||"), inner),
        _calls("!({})", inner),
        _calls("({} ? {} : {})", inner, inner, inner),
        _calls("{}.{}(t, t == {} || {})", lists, st.sampled_from(["exists", "all"]), texts, inner),
        _calls("{}.{}(t, t.startsWith({}) && {})", lists, st.sampled_from(["exists", "all"]), texts, inner),
    ),
    max_leaves=6,
)


def _by_the_door(expression: str, facts: Mapping[str, object]) -> bool | None:
    condition = DOOR.compile(expression)
    return condition.ask(DOOR.activate(facts))


def _by_the_other(expression: str, facts: Mapping[str, object]) -> bool | None:
    nested: dict[str, dict[str, object]] = {name.split(".")[0]: {} for name in FACTS}
    nested["found_in"]["prompt"] = {}
    for name, value in facts.items():
        root, *path = name.split(".")
        place = nested[root]
        for part in path[:-1]:
            place = place[part]  # type: ignore[assignment]
        place[path[-1]] = value
    program = OTHER.program(OTHER.compile(expression))
    try:
        answer = program.evaluate({name: json_to_cel(each) for name, each in nested.items()})
    except CELEvalError:
        return None
    assert isinstance(answer, celtypes.BoolType | bool)
    return bool(answer)


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(conditions, CONTEXTS)
def test_both_answer_alike(expression: str, facts: dict[str, object]) -> None:
    bare = re.sub(r'"(\\.|[^"])*"', "", expression)
    assume(any(name in bare for name in FACTS))  # the door refuses conditions that ask nothing
    assume(expression.count(".exists(") + expression.count(".all(") <= 2)  # and more loops than two
    assume(len(expression) <= 1000)
    assert _by_the_door(expression, facts) == _by_the_other(expression, facts)


KNOWN = {"found.a": True, "request.width": 512, "organisation.territories": ["EU", "US"], "score.s": 0.5}


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("found.a", True),
        ("found.b", None),
        ("found.b || found.a", True),
        ("found.a || found.b", True),
        ("found.b && !found.a", False),
        ("found.b && found.a", None),
        ("found.b ? true : true", None),
        ("found.a ? found.a : found.b", True),
        ("found.b == found.b", None),
        ("has(found.b)", False),
        ("has(found.a) && has(found_in.prompt.a)", False),
        ("request.width / request.inputs == 1", None),
        ("request.width / 0 == 1 || found.a", True),
        ("request.width * 9223372036854775807 > 0", None),
        ("-7 / 2 == -3 && found.a", True),
        ("organisation.territories.exists(t, 1 / 0 == 1 || t == 'EU')", True),
        ("organisation.territories.all(t, t == 'EU' || found.b)", None),
        ("organisation.territories[2] == 'EU'", None),
        ("[found.b, true].exists(x, x)", None),
        ("score.s >= 0.5 && score.s < 0.5000000000000001", True),
    ],
)
def test_both_answer_as_the_specification_says(expression: str, *, answer: bool | None) -> None:
    assert _by_the_door(expression, KNOWN) is answer
    assert _by_the_other(expression, KNOWN) is answer
