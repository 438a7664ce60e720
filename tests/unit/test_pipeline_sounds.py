"""Sounds on the spine: judged, signed and recorded as pictures are; not marked, and never said to be."""

from __future__ import annotations

import io
import wave
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe._internal import wav
from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.core.places import Places
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.request import GenerationRequest, PromptDisclosure, Task
from sdsafe.core.states import Asset, Generated, Recorded, Refused
from sdsafe.errors import ConfigurationError, OutputRefusedError, WatermarkError
from sdsafe.gates.policy.check import LexiconCheck
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import load_policies
from sdsafe.parts import UnsafeNoOutputCheck
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.testing.pipeline import fake_parts, fake_pipeline
from sdsafe.testing.sounds import FakeSoundGenerator

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sdsafe.core.states import Outcome

RATE = 8000
REQUEST = GenerationRequest(prompt="rain on a tin roof", task=Task.AUDIO, seed=7, seconds=0.5)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(state=tmp_path, cache=tmp_path / "cache")


def _run(places: Places, request: GenerationRequest = REQUEST, **parts: Any) -> tuple[Outcome, ...]:
    return fake_pipeline(places, **{"generator": FakeSoundGenerator(), **parts}).run(request)


def _released(places: Places, request: GenerationRequest = REQUEST, **parts: Any) -> Recorded:
    (outcome,) = _run(places, request, **parts)
    assert isinstance(outcome, Recorded), outcome
    return outcome


def _refused(places: Places, request: GenerationRequest = REQUEST, **parts: Any) -> Refused:
    (outcome,) = _run(places, request, **parts)
    assert isinstance(outcome, Refused), outcome
    return outcome


def _generation(recorded: Recorded) -> dict[str, Any]:
    seen, _ = ManifestProbe().look(recorded.asset, Evidence())
    assert seen.manifest is ManifestState.VALID
    assert seen.summary is not None
    return dict(seen.summary.generation)


