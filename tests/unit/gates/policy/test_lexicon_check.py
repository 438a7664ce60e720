from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sdsafe import plugins
from sdsafe.core.findings import CheckStatus, Finding, Stage
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest
from sdsafe.errors import ConfigurationError, PluginError
from sdsafe.gates.guard import run_prompt_check
from sdsafe.gates.policy.check import MAX_CHARACTERS, LexiconCheck
from sdsafe.gates.policy.loader import load_policies
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def check() -> LexiconCheck:
    return LexiconCheck(load_policies(["baseline"]))


def _findings(check: LexiconCheck, **texts: str) -> list[Finding]:
    return list(check.check(GenerationRequest(**{"prompt": "", **texts})))


@pytest.mark.parametrize("field", ["prompt", "prompt_2", "prompt_3", "negative_prompt"])
def test_every_text_field_is_read_and_named(check: LexiconCheck, field: str) -> None:
    (finding,) = _findings(check, **{field: "a fake passport"})
    assert (finding.category, finding.code, finding.stage) == ("forged_documents", "prompt.term", Stage.PROMPT)
    assert finding.span is not None
    assert (finding.span.field, finding.span.start, finding.span.end) == (field, 2, 15)
    assert finding.source == "lexicon"
    assert finding.source_version == check.version


def test_a_term_split_over_fields_is_seen_at_its_beginning(check: LexiconCheck) -> None:
    (finding,) = _findings(check, prompt="a fake", prompt_2="passport on a table")
    assert finding.span is not None
    assert (finding.span.field, finding.span.start, finding.span.end) == ("prompt", 2, 6)
    assert finding.data["continues"] == (("prompt_2", 0, 8),)


def test_a_negative_prompt_is_not_read_on_from_the_prompt(check: LexiconCheck) -> None:
    assert _findings(check, prompt="a fake", negative_prompt="passport") == []


def test_the_term_is_named_only_where_disclosure_rules_apply(check: LexiconCheck) -> None:
    (finding,) = _findings(check, prompt="a f4ke passport")
    assert "fake passport" in finding.explanation
    assert finding.data["term"] == "fake passport"
    rest = (finding.code, finding.category, finding.source, finding.source_version, finding.url)
    assert not any("passport" in str(each) for each in rest)


def test_hidden_writing_is_a_finding_of_its_own(check: LexiconCheck) -> None:
    (finding,) = _findings(check, prompt="a be\u200bach", prompt_2="x")
    assert finding.category == "obfuscation"
    assert finding.span is not None
    assert (finding.span.field, finding.span.start, finding.span.end) == ("prompt", 4, 5)


def test_many_findings_of_one_category_do_not_hide_another(check: LexiconCheck) -> None:
    found = _findings(check, prompt="nude " * 5000 + "fake passport")
    assert len(found) == 101
    assert {finding.category for finding in found} == {"nudity_named", "forged_documents"}


def test_a_text_too_long_to_look_at_is_not_passed(check: LexiconCheck) -> None:
    assert _findings(check, prompt="x" * MAX_CHARACTERS) == []
    with pytest.raises(Unavailable, match="200,000 characters"):
        _findings(check, prompt="x" * (MAX_CHARACTERS // 2), negative_prompt="x" * (MAX_CHARACTERS // 2 + 1))
    result = run_prompt_check(check, GenerationRequest(prompt="x" * 1_000_000))
    assert result.status is CheckStatus.UNAVAILABLE
    assert result.ms < 1000


def test_strange_texts_are_looked_at(check: LexiconCheck) -> None:
    for text in ("", "\0", "\ud800", "\u202e" * 100, "\U0010ffff", "a" * 10_000, "\n\n\n", "{}%s\\"):
        assert run_prompt_check(check, GenerationRequest(prompt=text)).status is CheckStatus.OK


class TestConfigure:
    places = Places(state=None, cache=None)  # type: ignore[arg-type]  # no place is looked at

    def test_it_is_loaded_as_a_plug_in(self, check: LexiconCheck, tmp_path: Path) -> None:
        loaded = plugins.load("sdsafe.prompt_checks", "lexicon", Places(state=tmp_path, cache=tmp_path))
        assert loaded.name == "lexicon"
        assert loaded.version == check.version

    def test_packs_are_named_by_options(self, write_pack: Callable[..., Path]) -> None:
        folder = write_pack("house")
        for folders in ([str(folder)], (folder,)):
            check = LexiconCheck.configure(self.places, {"policies": ["house"], "folders": folders})
            assert [finding.category for finding in _findings(check, prompt="umbrella")] == ["rain"]

    @pytest.mark.parametrize(
        "options", [{"pack": "x"}, {"policies": "baseline"}, {"policies": [1]}, {"folders": 3}, {"policies": None}]
    )
    def test_unknown_or_mistyped_options_are_refused(self, options: dict[str, object]) -> None:
        with pytest.raises(PluginError):
            LexiconCheck.configure(self.places, options)

    def test_no_packs_are_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="empty list"):
            LexiconCheck.configure(self.places, {"policies": []})

    def test_version_follows_the_packs(self, check: LexiconCheck, write_pack: Callable[..., Path]) -> None:
        other = LexiconCheck.configure(
            self.places, {"policies": ["baseline", "house"], "folders": [write_pack("house")]}
        )
        assert other.version != check.version
