"""The private record holds all that the manifest need not show, and shows none of it by accident."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sdsafe.errors import RepositoryError
from sdsafe.records.repository.record import FORMAT, parse, record_of, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.states import Signed

WHEN = "2026-11-22T07:00:00Z"


def test_everything_private_is_in_it(make_signed: Callable[..., Signed]) -> None:
    record = record_of(make_signed(3), WHEN)
    assert record.texts == {"prompt": "a quokka on a zeppelin", "negative_prompt": "marzipan"}
    assert record.salt == bytes(range(32))
    assert (record.seed, record.disclosure, record.recorded_at) == (3, "full", WHEN)
    assert record.parameters["size"] == {"width": 64, "height": 64}
    assert record.parameters["parameters"] == {"eta": 0.5, "clip_skip": 1}
    assert record.parameters["model"]["files"] == [{"name": "unet", "size": 1, "sha256": "cd" * 32}]
    assert record.parameters["task"] == "generate"
    assert "prompt" not in record.parameters
    assert record.execution["libraries"] == {"torch": "2.13.0"}
    (check,) = record.decisions["prompt"]["checks"]
    assert check["findings"][0]["data"] == {"term": "quokka"}
    assert check["findings"][0]["span"] == {"field": "prompt", "start": 2, "end": 8}
    assert record.decisions["prompt"]["decision"]["effect"] == "annotate"
    assert record.decisions["output"]["unchecked"] is False


def test_it_round_trips_whatever_the_prompt_holds(make_signed: Callable[..., Signed]) -> None:
    record = record_of(make_signed(), WHEN)
    for text in ("", "\0\n\N{RIGHT-TO-LEFT OVERRIDE}", "\ud800 alone", '"}{', "\N{GRINNING FACE}" * 1000):
        changed = replace(record, texts={"prompt": text})
        assert parse(render(changed)) == changed


def test_its_repr_shows_nothing_private(make_signed: Callable[..., Signed]) -> None:
    shown = repr(record_of(make_signed(), WHEN))
    assert not [word for word in ("quokka", "zeppelin", "marzipan", "\\x01\\x02") if word in shown]


def test_what_json_cannot_hold_is_refused_without_repeating_it(make_signed: Callable[..., Signed]) -> None:
    record = record_of(make_signed(), WHEN)
    for value in (float("nan"), float("inf"), object(), {"quokka"}):
        with pytest.raises(RepositoryError) as caught:
            render(replace(record, parameters={"eta": value}))
        assert caught.value.code == "repository.unwritable-record"
        assert "quokka" not in str(caught.value)


def test_other_bytes_and_other_versions_are_told_apart(make_signed: Callable[..., Signed]) -> None:
    document = json.loads(render(record_of(make_signed(), WHEN)))
    for data, code in (
        (b"", "repository.damaged"),
        (b"[]", "repository.damaged"),
        (b"{}", "repository.damaged"),
        (b"\xff", "repository.damaged"),
        (json.dumps(document | {"salt": "no hex"}).encode(), "repository.damaged"),
        (json.dumps(document | {"more": 1}).encode(), "repository.damaged"),
        (json.dumps({"v": FORMAT + 1}).encode(), "repository.newer"),
    ):
        with pytest.raises(RepositoryError) as caught:
            parse(data)
        assert caught.value.code == code
