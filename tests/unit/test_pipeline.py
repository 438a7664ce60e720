"""The spine with fakes where a model would be: what may not be skipped, and what happens when a stage fails."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe._internal import images
from sdsafe.core.decisions import Decision, Effect, FiredRule, Obligation, PolicyRef
from sdsafe.core.places import Places
from sdsafe.core.receipts import EntryKind
from sdsafe.core.request import GenerationRequest, PromptDisclosure, Size
from sdsafe.core.softbinding import Detection
from sdsafe.core.states import Recorded, Refused
from sdsafe.errors import (
    AssetError,
    CancelledError,
    ConfigurationError,
    LedgerError,
    ManifestError,
    RequestError,
    WatermarkError,
)
from sdsafe.pipeline import Parts, Pipeline, UnsafeNoOutputCheck
from sdsafe.provenance.manifest import _c2pa
from sdsafe.testing.fakes import Behaviour, FakeOutputCheck, FakePromptCheck, LsbWatermarker
from sdsafe.testing.pipeline import fake_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sdsafe.core.context import JudgementContext
    from sdsafe.core.findings import CheckResult, Stage
    from sdsafe.core.pixels import Pixels
    from sdsafe.core.states import Asset

REQUEST = GenerationRequest(prompt="waves", seed=7, size=Size(width=256, height=256), steps=2)
REF = PolicyRef(id="fixed", version="1", digest="0" * 64)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder = tmp_path_factory.mktemp("spine")
    return Places(state=folder / "state", cache=folder / "cache")


@pytest.fixture
def parts(places: Places) -> Parts:
    return fake_parts(places, watermarker=LsbWatermarker())


@dataclass
class Fixed:
    """A policy that says what the test wants, per stage, and keeps what it was shown."""

    effects: dict[str, Effect] = field(default_factory=dict)
    obligations: tuple[Obligation, ...] = ()
    shown: list[tuple[str, tuple[CheckResult, ...]]] = field(default_factory=list)
    refs: tuple[PolicyRef, ...] = (REF,)

    def preview(self, _stage: Stage, _context: object, _results: object, /) -> Decision:
        return Decision(effect=Effect.ALLOW, policy=(REF,))

    def judge(self, stage: Stage, _context: JudgementContext, results: Sequence[CheckResult], /) -> Decision:
        self.shown.append((stage.value, tuple(results)))
        effect = self.effects.get(stage.value, Effect.ALLOW)
        rule = FiredRule(rule="r", policy="fixed", effect=effect, because="the test says so")
        return Decision(effect=effect, policy=(REF,), fired=(rule,), obligations=self.obligations)


def _entries(parts: Parts) -> list[Any]:
    return [logged.entry for logged in parts.ledger.entries()]  # type: ignore[attr-defined]


def _run(parts: Parts, request: GenerationRequest = REQUEST, **how: Any) -> Any:
    (outcome,) = Pipeline(parts).run(request, **how)
    return outcome


def test_a_released_asset_is_in_repository_and_ledger(parts: Parts) -> None:
    outcome = _run(parts)
    assert isinstance(outcome, Recorded)
    assert parts.repository.has(outcome.asset_id)
    receipt = parts.ledger.prove(str(outcome.asset_id))
    assert receipt is not None
    assert receipt.entry.asset_sha256 == outcome.receipt.entry.asset_sha256
    assert receipt.entry.kind is EntryKind.RELEASED


def test_every_prompt_check_and_every_output_check_is_shown_to_policy(parts: Parts) -> None:
    policy = Fixed()
    checks = (FakePromptCheck(name="a"), FakePromptCheck(name="b"))
    outputs = (FakeOutputCheck(name="c"), FakeOutputCheck(name="d"))
    _run(replace(parts, policy=policy, prompt_checks=checks, output_checks=outputs))
    assert [(stage, [r.check for r in results]) for stage, results in policy.shown] == [
        ("prompt", ["a", "b"]),
        ("output", ["c", "d"]),
        ("export", ["a", "b", "c", "d"]),
    ]


@pytest.mark.parametrize("effect", [Effect.REVIEW, Effect.DENY])
def test_a_refused_prompt_generates_nothing(parts: Parts, effect: Effect) -> None:
    class Untouchable:
        resolve = staticmethod(parts.generator.resolve)

        def generate(self, *_: object) -> Any:
            pytest.fail("generation was reached")

    before = len(_entries(parts))
    policy = Fixed(effects={"prompt": effect})
    outcomes = Pipeline(replace(parts, policy=policy, generator=Untouchable())).run(replace(REQUEST, count=3))
    assert len(outcomes) == 3
    assert all(isinstance(o, Refused) and o.reason == "refused.prompt" for o in outcomes)
    assert len(_entries(parts)) == before


@pytest.mark.parametrize("effect", [Effect.TRANSFORM, Effect.REVIEW, Effect.DENY])
def test_what_nobody_can_carry_out_at_the_output_is_refused(parts: Parts, effect: Effect) -> None:
    before = len(_entries(parts))
    outcome = _run(replace(parts, policy=Fixed(effects={"output": effect})))
    assert isinstance(outcome, Refused)
    assert outcome.reason == "refused.output"
    assert outcome.seed == 7
    assert outcome.decision.leading[0].rule == "r"
    assert not parts.repository.has(outcome.asset_id)  # type: ignore[arg-type]
    assert len(_entries(parts)) == before


@pytest.mark.parametrize("behaviour", [Behaviour.FAIL, Behaviour.NAN, Behaviour.EMPTY, Behaviour.UNAVAILABLE])
def test_an_output_check_that_did_not_look_never_releases(parts: Parts, behaviour: Behaviour) -> None:
    outcome = _run(replace(parts, output_checks=(FakeOutputCheck(behaviour=behaviour),)))
    assert isinstance(outcome, Refused)
    assert outcome.checks[0].status != "ok"
    assert "builtin" in outcome.decision.leading[0].rule


@pytest.mark.parametrize("behaviour", [Behaviour.FAIL, Behaviour.UNAVAILABLE])
def test_a_prompt_check_that_did_not_look_never_admits(parts: Parts, behaviour: Behaviour) -> None:
    outcome = _run(replace(parts, prompt_checks=(FakePromptCheck(behaviour=behaviour),)))
    assert isinstance(outcome, Refused)
    assert outcome.stage == "prompt"


def test_one_good_check_does_not_outvote_a_broken_one(parts: Parts) -> None:
    checks = (FakeOutputCheck(name="good"), FakeOutputCheck(name="bad", behaviour=Behaviour.FAIL))
    assert isinstance(_run(replace(parts, output_checks=checks)), Refused)


def test_unsafe_mode_is_annotated(parts: Parts) -> None:
    outcome = _run(replace(parts, output_checks=UnsafeNoOutputCheck()))
    assert isinstance(outcome, Recorded)
    cleared = outcome.signed.encoded.marked.cleared
    assert cleared.unchecked
    assert cleared.decision.effect is Effect.ANNOTATE
    assert "builtin.unsafe-unchecked" in {rule.rule for rule in cleared.decision.fired}
    assert "marked-and-signed" in {rule.rule for rule in cleared.decision.fired}  # needs no finding


@pytest.mark.parametrize("slot", ["prompt_checks", "output_checks", "fingerprinters"])
def test_an_empty_slot_is_refused(parts: Parts, slot: str) -> None:
    with pytest.raises(ConfigurationError, match=slot):
        replace(parts, **{slot: ()})  # type: ignore[arg-type]


def test_a_policy_without_packs_is_refused(parts: Parts) -> None:
    with pytest.raises(ConfigurationError, match="policies"):
        replace(parts, policy=Fixed(refs=()))


class TestWatermark:
    class Blank(LsbWatermarker):
        def embed(self, images: Sequence[Pixels], payloads: Sequence[bytes], /) -> list[Pixels]:
            return [image.copy() for image in images]

    class Liar(LsbWatermarker):
        def detect(self, images: Sequence[Pixels], /) -> list[Detection]:
            return [Detection(payload=b"12345678", alg=self.alg) for _ in images]

    class Cropper(LsbWatermarker):
        def embed(self, images: Sequence[Pixels], payloads: Sequence[bytes], /) -> list[Pixels]:
            return [np.ascontiguousarray(image[:128]) for image in images]

    @pytest.mark.parametrize("kind", [Blank, Liar, Cropper])
    def test_a_mark_that_does_not_read_back_is_an_error(self, parts: Parts, kind: type[LsbWatermarker]) -> None:
        before = len(_entries(parts))
        with pytest.raises(WatermarkError):
            _run(replace(parts, watermarker=kind()))
        assert len(_entries(parts)) == before


class TestFinalBytes:
    def test_signing_may_add_the_manifest_and_change_nothing_else(
        self, parts: Parts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sign, before = _c2pa.sign, len(_entries(parts))

        def sign_another(asset: Asset, definition: Any, signer: Any, *_: Any, **__: Any) -> tuple[bytes, bytes]:
            other = images.decode(asset.data)
            other[0, 0, 0] ^= 1
            return sign(replace(asset, data=images.encode(other)), definition, signer)

        monkeypatch.setattr(_c2pa, "sign", sign_another)
        with pytest.raises(ManifestError) as caught:
            _run(parts)
        assert caught.value.code == "manifest.readback"
        assert len(_entries(parts)) == before

    def test_the_encoded_file_holds_the_marked_pixels(self, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
        encode = images.encode

        def encode_another(pixels: Pixels, *_: object) -> bytes:
            other = pixels.copy()
            other[-1, -1, 2] ^= 2
            return encode(other)

        monkeypatch.setattr(images, "encode", encode_another)
        with pytest.raises(AssetError, match="marked pixels"):
            _run(parts)


class TestObligations:
    def test_what_the_spine_does_is_discharged_with_evidence(self, parts: Parts) -> None:
        policy = Fixed(obligations=(Obligation(code="watermark"), Obligation(code="sign_c2pa")))
        outcome = _run(replace(parts, policy=policy))
        assert isinstance(outcome, Recorded)
        discharges = outcome.signed.discharges
        assert [d.obligation.code for d in discharges] == ["watermark", "sign_c2pa"]
        assert all(d.ok and d.evidence for d in discharges)

    @pytest.mark.parametrize(
        "obligation", [Obligation(code="human_review"), Obligation(code="sign_c2pa", params={"timestamp": True})]
    )
    def test_what_nobody_can_do_is_no_release(self, parts: Parts, obligation: Obligation) -> None:
        outcome = _run(replace(parts, policy=Fixed(obligations=(obligation,))))
        assert isinstance(outcome, Refused)
        assert obligation.code in outcome.message


class TestRecords:
    def test_no_entry_means_no_record(self, parts: Parts) -> None:
        class Full:
            def append(self, entry: object, /) -> Any:
                raise LedgerError("no space left", hint="make room")

            def prove(self, digest: str, /) -> None:
                return None

        kept: list[Any] = []

        class Watching:
            def __getattr__(self, name: str) -> Any:
                return getattr(parts.repository, name)

            def put(self, signed: Any, /) -> str:
                kept.append(signed.encoded.marked.cleared.generated.asset_id)
                return parts.repository.put(signed)

        with pytest.raises(LedgerError):
            _run(replace(parts, ledger=Full(), repository=Watching()))
        assert not parts.repository.has(kept[0])

    def test_a_delivery_that_fails_is_withdrawn_and_its_error_passed_on(self, parts: Parts) -> None:
        def fail(_recorded: Recorded) -> None:
            raise OSError("the cable is gone")

        with pytest.raises(OSError, match="cable"):
            _run(parts, deliver=fail)
        *_, released, withdrawn = _entries(parts)
        assert (released.kind, withdrawn.kind) == (EntryKind.RELEASED, EntryKind.WITHDRAWN)
        assert released.asset_id == withdrawn.asset_id

    def test_delivery_happens_after_the_entry(self, parts: Parts) -> None:
        seen: list[bool] = []
        _run(parts, deliver=lambda recorded: seen.append(parts.ledger.prove(str(recorded.asset_id)) is not None))
        assert seen == [True]


class TestRequests:
    def test_seeds_count_up_and_ids_differ(self, parts: Parts) -> None:
        outcomes = Pipeline(parts).run(replace(REQUEST, count=3))
        recorded = [o for o in outcomes if isinstance(o, Recorded)]
        assert [o.seed for o in recorded] == [7, 8, 9]
        assert len({o.asset_id for o in recorded}) == 3

    def test_a_seed_is_chosen_and_recorded_where_none_is_given(self, parts: Parts) -> None:
        first, second = (_run(parts, replace(REQUEST, seed=None)) for _ in range(2))
        assert first.seed != second.seed

    def test_a_request_that_cannot_be_carried_out_is_an_error(self, parts: Parts) -> None:
        with pytest.raises(RequestError):
            _run(parts, replace(REQUEST, size=Size(width=255, height=256)))

    def test_cancelling_leaves_nothing(self, parts: Parts) -> None:
        class Stop:
            def step(self, *_: int) -> None: ...

            def cancelled(self) -> bool:
                return True

        before = len(_entries(parts))
        with pytest.raises(CancelledError):
            _run(parts, watch=Stop())
        assert len(_entries(parts)) == before

    def test_streaming_releases_one_at_a_time(self, parts: Parts) -> None:
        before = len(_entries(parts))
        stream = Pipeline(parts).stream(replace(REQUEST, count=2))
        next(stream)
        assert len(_entries(parts)) == before + 1


class TestWalls:
    @pytest.mark.parametrize("steal", [copy.copy, copy.deepcopy, lambda pipeline: pipeline.__reduce_ex__(4)])
    def test_a_pipeline_is_neither_copied_nor_pickled(self, parts: Parts, steal: Callable[[object], object]) -> None:
        with pytest.raises(TypeError, match="one per process"):
            steal(Pipeline(parts))

    def test_no_public_attribute_but_the_ways_to_run(self, parts: Parts) -> None:
        assert {name for name in dir(Pipeline(parts)) if not name.startswith("_")} == {"resume", "run", "stream"}

    def test_the_repr_shows_no_parts(self, parts: Parts) -> None:
        assert "signer" not in repr(Pipeline(parts)).lower()


@pytest.mark.parametrize("mode", [PromptDisclosure.COMMIT, PromptDisclosure.OMIT])
def test_the_file_does_not_hold_a_prompt_that_is_not_disclosed(parts: Parts, mode: PromptDisclosure) -> None:
    request = replace(REQUEST, prompt="zebrafinch over quicksilver")
    outcome = _run(replace(parts, disclosure=mode), request)
    assert isinstance(outcome, Recorded)
    for word in (b"zebrafinch", b"quicksilver"):
        assert word not in outcome.asset.data
        assert word not in outcome.receipt.body
