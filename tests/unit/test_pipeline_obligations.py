"""The spine with obligations and licences: planned before generation, done, shown from the file, written down."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe._internal import images
from sdsafe.core.canonical import canonical_digest
from sdsafe.core.decisions import Decision, Effect, FiredRule, Obligation, PolicyRef
from sdsafe.core.findings import Stage
from sdsafe.core.house import House
from sdsafe.core.organisation import Organisation
from sdsafe.core.places import Places
from sdsafe.core.report import Evidence
from sdsafe.core.request import GenerationRequest, ModelRef, PromptDisclosure, Size
from sdsafe.core.states import Recorded, Refused
from sdsafe.errors import ConfigurationError, WatermarkError
from sdsafe.pipeline import Parts, Pipeline, UnsafeNoOutputCheck
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.metadata.embedding import read
from sdsafe.testing.fakes import LsbWatermarker
from sdsafe.testing.pipeline import fake_licences, fake_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.states import Asset
    from sdsafe.gates.registry.gate import LicenceGate

REQUEST = GenerationRequest(prompt="waves", seed=7, size=Size(width=256, height=256), steps=2)
REF = PolicyRef(id="house", version="1.0.0", digest="1" * 64)


def _o(code: str, /, **params: Any) -> Obligation:
    return Obligation(code=code, params=params)


def _rule(*obligations: Obligation, effect: Effect = Effect.ALLOW, rule: str = "r", policy: str = "house") -> FiredRule:
    return FiredRule(
        rule=rule,
        policy=policy,
        effect=effect,
        because="the test says so",
        citation="Act, § 1",
        obligations=obligations,
    )


@dataclass
class Says:
    """A policy that fires what the test wants: at a stage, and already ahead of it."""

    rules: dict[Stage, tuple[FiredRule, ...]] = field(default_factory=dict)
    ahead: dict[Stage, tuple[FiredRule, ...]] = field(default_factory=dict)
    undecided: dict[Stage, tuple[str, ...]] = field(default_factory=dict)
    refs: tuple[PolicyRef, ...] = (REF,)
    shown: list[tuple[Stage, Any]] = field(default_factory=list)

    def judge(self, stage: Stage, context: Any, _results: object, /) -> Decision:
        self.shown.append((stage, context))
        return self._decision(self.rules.get(stage, ()))

    def preview(self, stage: Stage, _context: object, _results: object, /) -> Decision:
        return replace(self._decision(self.ahead.get(stage, ())), undecided=self.undecided.get(stage, ()))

    def _decision(self, rules: tuple[FiredRule, ...]) -> Decision:
        obligations: list[Obligation] = []
        for each in (o for rule in rules for o in rule.obligations):
            if each not in obligations:
                obligations.append(each)
        effect = max((rule.effect for rule in rules), default=Effect.ALLOW)
        return Decision(effect=effect, policy=self.refs, fired=rules, obligations=tuple(obligations))


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder = tmp_path_factory.mktemp("obligations")
    return Places(state=folder / "state", cache=folder / "cache")


@pytest.fixture(scope="module")
def licences() -> LicenceGate:
    return fake_licences()


@pytest.fixture
def parts(places: Places, licences: LicenceGate) -> Parts:
    return fake_parts(places, watermarker=LsbWatermarker(), licences=licences)


def _export(*obligations: Obligation, **how: Any) -> Says:
    return Says(rules={Stage.EXPORT: (_rule(*obligations, **how),)})


def _run(parts: Parts, request: GenerationRequest = REQUEST, **others: Any) -> Any:
    (outcome,) = Pipeline(replace(parts, **others)).run(request)
    return outcome


def _untouchable(parts: Parts) -> Any:
    class Untouchable:
        resolve = staticmethod(parts.generator.resolve)

        def generate(self, *_: object) -> Iterator[Any]:
            pytest.fail("generation was reached")

    return Untouchable()


def _manifest(asset: Asset) -> dict[str, Any]:
    seen = ManifestProbe().examine(asset, Evidence())
    assert seen.summary is not None
    return dict(seen.summary.generation)


class TestDone:
    def test_a_visible_label_is_drawn_marked_signed_and_told(self, parts: Parts) -> None:
        outcome = _run(parts, policy=_export(_o("visible_label"), _o("watermark"), _o("sign_c2pa")))
        assert isinstance(outcome, Recorded)
        plain = _run(parts, policy=Says())
        shown = images.decode(outcome.asset.data)
        corner, without = shown[-30:, -100:], images.decode(plain.asset.data)[-30:, -100:]
        assert abs(corner.astype(int) - without).mean() > 20
        assert outcome.generated.pixels_sha256 == plain.generated.pixels_sha256  # what a replay compares
        seen = ManifestProbe().examine(outcome.asset, Evidence()).summary
        assert seen is not None
        assert seen.actions == ("c2pa.created", "c2pa.edited", "c2pa.watermarked.unbound")
        stated = {each["code"]: each for each in _manifest(outcome.asset)["obligations"]}
        assert stated["visible_label"]["demanded_by"] == ["house/r"]
        assert "corner of" not in stated["watermark"]["evidence"]
        assert "bottom-right" in stated["visible_label"]["evidence"]
        assert "evidence" not in stated["sign_c2pa"]

    def test_metadata_are_in_the_file_and_under_the_signature(self, parts: Parts) -> None:
        policy = _export(_o("iptc"), _o("aigc_label"), _o("attribution", text="Powered by Someone"))
        house = House(organisation=Organisation(name="Example", code="0011"))
        outcome = _run(parts, policy=policy, house=house)
        assert isinstance(outcome, Recorded)
        declared = read(outcome.asset).metadata
        assert declared is not None
        assert declared.aigc is not None
        assert (declared.aigc.content_producer, declared.aigc.produce_id) == ("0011", str(outcome.asset_id))
        assert declared.credit == "Powered by Someone"
        assert declared.provider == "Example"
        assert str(declared.digital_source_type).endswith("trainedAlgorithmicMedia")
        assert all(each.ok for each in outcome.signed.discharges)

    def test_without_a_demand_the_file_has_no_metadata(self, parts: Parts) -> None:
        outcome = _run(parts, policy=Says())
        assert read(outcome.asset).metadata is None

    def test_less_of_the_prompt_is_shown_where_a_rule_wants_it(self, parts: Parts) -> None:
        request = replace(REQUEST, prompt="zebrafinch over quicksilver")
        for policy in (
            Says(rules={Stage.PROMPT: (_rule(_o("prompt_disclosure", mode="omit")),)}),
            Says(rules={Stage.OUTPUT: (_rule(_o("prompt_disclosure", mode="omit")),)}),
        ):
            outcome = _run(parts, request, policy=policy)
            assert isinstance(outcome, Recorded)
            assert _manifest(outcome.asset)["prompt"] == {"disclosure": "omit"}
            assert b"zebrafinch" not in outcome.asset.data

    def test_decisions_citations_and_discharges_are_written_down(self, parts: Parts) -> None:
        outcome = _run(parts, policy=_export(_o("classifier_or_review"), _o("sign_c2pa")))
        stated = _manifest(outcome.asset)
        assert {each["id"] for each in stated["policies"]} == {"house", "licences"}
        (rule,) = stated["decisions"]["export"]["rules"]
        assert rule["citation"] == "Act, § 1"
        assert rule["obligations"] == ["classifier_or_review", "sign_c2pa"]
        discharges = [
            [d.obligation.code, dict(d.obligation.params), d.evidence, d.ok] for d in outcome.signed.discharges
        ]
        assert [each[0] for each in discharges] == ["classifier_or_review", "sign_c2pa"]
        digest = canonical_digest([outcome.signed.manifest_label, discharges])
        assert outcome.receipt.entry.extra == (("discharges", digest),)
        assert set(outcome.receipt.entry.policy_digests) == {ref.digest for ref in (REF, parts.licences.ref)}
        record = parts.repository.opening(outcome.asset_id)  # type: ignore[attr-defined]
        assert record.decisions["export"]["decision"]["fired"][0]["citation"] == "Act, § 1"
        assert json.loads(json.dumps(record.decisions["discharges"]))[1]["ok"] is True


class TestRefusedBefore:
    @pytest.mark.parametrize(
        ("obligation", "reason", "hint"),
        [
            (_o("human_review"), "refused.review", "review"),
            (_o("teleport"), "refused.obligation", "Correct the pack"),
            (_o("sign_c2pa", timestamp=True), "refused.obligation", "timestamp"),
            (_o("release_form", kind="model"), "refused.obligation", "--attest release_form:model=ID"),
            (_o("min_megapixels", value=4), "refused.obligation", "--size"),
        ],
    )
    def test_what_cannot_be_done_costs_no_generation(
        self, parts: Parts, obligation: Obligation, reason: str, hint: str
    ) -> None:
        for stage in (Stage.OUTPUT, Stage.EXPORT):
            policy = Says(ahead={stage: (_rule(obligation),)})
            outcome = _run(parts, policy=policy, generator=_untouchable(parts))
            assert isinstance(outcome, Refused)
            assert (outcome.reason, outcome.stage) == (reason, Stage.PROMPT)
            assert "house/r" in outcome.message
            assert hint in outcome.hint

    @pytest.mark.parametrize("stage", [Stage.OUTPUT, Stage.EXPORT])
    def test_what_is_sure_to_be_denied_is_denied_before_generation(self, parts: Parts, stage: Stage) -> None:
        policy = Says(ahead={stage: (_rule(effect=Effect.DENY),)})
        outcome = _run(parts, policy=policy, generator=_untouchable(parts))
        assert isinstance(outcome, Refused)
        assert (outcome.reason, outcome.stage) == (f"refused.{stage.value}", stage)

    def test_an_attested_release_form_lets_pass_and_its_id_stays_private(self, parts: Parts) -> None:
        request = replace(REQUEST, attestations=("release_form:model=jane-doe-7",))
        outcome = _run(parts, request, policy=_export(_o("release_form", kind="model")))
        assert isinstance(outcome, Recorded)
        assert b"jane-doe" not in outcome.asset.data
        assert b"jane-doe" not in outcome.receipt.body
        record = parts.repository.opening(outcome.asset_id)  # type: ignore[attr-defined]
        assert record.parameters["attestations"] == ["release_form:model=jane-doe-7"]

    def test_a_size_without_room_for_the_mark_is_found_before_generation(self, parts: Parts) -> None:
        class Small(LsbWatermarker):
            def check_size(self, width: int, height: int, /) -> None:
                raise WatermarkError(f"{width}x{height} is too small", code="watermark.too-small")

        with pytest.raises(WatermarkError, match="256x256"):
            _run(parts, watermarker=Small(), generator=_untouchable(parts))


class TestRefusedAfter:
    @pytest.mark.parametrize("effect", [Effect.TRANSFORM, Effect.REVIEW, Effect.DENY])
    def test_a_file_that_is_not_let_out_is_not_signed(self, parts: Parts, effect: Effect) -> None:
        outcome = _run(parts, policy=_export(effect=effect))
        assert isinstance(outcome, Refused)
        assert outcome.reason == "refused.export"
        assert outcome.seed == 7
        assert not parts.repository.has(outcome.asset_id)  # type: ignore[arg-type]

    def test_a_change_that_somebody_can_make_is_made(self, parts: Parts) -> None:
        outcome = _run(parts, policy=_export(_o("visible_label"), effect=Effect.TRANSFORM))
        assert isinstance(outcome, Recorded)
        assert outcome.signed.encoded.marked.cleared.judgement.effect is Effect.TRANSFORM

    def test_a_label_that_is_not_in_the_file_is_no_release(self, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
        from sdsafe.obligations import label

        def forgetful(pixels: Pixels, *_: object) -> Pixels:
            return pixels

        monkeypatch.setattr(label, "draw", forgetful)
        outcome = _run(parts, policy=_export(_o("visible_label")))
        assert isinstance(outcome, Refused)
        assert outcome.reason == "refused.obligation"
        assert "house/r obliges to visible_label" in outcome.message

    def test_metadata_that_do_not_read_back_are_no_release(self, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
        from sdsafe import release

        monkeypatch.setattr(release, "embed", lambda data, *_: data)
        outcome = _run(parts, policy=_export(_o("iptc")))
        assert isinstance(outcome, Refused)
        assert "iptc" in outcome.message

    def test_a_manifest_that_shows_too_much_is_no_release(self, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
        from sdsafe import judgement

        monkeypatch.setattr(
            judgement, "make_plan", lambda *a, **k: replace(make_plan(*a, **k), disclosure=PromptDisclosure.FULL)
        )
        from sdsafe.obligations.planning import make_plan

        outcome = _run(parts, policy=_export(_o("prompt_disclosure", mode="omit")))
        assert isinstance(outcome, Refused)
        assert "prompt_disclosure" in outcome.message

    def test_nothing_is_recorded_of_what_is_refused_at_the_end(
        self, parts: Parts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = len(list(parts.ledger.entries()))  # type: ignore[attr-defined]
        monkeypatch.setattr("sdsafe.egress.undone", lambda *_: "everything")
        assert isinstance(_run(parts), Refused)
        assert len(list(parts.ledger.entries())) == before  # type: ignore[attr-defined]
        assert _c2pa  # the door was used: the refusal came after signing


class TestUse:
    def test_our_own_models_need_no_declaration(self, parts: Parts) -> None:
        assert isinstance(_run(parts), Recorded)

    @pytest.fixture
    def stranger(self, parts: Parts) -> Any:
        class Stranger:
            generate = parts.generator.generate

            def resolve(self, request: GenerationRequest) -> GenerationRequest:
                return replace(parts.generator.resolve(request), model=ModelRef(repo="local:found-somewhere"))

        return Stranger()

    def test_a_model_of_unknown_licence_says_what_to_type(self, parts: Parts, stranger: Any) -> None:
        outcome = _run(parts, generator=stranger)
        assert isinstance(outcome, Refused)
        assert outcome.reason == "refused.prompt"
        assert "--use private would be allowed, with a note" in outcome.hint
        assert "--use commercial would be refused" in outcome.hint

    def test_private_use_is_annotated_and_commercial_use_denied(self, parts: Parts, stranger: Any) -> None:
        private = _run(parts, replace(REQUEST, intended_use="private"), generator=stranger)
        assert isinstance(private, Recorded)
        fired = private.generated.admitted.decision.fired
        assert any(rule.policy == "licences" and rule.effect is Effect.ANNOTATE for rule in fired)
        commercial = _run(parts, replace(REQUEST, intended_use="commercial"), generator=stranger)
        assert isinstance(commercial, Refused)
        assert commercial.decision.effect is Effect.DENY

    def test_the_settings_say_it_for_good_and_a_request_overrules_them(self, parts: Parts, stranger: Any) -> None:
        house = House(intended_use="private")
        outcome = _run(parts, generator=stranger, house=house)
        assert isinstance(outcome, Recorded)
        assert _manifest(outcome.asset)["intended_use"] == "private"
        request = replace(REQUEST, intended_use="commercial")
        assert isinstance(_run(parts, request, generator=stranger, house=house), Refused)

    def test_a_marketplace_is_judged_by_its_pack_or_not_at_all(self, parts: Parts) -> None:
        request = replace(REQUEST, intended_use="marketplace:adobe-stock")
        with pytest.raises(ConfigurationError, match="adobe-stock") as caught:
            _run(parts, request)
        assert "--policy adobe-stock" in caught.value.hint

    def test_duties_of_a_licence_are_obligations_with_their_source(self, parts: Parts) -> None:
        class Krea:
            generate = parts.generator.generate

            def resolve(self, request: GenerationRequest) -> GenerationRequest:
                ref = ModelRef(repo="black-forest-labs/FLUX.1-dev")
                return replace(parts.generator.resolve(request), model=ref)

        request = replace(REQUEST, intended_use="private")
        outcome = _run(parts, request, generator=Krea())
        assert isinstance(outcome, Recorded), outcome
        stated = {each["code"]: each for each in _manifest(outcome.asset)["obligations"]}
        assert {"classifier_or_review", "disclosure"} <= set(stated)
        assert all(by.startswith("licences/duty.flux") for by in stated["disclosure"]["demanded_by"])
        refused = _run(parts, request, generator=Krea(), output_checks=UnsafeNoOutputCheck())
        assert isinstance(refused, Refused)
        assert refused.reason == "refused.review"


def test_every_release_duty_of_the_shipped_licences_can_be_planned() -> None:
    from sdsafe.core.obligations import obligation_mismatch
    from sdsafe.gates.registry.loading import load_registry

    for licence in load_registry().licences.values():
        for duty in licence.duties:
            if duty.phase == "release":
                params = {name: value for name in ("text", "manner") if (value := getattr(duty, name))}
                assert obligation_mismatch(duty.code, params) is None, (licence.id, duty.code)


class TestPrivateModels:
    @pytest.fixture
    def secret(self, licences: LicenceGate) -> LicenceGate:
        from sdsafe.gates.registry.gate import LicenceGate as Gate
        from sdsafe.gates.registry.licence import Source
        from sdsafe.gates.registry.loading import load_registry
        from sdsafe.gates.registry.records import Record

        record = Record(
            id="secret",
            name="unannounced",
            kind="base",
            repos=("local:codename-heron",),
            licence="apache-2.0",
            visibility="private",
            alias="house-model",
            sources=(Source(note="in-house", accessed="2026-11-23"),),
            verified="primary",
        )
        registry = load_registry()
        return Gate(replace(registry, records=(*registry.records, record)))

    def test_the_file_names_the_alias_and_the_record_the_model(self, parts: Parts, secret: LicenceGate) -> None:
        class Secret:
            generate = parts.generator.generate

            def resolve(self, request: GenerationRequest) -> GenerationRequest:
                ref = ModelRef(repo="local:codename-heron", digest="ab" * 32, license="apache-2.0")
                return replace(parts.generator.resolve(request), model=ref)

        outcome = _run(parts, policy=_export(_o("iptc")), generator=Secret(), licences=secret)
        assert isinstance(outcome, Recorded), outcome
        assert b"heron" not in outcome.asset.data
        assert ("ab" * 32).encode() not in outcome.asset.data
        assert b"private:house-model" in outcome.asset.data
        record = parts.repository.opening(outcome.asset_id)  # type: ignore[attr-defined]
        assert record.execution["model"]["repo"] == "local:codename-heron"
