"""A document may hold anything anywhere: what is asked for comes out, or something empty of its kind."""

from __future__ import annotations

import pytest

from sdsafe._internal.shapes import mapping, mappings, text

STRANGE = (None, 0, 1.5, True, b"bytes", object(), float("nan"))


def test_what_is_of_the_kind_comes_out_as_it_is() -> None:
    given = {"a": 1}
    assert text("words") == "words"
    assert mapping(given) is given
    assert mappings([given, {}]) == mappings((given, {})) == [given, {}]


@pytest.mark.parametrize("value", STRANGE)
def test_anything_else_is_empty(value: object) -> None:
    assert text(value) == ""
    assert mapping(value) == {}
    assert mappings(value) == []


def test_the_kinds_are_not_taken_for_each_other() -> None:
    assert text({"a": 1}) == text(["a"]) == ""
    assert mapping([("a", 1)]) == mapping("a") == {}
    assert mappings("ab") == mappings({"a": {}}) == []
    assert mappings([{"a": 1}, "b", None, [{}]]) == [{"a": 1}]
