"""Pictures that wait for people, and pictures in which something is hidden: packs, queue, file, ledger and record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe._internal import images
from sdsafe.core.findings import Box, Finding, Severity, Stage
from sdsafe.core.places import Places
from sdsafe.core.report import Evidence
from sdsafe.core.request import GenerationRequest, Size, Task
from sdsafe.core.reviews import CaseState, Opinion
from sdsafe.core.states import Asset, InReview, NoiseMark, Recorded, Refused
from sdsafe.errors import AssetError, ReviewError, SigningError
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import load_policies
from sdsafe.inputs import as_input
from sdsafe.pipeline import Pipeline, UnsafeNoOutputCheck
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.records.reviews.queue import SqliteReviews
from sdsafe.testing.fakes import FakeGenerator, FakeOutputCheck
from sdsafe.testing.pipeline import fake_parts
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from sdsafe.core.states import Admitted, Generated
    from sdsafe.protocols import Watch

REQUEST = GenerationRequest(prompt="zebrafinch on a wire", seed=7, size=Size(width=256, height=256), steps=2)
REVIEW = 'stage: output, when: "score.nudity >= 0.5", effect: review'
BLUR = 'stage: output, when: "score.nudity >= 0.5", effect: transform, obligations: [{code: blur}]'
FACE = Box(left=40, top=60, right=120, bottom=140)


@dataclass
class Detail:
    """Scores how much detail a part of the picture has, and says where it looked."""

    name: str = "detail"
    version: str = "1"
    box: Box | None = FACE

    def check_input(self, _image: object) -> Iterable[Finding]:
        yield Finding(
            code="input.score",
            severity=Severity.INFORMATIONAL,
            stage=Stage.INPUT,
            source=self.name,
            source_version=self.version,
            category="nudity",
            score=0.0,
        )

    def check(self, generated: Generated, /) -> Iterable[Finding]:
        part = generated.pixels[FACE.top : FACE.bottom, FACE.left : FACE.right].astype(float)
        rough = np.abs(np.diff(part, n=2, axis=1)).mean() + np.abs(np.diff(part, n=2, axis=0)).mean()
        yield Finding(
            code="output.score",
            severity=Severity.INFORMATIONAL,
            stage=Stage.OUTPUT,
            source=self.name,
            source_version=self.version,
            category="nudity",
            score=0.9 if rough > 3 else 0.0,
            box=self.box,
        )


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(state=tmp_path / "state", cache=tmp_path / "cache")


@pytest.fixture
def reviews(places: Places) -> SqliteReviews:
    return SqliteReviews(places)


@pytest.fixture
def open_with(tmp_path: Path, places: Places, reviews: SqliteReviews) -> Callable[..., Pipeline]:
    """Return a function that opens a pipeline judged by some rules, given as YAML."""

    def make(*rules: str, **others: Any) -> Pipeline:
        lines = "\n".join(f"  - {{id: r{i}, because: b, {rule}}}" for i, rule in enumerate(rules))
        folder = tmp_path / "packs" / "house"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "policy.yaml").write_text(
            f"format: sdsafe.policy/1\nid: house\nversion: 1.0.0\ntitle: t\ndescription: d\nrules:\n{lines}\n"
        )
        parts: dict[str, Any] = {
            "policy": PackPolicy(load_policies(["house"], [tmp_path / "packs"])),
            "output_checks": (FakeOutputCheck(category="nudity", score=0.7),),
            "reviews": reviews,
        }
        return Pipeline(fake_parts(places, **{**parts, **others}))

    return make


def approve(reviewer: str = "Ada", role: str = "") -> Opinion:
    return Opinion(reviewer=reviewer, approves=True, reason="harmless: a bird", at="2026-11-23T08:00:00Z", role=role)


def on_disk(folder: Path) -> Iterator[bytes]:
    return (path.read_bytes() for path in folder.rglob("*") if path.is_file())


class TestReview:
    def test_a_picture_waits_and_nothing_readable_is_on_the_disk(
        self, open_with: Callable[..., Pipeline], reviews: SqliteReviews, places: Places
    ) -> None:
        (outcome,) = open_with(REVIEW).run(REQUEST)
        assert isinstance(outcome, InReview)
        (case,) = reviews.cases()
        assert (case.ticket, case.rules, case.people) == (outcome.ticket, ("house.r0",), 1)
        pixels = reviews.open(case.ticket).pixels.tobytes()
        for data in on_disk(places.state):
            assert b"zebrafinch" not in data
            assert pixels[:200] not in data
            assert b"IHDR" not in data

    def test_after_approval_the_asset_is_marked_signed_and_recorded_with_what_was_said(
        self, open_with: Callable[..., Pipeline], reviews: SqliteReviews
    ) -> None:
        pipeline = open_with(REVIEW, 'stage: output, when: "true", effect: allow, obligations: [{code: watermark}]')
        (waiting,) = pipeline.run(REQUEST)
        assert isinstance(waiting, InReview)
        with pytest.raises(ReviewError, match="0 of 1 people"):
            pipeline.resume(waiting.ticket)
        reviews.say(waiting.ticket, approve())
        delivered: list[Recorded] = []
        recorded = pipeline.resume(waiting.ticket, deliver=delivered.append)
        assert delivered == [recorded]
        assert str(recorded.asset_id) == waiting.ticket
        summary = ManifestProbe().examine(recorded.asset, Evidence()).summary
        assert summary is not None
        assert summary.generation["review"] == {"approvals": 1, "last_at": "2026-11-23T08:00:00Z"}
        assert b"Ada" not in recorded.asset.data
        assert [name for name, _ in recorded.receipt.entry.extra] == ["discharges", "review"]
        assert recorded.receipt.entry.effect == "review"
        assert reviews.case(waiting.ticket).state is CaseState.RELEASED
        with pytest.raises(ReviewError, match="released"):
            pipeline.resume(waiting.ticket)

    def test_the_released_picture_is_the_one_that_was_made(
        self, open_with: Callable[..., Pipeline], reviews: SqliteReviews
    ) -> None:
        direct = open_with('stage: output, when: "true", effect: allow')
        (plain,) = direct.run(REQUEST)
        (waiting,) = (pipeline := open_with(REVIEW)).run(REQUEST)
        assert isinstance(waiting, InReview)
        assert isinstance(plain, Recorded)
        reviews.say(waiting.ticket, approve())
        recorded = pipeline.resume(waiting.ticket)
        assert recorded.generated.pixels_sha256 == plain.generated.pixels_sha256

    def test_a_rejected_picture_is_gone(self, open_with: Callable[..., Pipeline], reviews: SqliteReviews) -> None:
        (waiting,) = (pipeline := open_with(REVIEW)).run(REQUEST)
        assert isinstance(waiting, InReview)
        no = Opinion(reviewer="Ada", approves=False, reason="no", at="2026-11-23T08:00:00Z")
        assert reviews.say(waiting.ticket, no).state is CaseState.REJECTED
        with pytest.raises(ReviewError, match="rejected"):
            pipeline.resume(waiting.ticket)

    def test_two_people_in_a_role_as_an_obligation(
        self, open_with: Callable[..., Pipeline], reviews: SqliteReviews
    ) -> None:
        duty = "obligations: [{code: human_review, params: {count: 2, roles: 'legal, art'}}]"
        (waiting,) = (pipeline := open_with(f'stage: output, when: "true", effect: allow, {duty}')).run(REQUEST)
        assert isinstance(waiting, InReview)
        reviews.say(waiting.ticket, approve("Ada", "legal"))
        with pytest.raises(ReviewError, match="1 of 2"):
            pipeline.resume(waiting.ticket)
        reviews.say(waiting.ticket, approve("Bob", "art"))
        recorded = pipeline.resume(waiting.ticket)
        (discharge,) = recorded.signed.discharges
        assert (discharge.ok, discharge.obligation.code) == (True, "human_review")
        assert "2 of 2 people" in discharge.evidence
        assert "Ada" not in discharge.evidence

    def test_a_prompt_that_asks_for_a_person_waits_with_its_picture(
        self, open_with: Callable[..., Pipeline], reviews: SqliteReviews
    ) -> None:
        (waiting,) = open_with('stage: prompt, when: "true", effect: review').run(REQUEST)
        assert isinstance(waiting, InReview)
        assert reviews.case(waiting.ticket).rules == ("house.r0",)

    def test_a_person_stands_in_for_a_classifier(
        self, open_with: Callable[..., Pipeline], reviews: SqliteReviews
    ) -> None:
        duty = "obligations: [{code: classifier_or_review}]"
        pipeline = open_with(f'stage: output, when: "true", effect: allow, {duty}', output_checks=UnsafeNoOutputCheck())
        (waiting,) = pipeline.run(REQUEST)
        assert isinstance(waiting, InReview)
        reviews.say(waiting.ticket, approve())
        assert "1 of 1 people" in pipeline.resume(waiting.ticket).signed.discharges[0].evidence

    def test_a_denial_beside_a_review_denies(self, open_with: Callable[..., Pipeline], reviews: SqliteReviews) -> None:
        (outcome,) = open_with(REVIEW, 'stage: output, when: "true", effect: deny').run(REQUEST)
        assert isinstance(outcome, Refused)
        assert reviews.cases() == ()

    def test_without_a_queue_review_refuses(self, open_with: Callable[..., Pipeline]) -> None:
        (outcome,) = open_with(REVIEW, reviews=None).run(REQUEST)
        assert isinstance(outcome, Refused)

    def test_a_failure_after_approval_releases_nothing_and_can_be_tried_again(
        self, open_with: Callable[..., Pipeline], reviews: SqliteReviews, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from sdsafe.provenance.manifest import _c2pa

        (waiting,) = (pipeline := open_with(REVIEW)).run(REQUEST)
        assert isinstance(waiting, InReview)
        reviews.say(waiting.ticket, approve())

        def broken(*_: object, **__: object) -> None:
            raise SigningError("the signer is away")

        with monkeypatch.context() as patch:
            patch.setattr(_c2pa, "sign", broken)
            with pytest.raises(SigningError):
                pipeline.resume(waiting.ticket)
        assert reviews.case(waiting.ticket).state is CaseState.APPROVED
        assert pipeline.resume(waiting.ticket).asset.data


class TestBlur:
    def test_the_place_is_hidden_signed_as_an_edit_and_looked_at_again(
        self, open_with: Callable[..., Pipeline]
    ) -> None:
        (outcome,) = open_with(BLUR, output_checks=(Detail(),)).run(REQUEST)
        assert isinstance(outcome, Recorded)
        (plain,) = open_with('stage: output, when: "true", effect: allow', output_checks=(Detail(),)).run(REQUEST)
        assert isinstance(plain, Recorded)
        hidden, shown = images.decode(outcome.asset.data), images.decode(plain.asset.data)
        inside = np.s_[FACE.top + 10 : FACE.bottom - 10, FACE.left + 10 : FACE.right - 10]

        def detail(picture: Any) -> float:
            return float(np.abs(np.diff(picture[inside].astype(float), n=2, axis=1)).mean())

        assert np.abs(hidden[inside].astype(int) - shown[inside]).mean() > 2
        assert detail(hidden) <= detail(shown)
        assert np.abs(hidden[170:, 150:].astype(int) - shown[170:, 150:]).mean() < 6  # far away: the marks alone
        summary = ManifestProbe().examine(outcome.asset, Evidence()).summary
        assert summary is not None
        assert "c2pa.edited" in summary.actions
        assert summary.generation["edits"] == ["blur"]
        (discharge,) = outcome.signed.discharges
        assert (discharge.obligation.code, discharge.ok) == ("blur", True)

    def test_without_a_place_everything_is_hidden(self, open_with: Callable[..., Pipeline]) -> None:
        (outcome,) = open_with(BLUR, output_checks=(Detail(box=None),)).run(REQUEST)
        assert isinstance(outcome, Recorded)

    def test_what_is_still_seen_refuses(self, open_with: Callable[..., Pipeline]) -> None:
        (outcome,) = open_with(BLUR).run(REQUEST)  # the fake check scores 0.7 whatever it is shown
        assert isinstance(outcome, Refused)
        assert "still seen" in outcome.message

    def test_a_second_look_that_fails_refuses(self, open_with: Callable[..., Pipeline]) -> None:
        @dataclass
        class Once(Detail):
            looks: int = 0

            def check(self, generated: Generated, /) -> Iterable[Finding]:
                self.looks += 1
                if self.looks > 1:
                    raise RuntimeError
                return super().check(generated)

        (outcome,) = open_with(BLUR, output_checks=(Once(),)).run(REQUEST)
        assert isinstance(outcome, Refused)

    def test_transform_without_anything_to_do_refuses(self, open_with: Callable[..., Pipeline]) -> None:
        (outcome,) = open_with('stage: output, when: "true", effect: transform').run(REQUEST)
        assert isinstance(outcome, Refused)


@pytest.mark.parametrize("effect", ["allow", "annotate", "transform", "review", "deny"])
def test_file_manifest_and_ledger_agree_with_the_decision(
    open_with: Callable[..., Pipeline], reviews: SqliteReviews, effect: str
) -> None:
    blur = ", obligations: [{code: blur}]" if effect == "transform" else ""
    pipeline = open_with(
        f'stage: output, when: "score.nudity >= 0.5", effect: {effect}{blur}', output_checks=(Detail(),)
    )
    (outcome,) = pipeline.run(REQUEST)
    if effect == "deny":
        assert isinstance(outcome, Refused)
        return
    if isinstance(outcome, InReview):
        reviews.say(outcome.ticket, approve())
        outcome = pipeline.resume(outcome.ticket)
    assert isinstance(outcome, Recorded)
    assert outcome.receipt.entry.effect == effect
    summary = ManifestProbe().examine(outcome.asset, Evidence()).summary
    assert summary is not None
    decisions: Any = summary.generation["decisions"]
    assert decisions["output"]["effect"] == effect
    assert ("edits" in summary.generation) == (effect == "transform")
    assert ("review" in summary.generation) == (effect == "review")


@pytest.mark.parametrize("task", [Task.TRANSFORM, Task.VARY, Task.INPAINT, Task.OUTPAINT, Task.UPSCALE])
@pytest.mark.parametrize("effect", ["annotate", "transform", "review", "deny"])
def test_the_decision_holds_for_every_task(
    open_with: Callable[..., Pipeline], reviews: SqliteReviews, task: Task, effect: str
) -> None:
    data = images.encode(sample_picture(5))
    mask = np.zeros((256, 256, 3), np.uint8)
    mask[64:128, 64:128] = 255
    inputs = [as_input(Asset(data=data, media_type="image/png"), "image")]
    if task is Task.INPAINT:
        inputs.append(as_input(Asset(data=images.encode(mask), media_type="image/png"), "mask"))
    blur = ", obligations: [{code: blur}]" if effect == "transform" else ""
    pipeline = open_with(
        f'stage: output, when: "score.nudity >= 0.5", effect: {effect}{blur}',
        'stage: input, when: "true", effect: allow',
        output_checks=(Detail(),),
    )
    (outcome,) = pipeline.run(replace(REQUEST, task=task, inputs=tuple(inputs)))
    if effect == "deny":
        assert isinstance(outcome, Refused)
        return
    if effect == "review":
        assert isinstance(outcome, InReview)
        reviews.say(outcome.ticket, approve())
        outcome = pipeline.resume(outcome.ticket)
    assert isinstance(outcome, Recorded), outcome
    summary = ManifestProbe().examine(outcome.asset, Evidence()).summary
    assert summary is not None
    decisions: Any = summary.generation["decisions"]
    assert (decisions["output"]["effect"], outcome.receipt.entry.effect) == (effect, effect)
    assert ("blur" in summary.generation.get("edits", ())) == (effect == "transform")


def test_a_picture_under_another_id_says_which_its_noise_carries(
    open_with: Callable[..., Pipeline], reviews: SqliteReviews
) -> None:
    mark = NoiseMark(alg="org.example.noise.1", version="1", key_id="00112233", shape=(1, 4, 32, 32))

    class Marking(FakeGenerator):
        def generate(self, admitted: Admitted, /, watch: Watch | None = None) -> Iterator[Generated]:
            for each in super().generate(admitted, watch):
                yield replace(each, execution=replace(each.execution, noise_mark=mark))

    def undeliverable(_: Recorded) -> None:
        raise AssetError("the disk is full")

    pipeline = open_with(REVIEW, generator=Marking())
    (waiting,) = pipeline.run(REQUEST)
    assert isinstance(waiting, InReview)
    reviews.say(waiting.ticket, approve())
    with pytest.raises(AssetError, match="full"):
        pipeline.resume(waiting.ticket, deliver=undeliverable)
    recorded = pipeline.resume(waiting.ticket)
    assert recorded.asset_id != waiting.asset_id
    assert recorded.generated.execution.noise_mark == replace(mark, asset_id=waiting.asset_id)
    summary = ManifestProbe().examine(recorded.asset, Evidence()).summary
    assert summary is not None
    said: Any = summary.generation["noise_mark"]
    assert (said["asset_id"], said["shape"]) == (str(waiting.asset_id), "1x4x32x32")
