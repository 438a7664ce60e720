"""Rules in plain words."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from sdsafe.core.findings import Stage
from sdsafe.errors import RequestError
from sdsafe.gates.policy.explain import _FACTS, explain
from sdsafe.gates.policy.facts import category_of, declared
from sdsafe.gates.policy.loader import available_packs, load_policies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("name", available_packs())
def test_every_fact_that_a_shipped_rule_reads_has_words(name: str) -> None:
    policies = load_policies([name])
    for rule in policies.packs[-1].pack.rules:
        (each,) = explain(policies, f"{name}.{rule.id}")
        assert all(fact.says for fact in each.reads), each.reads
        assert all(getattr(each, item.name) is not None for item in fields(each))


def test_every_fact_that_a_rule_may_read_has_words() -> None:
    known = {name for name in declared(Stage.EXPORT, {}) if category_of(name) is None}
    assert set(_FACTS) == known


def test_a_rule_of_several_packs_is_told_for_each(write_pack: Callable[..., Path]) -> None:
    root = write_pack("house")
    write_pack("garden")
    both = load_policies(["house", "garden"], [root])
    assert [each.policy.id for each in explain(both, "no-rain")] == ["house", "garden"]
    (only,) = explain(both, "garden.no-rain")
    assert (
        only.reads[0].says
        == "whether a term of rain stands in the texts of the request: 2 spellings, listed by house, garden"
    )
    assert only.effect == "deny"
    assert "refuses" in only.if_unknown


def test_an_unknown_rule_names_what_is_close(write_pack: Callable[..., Path]) -> None:
    policies = load_policies(["house"], [write_pack("house")])
    with pytest.raises(RequestError, match="no rule 'no-rian'") as caught:
        explain(policies, "no-rian")
    assert caught.value.hint == "Did you mean house.no-rain?"
    with pytest.raises(RequestError) as caught:
        explain(policies, "gardn.no-rain")
    assert "house.no-rain" in caught.value.hint
    with pytest.raises(RequestError) as caught:
        explain(policies, "something-else")
    assert "--policy" in caught.value.hint
