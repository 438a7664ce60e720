from __future__ import annotations

import json
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdsafe.core.canonical import canonical_digest, canonical_json

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4),
    max_leaves=12,
)


@given(_VALUES)
def test_parses_back_to_the_same_value(value: object) -> None:
    assert json.loads(canonical_json(value)) == json.loads(json.dumps(value))


def test_key_order_and_container_type_do_not_matter() -> None:
    left = {"b": [1, 2], "a": "ä"}
    right = MappingProxyType({"a": "ä", "b": (1, 2)})
    assert canonical_json(left) == canonical_json(right) == '{"a":"ä","b":[1,2]}'.encode()
    assert canonical_digest(left) == canonical_digest(right)


@pytest.mark.parametrize("value", [0.5, {"a": float("nan")}, [1, {"b": [2.0]}], {1: "x"}, b"bytes", object()])
def test_refuses_what_has_no_single_encoding(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


def test_names_where_the_value_is() -> None:
    with pytest.raises(TypeError, match=r"\$\.a\[1\]"):
        canonical_json({"a": [1, 0.5]})
