"""Planning: every obligation that exists can be planned, and what cannot be done says so with its rule and pack."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sdsafe.core.decisions import Decision, Effect, FiredRule, Obligation, PolicyRef
from sdsafe.core.obligations import OBLIGATION_KINDS, obligation_mismatch
from sdsafe.core.organisation import Organisation
from sdsafe.core.plans import AigcProvider, Label
from sdsafe.core.request import PromptDisclosure, Size
from sdsafe.errors import ConfigurationError, ObligationError
from sdsafe.obligations.duties import DUTIES
from sdsafe.obligations.planning import make_plan

MEANS_SIZE = Size(width=1024, height=1024)


def _means(**others: Any) -> Any:
    from sdsafe.obligations.means import Means

    given = {"disclosure": PromptDisclosure.FULL, "organisation": Organisation(), "size": MEANS_SIZE}
    return Means(**{**given, **others})


def _decision(*obligations: Obligation) -> Decision:
    rules = tuple(
        FiredRule(rule=f"r{i}", policy="house", effect=Effect.ALLOW, because="test", obligations=(each,))
        for i, each in enumerate(obligations)
    )
    ref = PolicyRef(id="house", version="1.0.0", digest="0" * 64)
    distinct = tuple(each for i, each in enumerate(obligations) if each not in obligations[:i])
    return Decision(effect=Effect.ALLOW, policy=(ref,), fired=rules, obligations=distinct)


def _o(code: str, /, **params: Any) -> Obligation:
    return Obligation(code=code, params=params)


def test_every_kind_has_a_duty() -> None:
    assert set(OBLIGATION_KINDS) == set(DUTIES)


def test_a_plan_says_what_will_be_done() -> None:
    plan = make_plan(
        _decision(
            _o("watermark"),
            _o("sign_c2pa"),
            _o("iptc"),
            _o("visible_label", text="Made by a model", corner="top-left"),
            _o("visible_label"),
            _o("attribution", text="Powered by  Someone"),
            _o("prompt_disclosure", mode="commit"),
            _o("aigc_label"),
            _o("release_form", kind="model"),
            _o("min_megapixels", value=1),
            _o("classifier_or_review"),
            _o("disclosure", manner="as-law-requires"),
        ),
        _means(organisation=Organisation(name="House", code="001"), attestations=("release_form:model=7",)),
    )
    assert plan.labels == (
        Label(text="Made by a model", corner="top-left"),
        Label(text="AI-generated", corner="bottom-right"),
    )
    assert plan.source_type
    assert plan.attributions == ("Powered by Someone",)
    assert plan.disclosure is PromptDisclosure.COMMIT
    assert plan.aigc == AigcProvider(name="House", code="001")
    assert [demand.by for demand in plan.demands][:2] == ["house/r0", "house/r1"]


@pytest.mark.parametrize(
    ("obligation", "means", "says", "hint"),
    [
        (_o("teleport"), {}, "expected an obligation", "Correct the pack"),
        (_o("visible_label", corner="middle"), {}, "bottom-right", "Correct the pack"),
        (_o("attribution"), {}, "expected text of attribution, found nothing", "Correct the pack"),
        (_o("sign_c2pa", timestamp=True), {}, "time-stamp", "leave the pack out"),
        (_o("aigc_label"), {}, "who provides", r"\[organisation\]"),
        (_o("visible_label", text="AI生成"), {}, "no sign for '生成'", "label_font"),
        (_o("visible_label"), {"size": Size(width=64, height=64)}, "does not fit", "larger --size"),
        (_o("classifier_or_review"), {"checked": False}, "no classifier", "--unsafe-unchecked"),
        (_o("min_megapixels", value=4), {}, "1.05 megapixels, 4", "--size"),
        (_o("prompt_disclosure", mode="full"), {"disclosure": PromptDisclosure.OMIT}, "you chose omit", "full"),
        (_o("prompt_disclosure", mode="encrypted"), {}, "no auditor's key", "disclosure_recipient"),
        (
            _o("prompt_disclosure", mode="encrypted"),
            {"disclosure": PromptDisclosure.COMMIT, "sealed": True},
            "you chose commit",
            "--prompt-disclosure encrypted",
        ),
        (_o("release_form", kind="model"), {}, "signed model release", "--attest release_form:model=ID"),
        (
            _o("release_form", kind="model"),
            {"attestations": ("release_form:property=1", "release_form= ", "release_forms=1")},
            "signed model release",
            "--attest",
        ),
        (_o("human_review", roles="editor", count=2), {}, "review queue", "Leave the pack out"),
    ],
)
def test_what_cannot_be_done_names_rule_pack_and_remedy(
    obligation: Obligation, means: dict[str, Any], says: str, hint: str
) -> None:
    with pytest.raises(ObligationError, match=says) as caught:
        make_plan(_decision(_o("watermark"), obligation), _means(**means))
    assert "house/r1 obliges to" in str(caught.value)
    assert hint.replace("\\", "") in caught.value.hint
    review = obligation.code in {"human_review", "classifier_or_review"}
    assert caught.value.code == ("refused.review" if review else "refused.obligation")


def test_everything_that_stands_in_the_way_is_named_at_once() -> None:
    with pytest.raises(ObligationError) as caught:
        make_plan(_decision(_o("min_megapixels", value=9), _o("human_review")), _means())
    assert "house/r0" in str(caught.value)
    assert "house/r1" in str(caught.value)
    assert caught.value.code == "refused.obligation"


@pytest.mark.parametrize(
    "pair",
    [
        (_o("prompt_disclosure", mode="commit"), _o("prompt_disclosure", mode="omit")),
        (_o("aigc_label", code="1"), _o("aigc_label", code="2")),
    ],
)
def test_rules_that_contradict_each_other_refuse(pair: tuple[Obligation, Obligation]) -> None:
    with pytest.raises(ObligationError, match="house/r1"):
        make_plan(_decision(*pair), _means())


def test_less_of_the_prompt_is_shown_without_asking_and_more_never() -> None:
    wanted = _decision(_o("prompt_disclosure", mode="omit"))
    assert make_plan(wanted, _means()).disclosure is PromptDisclosure.OMIT
    chosen = _means(disclosure=PromptDisclosure.OMIT)
    assert make_plan(_decision(), chosen).disclosure is PromptDisclosure.OMIT
    sealed = _decision(_o("prompt_disclosure", mode="encrypted"))
    assert make_plan(sealed, _means(sealed=True)).disclosure is PromptDisclosure.ENCRYPTED
    commits = _means(disclosure=PromptDisclosure.ENCRYPTED, sealed=True)
    assert make_plan(_decision(_o("prompt_disclosure", mode="commit")), commits).disclosure is PromptDisclosure.COMMIT


def test_an_attestation_without_kind_speaks_for_every_kind() -> None:
    means = _means(attestations=("release_form=2026-7",))
    assert make_plan(_decision(_o("release_form", kind="model"), _o("release_form")), means).demands


def test_an_unreadable_font_is_an_error_of_the_settings(tmp_path: Any) -> None:
    broken = tmp_path / "font.ttf"
    broken.write_bytes(b"no font")
    with pytest.raises(ConfigurationError, match="label_font"):
        make_plan(_decision(_o("visible_label")), _means(label_font=broken))


def test_a_size_that_is_not_known_yet_is_not_held_against_it() -> None:
    means = replace(_means(), size=None)
    assert make_plan(_decision(_o("min_megapixels", value=4), _o("visible_label")), means).labels


@pytest.mark.parametrize(
    ("code", "params", "expected"),
    [
        ("watermark", {"strength": 1}, "parameters of watermark: none"),
        ("min_megapixels", {"value": True}, "a whole number"),
        ("min_megapixels", {"value": 0}, "1 to 1000"),
        ("attribution", {"text": " "}, "1 to 400"),
        ("attribution", {"text": "two\nlines"}, "one line"),
        ("prompt_disclosure", {"mode": "half"}, "full, encrypted, commit, omit"),
        ("sign_c2pa", {"timestamp": "yes"}, "true or false"),
    ],
)
def test_parameters_are_typed(code: str, params: dict[str, object], expected: str) -> None:
    mismatch = obligation_mismatch(code, params)
    assert mismatch is not None
    assert expected in mismatch[0]