def test_a_sound_is_released_as_a_signed_wav_that_others_can_play(places: Places) -> None:
    recorded = _released(places)
    assert recorded.asset.media_type == "audio/wav"
    assert recorded.asset.name == f"{recorded.asset_id}.wav"
    with wave.open(io.BytesIO(recorded.asset.data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (2, 2, RATE, 4000)
    sound = wav.decode(recorded.asset.data)
    assert recorded.generated.sound is not None
    assert sound.sha256 == recorded.generated.sound.sha256


def test_the_manifest_says_what_was_made_and_that_it_carries_no_mark(places: Places) -> None:
    recorded = _released(places)
    said = _generation(recorded)
    assert said["task"] == "audio"
    assert said["sound"] == {"rate": RATE, "channels": 2, "samples": 4000, "seconds": "0.5"}
    assert said["sound_sha256"] == wav.decode(recorded.asset.data).sha256
    assert said["seconds"] == "0.5"
    assert said["watermark"] == {"not_applied": "no audio watermark was applied: nothing here marks sounds"}
    assert said["fingerprints"] == []
    assert not {"size", "pixels_sha256", "guidance"} & said.keys()


def test_checks_of_pictures_are_not_asked_and_that_is_said(places: Places) -> None:
    said = _generation(_released(places))
    assert said["checks_not_applicable"] == ["fake-output-check"]
    (check,) = [each for each in said["checks"] if each["stage"] == "output"]
    assert (check["name"], check["status"]) == ("sound-signal", "ok")
    assert {each["category"]: each["score"] for each in check["findings"]}.keys() == {
        "sound_silence",
        "sound_clipping",
        "sound_offset",
        "sound_shortfall",
    }
    rules = [each["rule"] for each in said["decisions"]["output"]["rules"]]
    assert rules == ["sound-not-heard"]


def test_the_actions_say_created_by_a_model_and_no_more(places: Places) -> None:
    _, reading = ManifestProbe().look(_released(places).asset, Evidence())
    assertions: Any = reading.manifest["assertions"]
    (actions,) = [each["actions"] for label, each in assertions.items() if label.startswith("c2pa.actions")]
    assert [each["action"] for each in actions] == ["c2pa.created"]
    assert actions[0]["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert actions[0]["parameters"]["org.sdsafe.seconds"] == "0.5"
    assert not [label for label in assertions if "soft-binding" in label]


def test_a_changed_sample_is_found_out(places: Places) -> None:
    data = bytearray(_released(places).asset.data)
    data[60] ^= 1
    seen, _ = ManifestProbe().look(Asset(data=bytes(data), media_type="audio/wav"), Evidence())
    assert seen.manifest is not ManifestState.VALID
    assert "assertion.dataHash.mismatch" in {each.code for each in seen.findings}


def test_record_and_ledger_know_it_and_no_soft_binding_leads_to_it(places: Places) -> None:
    parts = fake_parts(places, generator=FakeSoundGenerator())
    from sdsafe.pipeline import Pipeline

    (recorded,) = Pipeline(parts).run(REQUEST)
    assert isinstance(recorded, Recorded)
    assert parts.repository.has(recorded.asset_id)
    assert recorded.receipt.entry.asset_sha256
    record: Any = parts.repository
    (info,) = record.list_records()
    assert info.media_type == "audio/wav"
    opened = record.opening(recorded.asset_id)
    assert opened.parameters["seconds"] == 0.5
    assert opened.execution["sound_sha256"] == _generation(recorded)["sound_sha256"]
    assert recorded.signed.encoded.soft_bindings == ()


def test_what_is_handed_over_holds_no_samples_but_the_file(places: Places) -> None:
    generated = _released(places).generated
    assert generated.sound is not None
    assert len(generated.sound.samples) == 0
    assert generated.sound.sha256


def test_every_sound_of_a_request_is_its_own(places: Places) -> None:
    first, second = _run(places, replace(REQUEST, count=2))
    assert isinstance(first, Recorded)
    assert isinstance(second, Recorded)
    assert (first.seed, second.seed) == (7, 8)
    assert wav.decode(first.asset.data).sha256 != wav.decode(second.asset.data).sha256


def test_the_same_request_gives_the_same_samples(places: Places) -> None:
    one, two = _released(places), _released(places)
    assert wav.decode(one.asset.data).sha256 == wav.decode(two.asset.data).sha256
    assert one.asset_id != two.asset_id


@pytest.mark.parametrize("mode", [PromptDisclosure.FULL, PromptDisclosure.COMMIT, PromptDisclosure.OMIT])
def test_the_prompt_is_shown_as_the_mode_says(places: Places, mode: PromptDisclosure) -> None:
    recorded = _released(places, disclosure=mode)
    assert _generation(recorded)["prompt"]["disclosure"] == mode.value
    assert (b"tin roof" in recorded.asset.data) == (mode is PromptDisclosure.FULL)


def test_the_prompt_gate_stands_before_sounds_too(places: Places) -> None:
    generator = FakeSoundGenerator()
    refused = _refused(places, replace(REQUEST, prompt="sdsafe-canary-refuse-me"), generator=generator)
    assert refused.reason == "refused.prompt"
    assert generator.made == 0


@pytest.mark.parametrize(
    ("generator", "rule"),
    [(FakeSoundGenerator(volume=0), "sound-silent"), (FakeSoundGenerator(missing=0.6), "sound-cut")],
)
def test_what_is_no_sound_does_not_leave(places: Places, generator: FakeSoundGenerator, rule: str) -> None:
    refused = _refused(places, generator=generator)
    assert refused.reason == "refused.output"
    assert rule in refused.message


def test_a_distorted_sound_leaves_and_says_so(places: Places) -> None:
    said = _generation(_released(places, generator=FakeSoundGenerator(volume=3)))
    assert "sound-distorted" in [each["rule"] for each in said["decisions"]["output"]["rules"]]


_HEAD = "format: sdsafe.policy/1\nid: house\nversion: 1.0.0\ntitle: t\ndescription: d\nextends: [baseline]\nrules:\n"


def _house(tmp_path: Path, rule: str) -> dict[str, Any]:
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "policy.yaml").write_text(_HEAD + rule)
    loaded = load_policies([str(tmp_path / "house")])
    return {"policy": PackPolicy(loaded), "prompt_checks": (LexiconCheck(loaded),)}


@pytest.mark.parametrize(
    "code",
    [
        "{code: watermark}",
        "{code: visible_label}",
        "{code: blur}",
        "{code: classifier_or_review}",
        "{code: iptc}",
        "{code: attribution, params: {text: by us}}",
        "{code: min_megapixels, params: {value: 1}}",
        "{code: aigc_label, params: {code: '1'}}",
    ],
)
def test_an_obligation_that_only_a_picture_meets_refuses_before_anything_is_made(
    places: Places, tmp_path: Path, code: str
) -> None:
    rule = f"  - {{id: duty, stage: prompt, when: 'true', effect: transform, because: b, obligations: [{code}]}}\n"
    if "blur" not in code and "visible_label" not in code:
        rule = rule.replace("effect: transform", "effect: allow")
    generator = FakeSoundGenerator()
    refused = _refused(places, generator=generator, **_house(tmp_path, rule))
    assert refused.reason == "refused.obligation"
    assert "met by pictures only" in refused.message
    assert generator.made == 0


def test_a_rule_that_needs_the_score_of_a_picture_lets_no_sound_out(places: Places, tmp_path: Path) -> None:
    rule = "  - {id: strict, stage: output, when: score.nudity >= 0.1, effect: deny, because: b}\n"
    generator = FakeSoundGenerator()
    refused = _refused(places, generator=generator, **_house(tmp_path, rule))
    assert refused.reason == "refused.output"
    assert "no check measured nudity" in refused.message
    assert generator.made == 0  # it is known before: no check of sounds will ever say


def test_a_rule_about_what_a_plug_in_hears_waits_for_it(places: Places, tmp_path: Path) -> None:
    rule = "  - {id: voices, stage: output, when: score.voice >= 0.5, effect: deny, because: b}\n"
    category = "categories: {voice: {stage: output, scored: true, description: a voice}}\n"
    generator = FakeSoundGenerator()
    refused = _refused(places, generator=generator, **_house(tmp_path, f"{rule}{category}"))
    assert "no check measured voice" in refused.message
    assert generator.made == 1


@pytest.mark.parametrize("pack", ["eu-code-of-practice", "us-ca-sb942", "cn-aigc", "enterprise-strict", "getty"])
def test_shipped_packs_that_do_not_speak_of_sounds_let_none_be_made(places: Places, pack: str) -> None:
    loaded = load_policies(["baseline", pack])
    generator = FakeSoundGenerator()
    request = replace(REQUEST, intended_use="commercial")
    refused = _refused(
        places, request, generator=generator, policy=PackPolicy(loaded), prompt_checks=(LexiconCheck(loaded),)
    )
    assert pack in {rule.policy for rule in refused.decision.fired}
    assert generator.made == 0


def test_a_sound_does_not_wait_for_people(places: Places) -> None:
    generator = FakeSoundGenerator()
    from sdsafe import plugins

    queue = plugins.load("sdsafe.reviews", "queue", places)
    refused = _refused(places, replace(REQUEST, prompt="a beheading"), generator=generator, reviews=queue)
    assert refused.reason == "refused.review"
    assert "graphic-violence" in refused.message
    assert generator.made == 0


def test_without_a_check_of_sounds_none_is_made(places: Places) -> None:
    generator = FakeSoundGenerator()
    with pytest.raises(ConfigurationError, match="sound_checks"):
        _run(places, generator=generator, sound_checks=())
    assert generator.made == 0


def test_a_check_of_sounds_that_fails_refuses(places: Places) -> None:
    class Broken:
        name, version = "broken", "1"

        def check(self, _generated: Generated, /) -> Iterable[Finding]:
            raise RuntimeError

    refused = _refused(places, sound_checks=(Broken(),))
    assert refused.reason == "refused.output"
    assert "broken ended error" in refused.message


def test_a_check_of_sounds_cannot_change_what_it_hears(places: Places) -> None:
    class Changing:
        name, version = "changing", "1"

        def check(self, generated: Generated, /) -> Iterable[Finding]:
            assert generated.sound is not None
            with pytest.raises(ValueError, match="read-only"):
                generated.sound.samples[0] = 0
            for each in ("silence", "clipping", "offset", "shortfall"):
                yield Finding(
                    code="output.test",
                    severity=Severity.INFORMATIONAL,
                    stage=Stage.OUTPUT,
                    source=self.name,
                    source_version=self.version,
                    category=f"sound_{each}",
                    score=0.0,
                )

    assert _released(places, sound_checks=(Changing(),)).seed == 7


def test_unchecked_sounds_say_so(places: Places) -> None:
    said = _generation(_released(places, output_checks=UnsafeNoOutputCheck()))
    assert said["unchecked"] is True
    assert [each for each in said["checks"] if each["stage"] == "output"] == []


def test_a_failed_delivery_withdraws_a_sound(places: Places) -> None:
    from sdsafe.pipeline import Pipeline

    parts = fake_parts(places, generator=FakeSoundGenerator())

    def fail(_recorded: Recorded) -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        Pipeline(parts).run(REQUEST, deliver=fail)
    ledger: Any = parts.ledger
    assert [each.entry.kind.value for each in ledger.entries()] == ["released", "withdrawn"]


def test_what_the_hard_layer_refuses_is_erased(monkeypatch: pytest.MonkeyPatch) -> None:
    from sdsafe.gates.hard import gate
    from sdsafe.gates.hard.composition import HardCategory
    from sdsafe.testing.samples import sample_admitted

    monkeypatch.setattr(gate, "composed", lambda *_given, **_named: HardCategory.UNREAD)
    (generated,) = FakeSoundGenerator().generate(sample_admitted(REQUEST))
    assert generated.sound is not None
    assert generated.sound.samples.any()
    with pytest.raises(OutputRefusedError):
        gate.require_permitted_output(generated, (), None)
    assert not generated.sound.samples.any()


def test_a_picture_without_a_mark_does_not_leave_as_a_sound_does(places: Places) -> None:
    from sdsafe import egress
    from sdsafe.testing.samples import sample_signed

    marked = replace(sample_signed().encoded.marked, watermark=None)
    with pytest.raises(WatermarkError) as caught:
        egress.encode(fake_parts(places), marked)
    assert caught.value.code == "watermark.missing"
