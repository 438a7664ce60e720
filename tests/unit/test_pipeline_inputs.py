"""Pictures that go in pass the input gate before anything is generated, or nothing is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe._internal import images
from sdsafe.api import read_input
from sdsafe.core.decisions import Decision, Effect, FiredRule, PolicyRef
from sdsafe.core.findings import Stage
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, Origin, Size, Task
from sdsafe.core.reviews import Opinion
from sdsafe.core.states import Asset, InReview, Recorded, Refused
from sdsafe.errors import AssetError, RequestError
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import load_policies
from sdsafe.inputs import as_input
from sdsafe.pipeline import Parts, Pipeline, UnsafeNoOutputCheck
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.reading import summarise
from sdsafe.provenance.manifest.tree import grow, walk
from sdsafe.records.reviews.queue import SqliteReviews
from sdsafe.testing.fakes import Behaviour, FakeGenerator, FakeOutputCheck
from sdsafe.testing.pipeline import fake_parts
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sdsafe.core.context import JudgementContext
    from sdsafe.core.findings import CheckResult
    from sdsafe.core.request import InputImage

REF = PolicyRef(id="fixed", version="1", digest="9" * 64)


@dataclass
class Fixed:
    """A policy that allows, but for one stage."""

    denied: str = ""
    shown: list[tuple[str, tuple[CheckResult, ...]]] = field(default_factory=list)
    refs: tuple[PolicyRef, ...] = (REF,)

    def preview(self, _stage: Stage, _context: object, _results: object, /) -> Decision:
        return Decision(effect=Effect.ALLOW, policy=(REF,))

    def judge(self, stage: Stage, _context: JudgementContext, results: Sequence[CheckResult], /) -> Decision:
        self.shown.append((stage.value, tuple(results)))
        effect = Effect.DENY if stage.value == self.denied else Effect.ALLOW
        rule = FiredRule(rule="r", policy="fixed", effect=effect, because="the test says so")
        return Decision(effect=effect, policy=(REF,), fired=(rule,))


class Counting(FakeGenerator):
    """A generator that counts what it is asked for."""

    made = 0

    def generate(self, *args: Any) -> Any:
        self.made += 1
        return super().generate(*args)


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return fake_parts(Places(state=tmp_path / "state", cache=tmp_path / "cache"), generator=Counting())


def picture(role: str = "image", data: bytes | None = None) -> InputImage:
    asset = Asset(data=data or images.encode(sample_picture(4)), media_type="image/png", name="mine.png")
    return as_input(asset, role)


def asked(**more: Any) -> GenerationRequest:
    given = {
        "prompt": "a red house",
        "task": Task.TRANSFORM,
        "inputs": (picture(),),
        "size": Size(width=256, height=256),
    }
    return GenerationRequest(**(given | more))


def _run(parts: Parts, request: GenerationRequest) -> Any:
    (outcome,) = Pipeline(parts).run(request)
    return outcome


def test_every_check_looks_at_every_picture_before_the_output(parts: Parts) -> None:
    policy = Fixed()
    outputs = (FakeOutputCheck(name="c"), FakeOutputCheck(name="d"))
    mask = np.zeros((256, 256, 3), np.uint8)
    mask[64:128, 64:128] = 255
    inputs = (picture(), picture("mask", images.encode(mask)))
    outcome = _run(replace(parts, policy=policy, output_checks=outputs), asked(task=Task.INPAINT, inputs=inputs))
    assert isinstance(outcome, Recorded), outcome
    shown = {stage: [(r.check, r.stage.value) for r in results] for stage, results in policy.shown}
    assert list(shown) == ["prompt", "input", "output", "export"]
    assert shown["input"] == [("c", "input"), ("d", "input"), ("input-provenance", "input")] * 2
    assert [stage for _, stage in shown["export"]] == ["prompt", *["input"] * 6, "output", "output"]
    stages = [check.stage.value for check in outcome.generated.admitted.checks]
    assert stages == ["prompt", *["input"] * 6]


def test_a_refused_picture_generates_nothing(parts: Parts) -> None:
    outcome = _run(replace(parts, policy=Fixed("input")), asked())
    assert isinstance(outcome, Refused)
    assert (outcome.stage, outcome.reason) == (Stage.INPUT, "refused.input")
    assert parts.generator.made == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("behaviour", [Behaviour.FAIL, Behaviour.NAN, Behaviour.EMPTY, Behaviour.UNAVAILABLE])
def test_a_check_that_does_not_look_lets_nothing_in(parts: Parts, behaviour: Behaviour) -> None:
    outcome = _run(replace(parts, output_checks=(FakeOutputCheck(behaviour=behaviour),)), asked())
    assert isinstance(outcome, Refused)
    assert outcome.reason == "refused.input"
    assert parts.generator.made == 0  # type: ignore[attr-defined]


def test_a_check_that_only_knows_outputs_lets_nothing_in(parts: Parts) -> None:
    class OutputOnly:
        name, version = "output-only", "1"
        check = FakeOutputCheck().check

    outcome = _run(replace(parts, output_checks=(OutputOnly(),)), asked())
    assert isinstance(outcome, Refused)
    assert outcome.reason == "refused.input"
    assert "does not look at pictures that go in" in outcome.checks[0].detail


def test_unchecked_is_said_of_inputs_too(parts: Parts) -> None:
    outcome = _run(replace(parts, output_checks=UnsafeNoOutputCheck()), asked())
    assert isinstance(outcome, Recorded), outcome
    assert "builtin.unsafe-unchecked" in [rule.rule for rule in outcome.generated.admitted.decision.fired]


def test_what_is_never_made_is_not_made_of_pictures_either(parts: Parts) -> None:
    """The halves may stand in the text and in the picture."""
    seen = FakeOutputCheck(category="nudity", score=0.9)
    outcome = _run(replace(parts, policy=Fixed(), output_checks=(seen,)), asked(prompt="a child at the sea"))
    assert isinstance(outcome, Refused)
    assert outcome.reason == "hard.minor_sexual"
    assert parts.generator.made == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "fake",
    [
        {"pixels": sample_picture(9)},
        {"sha256": "0" * 64},
        {"media_type": "image/jpeg"},
        {"data": images.encode(sample_picture(9))},
    ],
)
def test_a_picture_that_is_not_its_file_is_refused(parts: Parts, fake: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as caught:
        _run(parts, asked(inputs=(replace(picture(), **fake),)))
    assert caught.value.code == "request.input"


def test_a_parent_that_does_not_hold_is_refused_and_one_that_holds_is_kept(parts: Parts) -> None:
    parent = _run(parts, GenerationRequest(prompt="a red house", seed=3))
    broken = parent.asset.data + b"more"  # any reader of PNG still shows the picture
    with pytest.raises(RequestError) as caught:
        _run(parts, asked(inputs=(picture(data=broken),)))
    assert caught.value.code == "request.input-invalid"
    assert isinstance(_run(parts, asked(inputs=(picture(data=parent.asset.data),))), Recorded)


def test_an_edit_can_wait_for_a_person_and_keeps_its_parent(parts: Parts, tmp_path: Path) -> None:
    """What waits is sealed with the pictures that went in: signing needs them later."""
    parent = _run(parts, GenerationRequest(prompt="a red house", seed=3))
    folder = tmp_path / "packs" / "house"
    folder.mkdir(parents=True)
    (folder / "policy.yaml").write_text(
        "format: sdsafe.policy/1\nid: house\nversion: 1.0.0\ntitle: t\ndescription: d\nrules:\n"
        '  - {id: theirs, because: b, stage: input, when: "request.inputs > 0", effect: review}\n'
    )
    reviews = SqliteReviews(Places(state=tmp_path / "state", cache=tmp_path / "cache"))
    policy = PackPolicy(load_policies(["house"], [tmp_path / "packs"]))
    pipeline = Pipeline(replace(parts, policy=policy, reviews=reviews))
    (outcome,) = pipeline.run(asked(inputs=(picture(data=parent.asset.data),)))
    assert isinstance(outcome, InReview), outcome
    reviews.say(outcome.ticket, Opinion(reviewer="Ada", approves=True, reason="hers", at="2026-11-23T08:00:00Z"))
    recorded = pipeline.resume(outcome.ticket)
    assert parent.signed.manifest_label.encode() in recorded.signed.manifest_store


def test_a_file_becomes_an_input(tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    path.write_bytes(images.encode(sample_picture(4)))
    read = read_input(path, "mask")
    assert (read.role, read.media_type) == ("mask", "image/png")
    assert np.array_equal(read.pixels, sample_picture(4))
    path.write_bytes(b"no picture")
    with pytest.raises(AssetError):
        read_input(path)


@pytest.mark.parametrize("kind", ["forbidden", "failing"])
def test_without_classifiers_the_manifest_of_an_input_still_counts(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    from sdsafe.provenance.manifest.input_check import InputProvenanceCheck

    def look(self: InputProvenanceCheck, _image: InputImage) -> Any:
        if kind == "failing":
            raise RuntimeError
        return (self._finding("input.use", "input_use_not_allowed", "the manifest says notAllowed"),)

    monkeypatch.setattr(InputProvenanceCheck, "check_input", look)
    outcome = _run(replace(parts, output_checks=UnsafeNoOutputCheck()), asked())
    assert isinstance(outcome, Refused)
    assert outcome.reason == "refused.input"
    rule = {"forbidden": "input-use-not-allowed", "failing": "builtin.check-not-ok"}[kind]
    assert rule in [each.rule for each in outcome.decision.leading]
    assert parts.generator.made == 0  # type: ignore[attr-defined]


class TestOrigin:
    """What goes in is looked up: its id is recorded, and a manifest that was removed is carried on."""

    @pytest.fixture
    def first(self, parts: Parts) -> Recorded:
        (made,) = Pipeline(parts).run(
            GenerationRequest(prompt="waves", seed=7, size=Size(width=256, height=256), steps=2)
        )
        assert isinstance(made, Recorded)
        return made

    def edit(self, parts: Parts, data: bytes, **more: Any) -> Recorded:
        image = replace(as_input(Asset(data=data, media_type=images.sniff(data) or ""), "image"), **more)
        request = GenerationRequest(prompt="waves", seed=7, task=Task.TRANSFORM, inputs=(image,), steps=2)
        (made,) = Pipeline(parts).run(request)
        assert isinstance(made, Recorded)
        return made

    def stated(self, made: Recorded) -> tuple[dict[str, Any], Any]:
        reading = _c2pa.read(made.asset)
        generation: Any = summarise(reading)
        return generation.generation["inputs"][0], grow(reading.store, reading.label)

    def test_a_parent_with_its_manifest_is_named(self, parts: Parts, first: Recorded) -> None:
        stated, tree = self.stated(self.edit(parts, first.asset.data))
        assert stated["origin"] == {"asset_id": str(first.asset_id), "found_by": "manifest"}
        assert [node.summary.asset_id for node in walk(tree) if node.summary][1] == str(first.asset_id)

    def test_a_manifest_that_was_removed_is_found_by_the_mark_and_carried_on(
        self, parts: Parts, first: Recorded
    ) -> None:
        stripped = images.encode(images.decode(first.asset.data))
        stated, tree = self.stated(self.edit(parts, stripped))
        assert stated["origin"] == {
            "asset_id": str(first.asset_id),
            "found_by": parts.watermarker.alg,
            "manifest": "recovered",
        }
        active, parent = walk(tree)
        assert active.sound
        assert parent.sound
        assert parent.recovered
        assert parent.summary is not None
        assert parent.summary.asset_id == str(first.asset_id)

    def test_a_picture_of_somebody_else_has_no_origin(self, parts: Parts) -> None:
        stated, tree = self.stated(self.edit(parts, images.encode(sample_picture(3, height=256, width=256))))
        assert "origin" not in stated
        assert tree.nodes == ()

    def test_what_the_caller_says_of_it_is_dropped(self, parts: Parts, first: Recorded) -> None:
        lie = Origin(asset_id=str(first.asset_id), found_by="manifest", manifest_store=first.signed.manifest_store)
        stated, _ = self.stated(self.edit(parts, images.encode(sample_picture(3, height=256, width=256)), origin=lie))
        assert "origin" not in stated

    def test_the_new_mark_replaces_the_old_one(self, parts: Parts, first: Recorded) -> None:
        made = self.edit(parts, images.encode(images.decode(first.asset.data)))
        (found,) = parts.watermarker.detect([images.decode(made.asset.data)])
        assert found.payload == made.asset_id.value != first.asset_id.value
