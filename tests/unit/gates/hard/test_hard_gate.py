"""The hard layer on the way of a request: what the caller gets, what is kept, what it cannot be talked out of."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.core.decisions import Decision, Effect, PolicyRef
from sdsafe.core.findings import CheckResult, CheckStatus, Finding, Severity, Span, Stage
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.core.states import Recorded, Refused
from sdsafe.errors import RepositoryError
from sdsafe.gates.hard.composition import HardCategory, check_digest, check_version, composed
from sdsafe.gates.hard.incidents import Incidents
from sdsafe.pipeline import Parts, Pipeline, UnsafeNoOutputCheck
from sdsafe.testing.fakes import FakeGenerator, FakeOutputCheck, FakePromptCheck, LsbWatermarker
from sdsafe.testing.pipeline import fake_parts

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.core.states import Generated

AGE, SEXUAL, PERSON = "__age_test__", "__sexual_test__", "__person_test__"
BOTH = f"{AGE} quokka {SEXUAL}"
WAVES = GenerationRequest(prompt="waves", seed=7, size=Size(width=256, height=256), steps=2)
ALLOW = Decision(effect=Effect.ALLOW, policy=(PolicyRef(id="yes", version="1", digest="0" * 64),))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = tmp_path_factory.mktemp("hard")
    return fake_parts(Places(state=folder / "state", cache=folder / "cache"), watermarker=LsbWatermarker())


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(state=tmp_path / "state", cache=tmp_path / "cache")


@pytest.fixture
def parts(shared: Parts, places: Places) -> Parts:
    return replace(shared, incidents=Incidents(places))


class Permissive:
    """A policy that allows everything."""

    refs = ALLOW.policy

    def judge(self, *_: object) -> Decision:
        return ALLOW

    def preview(self, *_: object) -> Decision:
        return ALLOW


@dataclass
class Keeping(FakeGenerator):
    """A generator that keeps what it made."""

    def __post_init__(self) -> None:
        super().__init__()
        self.made: list[Generated] = []

    def generate(self, *how: Any) -> Any:
        for generated in super().generate(*how):
            self.made.append(generated)
            yield generated


def run(parts: Parts, prompt: str, **fields: Any) -> Any:
    return Pipeline(parts).run(replace(WAVES, prompt=prompt, **fields))


def test_a_refusal_tells_the_category_and_nothing_of_the_text(parts: Parts) -> None:
    (outcome,) = run(parts, BOTH)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.stage) == ("hard.minor_sexual", Stage.PROMPT)
    assert (outcome.checks, outcome.seed, outcome.asset_id) == ((), None, None)
    (rule,) = outcome.decision.fired
    assert (rule.policy, rule.effect, rule.findings) == ("hard", Effect.DENY, ())
    assert outcome.decision.policy == (PolicyRef(id="hard", version=check_version(), digest=check_digest()),)
    assert not any(word in repr(outcome) for word in (AGE, SEXUAL, "quokka"))


def test_it_comes_before_every_check(parts: Parts) -> None:
    class Untouchable(FakePromptCheck):
        def check(self, _request: GenerationRequest, /) -> Any:
            pytest.fail("a check was asked first")

    (outcome,) = run(replace(parts, prompt_checks=(Untouchable(),)), BOTH)
    assert outcome.reason == "hard.minor_sexual"


@pytest.mark.parametrize(("words", "category"), [(AGE, "minor_sexual"), (PERSON, "nonconsensual_intimate")])
def test_no_policy_no_flag_and_no_empty_hand_lowers_it(parts: Parts, words: str, category: str) -> None:
    lowered = replace(
        parts,
        policy=Permissive(),
        prompt_checks=(FakePromptCheck(),),
        output_checks=UnsafeNoOutputCheck(),
        incidents=None,
    )
    (outcome,) = run(lowered, f"{words} {SEXUAL}")
    assert outcome.reason == f"hard.{category}"
    (outcome,) = run(lowered, words)
    assert isinstance(outcome, Recorded)


@pytest.mark.parametrize("term", ["hard", "hard.minor_sexual", "composition"])
def test_nothing_in_settings_or_entry_points_names_it(term: str, repository_root: Path) -> None:
    from dataclasses import fields

    from sdsafe.settings import Settings

    assert not any("hard" in item.name or "incident" in item.name for item in fields(Settings))
    assert f'"sdsafe.gates.{term}' not in (repository_root / "pyproject.toml").read_text().split("[tool")[0]


def test_findings_of_checks_add_to_what_is_read(parts: Parts) -> None:
    checks = (FakePromptCheck(category="__sexual_test__", terms=("quokka",)),)
    (outcome,) = run(replace(parts, prompt_checks=checks), f"{AGE} quokka")
    assert outcome.reason == "hard.minor_sexual"
    assert outcome.checks == ()
    (outcome,) = run(replace(parts, prompt_checks=checks, policy=Permissive()), "quokka")
    assert isinstance(outcome, Recorded)


def test_findings_in_the_negative_prompt_do_not_count() -> None:
    request = GenerationRequest(prompt=AGE, negative_prompt="quokka")
    results = [_result("__sexual_test__", span=Span(field="negative_prompt", start=0, end=6))]
    assert composed(request, results) is None
    assert composed(request, [_result("__sexual_test__")]) is HardCategory.MINOR_SEXUAL


@pytest.mark.parametrize(("score", "refused"), [(0.0, False), (0.49, False), (0.5, True), (1.0, True), (None, True)])
@pytest.mark.parametrize(
    ("prompt", "category"), [("schoolboy on a bicycle", "nudity"), (SEXUAL, "apparent_minor"), (PERSON, "nudity")]
)
def test_text_and_picture_compose(score: float | None, refused: bool, prompt: str, category: str) -> None:
    assert (composed(GenerationRequest(prompt=prompt), [_result(category, score)]) is not None) is refused


def test_two_scores_compose() -> None:
    results = [_result("apparent_minor", 0.7), _result("nudity", 0.7)]
    assert composed(WAVES, results) is HardCategory.MINOR_SEXUAL
    assert composed(WAVES, results[:1]) is None
    assert composed(WAVES, results[1:]) is None


def test_a_picture_is_erased_and_no_more_of_it_is_made(parts: Parts) -> None:
    generator = Keeping()
    checks = (
        FakeOutputCheck(category="apparent_minor", score=0.9),
        FakeOutputCheck(name="b", category="nudity", score=0.6),
    )
    picky = replace(parts, generator=generator, policy=Permissive(), output_checks=checks)
    outcomes = run(picky, "waves", count=3)
    assert [outcome.reason for outcome in outcomes] == ["hard.minor_sexual"] * 3
    assert all((o.stage, o.seed, o.asset_id, o.checks) == (Stage.OUTPUT, None, None, ()) for o in outcomes)
    (made,) = generator.made
    assert not made.pixels.any()
    assert parts.incidents is not None
    assert len(parts.incidents.entries()) == 1


def test_an_incident_is_an_id_a_category_a_version_and_a_keyed_digest(parts: Parts, places: Places) -> None:
    for prompt in (BOTH, BOTH, BOTH + " two"):
        (outcome,) = run(parts, prompt)
        assert parts.incidents is not None
        last = parts.incidents.entries()[-1]
        assert last.id in outcome.message
        assert (last.category, last.version) == ("minor_sexual", check_version())
    first, same, other = parts.incidents.entries()
    assert first.digest == same.digest != other.digest
    assert len(first.digest) == 32
    assert len({first.id, same.id, other.id}) == 3
    kept = b"".join(path.read_bytes() for path in places.state.rglob("*") if path.is_file())
    assert not any(word in kept for word in (b"age_test", b"sexual_test", b"quokka"))


def test_the_digest_depends_on_the_key_of_the_state_folder(tmp_path: Path) -> None:
    digests = set()
    for name in ("a", "b"):
        log = Incidents(Places(state=tmp_path / name, cache=tmp_path))
        digests.add(log.append(Incidents.mint_id(), "minor_sexual", "1", [("prompt", "waves")]).digest)
        key = tmp_path / name / "incidents" / "digest.key"
        assert key.stat().st_mode & 0o077 == 0
    assert len(digests) == 2


def test_fields_do_not_run_into_each_other(places: Places) -> None:
    log = Incidents(places)
    pairs = ([("a", "bc")], [("ab", "c")], [("a", "b"), ("c", "")], [("a", "\ud800")])
    assert len({log.append(Incidents.mint_id(), "c", "1", texts).digest for texts in pairs}) == len(pairs)


@pytest.mark.parametrize("statement", ["UPDATE incidents SET category = 'x'", "DELETE FROM incidents"])
def test_the_log_only_grows(places: Places, statement: str) -> None:
    log = Incidents(places)
    log.append("one", "c", "1", [])
    with sqlite3.connect(places.state / "incidents" / "incidents.sqlite") as connection:
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            connection.execute(statement)
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            connection.execute("INSERT OR REPLACE INTO incidents VALUES (1, 'two', 'c', '1', x'00')")
    connection.close()
    assert [each.id for each in log.entries()] == ["one"]


def test_an_empty_state_folder_has_no_incidents_and_gets_no_file(places: Places) -> None:
    assert Incidents(places).entries() == ()
    assert not places.state.exists()


def test_a_log_that_cannot_be_written_does_not_let_anything_pass(
    parts: Parts, places: Places, caplog: pytest.LogCaptureFixture
) -> None:
    places.state.mkdir()
    (places.state / "incidents").write_text("in the way")
    with pytest.raises(RepositoryError, match="key"):
        Incidents(places).append("x", "c", "1", [])
    (outcome,) = run(parts, BOTH)
    assert outcome.reason == "hard.minor_sexual"
    assert "could not be noted (incident-log.key)" in caplog.text
    assert "quokka" not in caplog.text


def test_the_whole_request_is_refused_with_one_incident(parts: Parts) -> None:
    outcomes = run(parts, BOTH, count=4)
    assert len(outcomes) == 4
    assert len({outcome.message for outcome in outcomes}) == 1
    assert parts.incidents is not None
    assert len(parts.incidents.entries()) == 1


def _result(category: str, score: float | None = None, span: Span | None = None) -> CheckResult:
    finding = Finding(
        code="x", severity=Severity.INFORMATIONAL, stage=Stage.OUTPUT, source="x", source_version="1",
        category=category, score=score, span=span,
    )  # fmt: skip
    return CheckResult(check="x", version="1", status=CheckStatus.OK, stage=Stage.OUTPUT, findings=(finding,))
