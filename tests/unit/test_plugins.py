from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import TYPE_CHECKING, Self

import pytest

from sdsafe import plugins
from sdsafe.core.places import Places
from sdsafe.errors import MissingExtraError, PluginError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

GROUP = "sdsafe.fingerprinters"


class Good:
    alg, threshold = "good", 0.1

    def __init__(self, *, strength: int = 1) -> None:
        self.strength = strength

    def compute(self, image: object, /) -> bytes:
        return b""

    def distance(self, a: bytes, b: bytes, /) -> float:
        return 0.0


class Configured(Good):
    places: Places

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        made = cls()
        made.places = places
        return made


class Hollow:
    alg = "hollow"


class Explosive(Good):
    def __init__(self) -> None:
        raise RuntimeError("secret path /home/x")


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    table: dict[str, str] = {}
    module = ModuleType("plugin_under_test")
    for item in (Good, Configured, Hollow, Explosive):
        setattr(module, item.__name__, item)
    monkeypatch.setitem(sys.modules, "plugin_under_test", module)

    def fake(*, group: str) -> list[EntryPoint]:
        return [EntryPoint(name.split("#")[0], value, group) for name, value in table.items() if group == GROUP]

    monkeypatch.setattr(plugins, "entry_points", fake)
    return table


def test_a_class_without_arguments_is_enough(register: dict[str, str]) -> None:
    register["good"] = "plugin_under_test:Good"
    assert plugins.load(GROUP, "good").strength == 1
    assert plugins.load(GROUP, "good", options={"strength": 3}).strength == 3


def test_a_configurable_class_is_told_the_places(register: dict[str, str], tmp_path: Path) -> None:
    register["c"] = "plugin_under_test:Configured"
    places = Places(state=tmp_path, cache=tmp_path)
    assert plugins.load(GROUP, "c", places).places is places
    assert plugins.load(GROUP, "c").places.state


@pytest.mark.parametrize(
    ("target", "options", "complaint"),
    [
        ("plugin_under_test:Hollow", {}, "lacks threshold, compute, distance"),
        ("plugin_under_test:Explosive", {}, "cannot be set up: RuntimeError"),
        ("plugin_under_test:Good", {"speed": 1}, "cannot be set up: TypeError"),
        ("plugin_under_test:Missing", {}, "does not import: AttributeError"),
        ("no_such_module_here:X", {}, "no module no_such_module_here"),
    ],
)
def test_a_broken_plugin_is_named_and_its_message_kept_back(
    register: dict[str, str], target: str, options: dict[str, object], complaint: str
) -> None:
    register["x"] = target
    with pytest.raises(PluginError, match=complaint) as caught:
        plugins.load(GROUP, "x", options=options)
    assert "secret" not in str(caught.value)


def test_an_optional_dependency_is_named_with_its_extra(
    register: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    register["x"] = "torch:nn"
    with pytest.raises(MissingExtraError) as caught:
        plugins.load(GROUP, "x")
    assert caught.value.hint == "pip install 'sdsafe[generate]'"


def test_an_unknown_name_lists_the_known_ones(register: dict[str, str]) -> None:
    register["good"] = "plugin_under_test:Good"
    with pytest.raises(PluginError, match="no plug-in 'nope'") as caught:
        plugins.load(GROUP, "nope")
    assert "good" in caught.value.hint


def test_an_unknown_group_is_an_error() -> None:
    with pytest.raises(PluginError, match="unknown plug-in group"):
        plugins.load("sdsafe.nonsense", "x")


def test_two_of_the_same_name_are_refused(register: dict[str, str]) -> None:
    register["x#1"] = "plugin_under_test:Good"
    register["x#2"] = "plugin_under_test:Configured"
    with pytest.raises(PluginError, match="two different plug-ins"):
        plugins.load(GROUP, "x")


def test_listing_imports_nothing() -> None:
    listed = {(info.group, info.name) for info in plugins.installed()}
    assert ("sdsafe.generators", "diffusers") in listed
    assert ("sdsafe.output_checks", "open-nsfw") in listed
