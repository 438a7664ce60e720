"""Discharging: evidence comes from the file, and what the file does not show is not done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sdsafe.core.decisions import Discharge, Obligation
from sdsafe.core.findings import CheckResult, CheckStatus, Finding, Severity, Stage
from sdsafe.core.plans import Demand, Label, Plan
from sdsafe.core.report import ManifestSummary
from sdsafe.core.request import PromptDisclosure
from sdsafe.core.softbinding import Detection
from sdsafe.obligations import label
from sdsafe.obligations.discharging import discharge, undone
from sdsafe.obligations.means import Finished
from sdsafe.testing.samples import sample_picture

TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
LABEL = Label(text="AI-generated", corner="bottom-right")


def _check(**others: Any) -> CheckResult:
    finding = Finding(
        code="x", severity=Severity.INFORMATIONAL, stage=Stage.OUTPUT, source="c", source_version="1", score=0.1
    )
    given = {"check": "c", "version": "1", "status": CheckStatus.OK, "stage": Stage.OUTPUT, "findings": (finding,)}
    return CheckResult(**{**given, **others})


def _manifest(**others: Any) -> ManifestSummary:
    given = {"label": "urn:c2pa:x", "generation": {"prompt": {"disclosure": "commit"}}, "source_types": (TRAINED,)}
    rest = dict.fromkeys(("claim_generator", "signer", "issuer"), "") | {
        "signature_time": None,
        "trust_list": None,
        "asset_id": None,
    }
    return ManifestSummary(**{**rest, **given, **others})


FINISHED = Finished(
    pixels=label.draw(sample_picture(height=1024, width=1024), [LABEL], None),
    readback=Detection(payload=b"12345678", alg="test.lsb"),
    watermark=b"12345678",
    declared=lambda obligation: Discharge(obligation=obligation, evidence="read back", ok=True),
    checks=(_check(),),
    attestations=("release_form=7",),
    labels=(LABEL,),
    manifest=_manifest(),
)


def _blank(obligation: Obligation) -> Discharge:
    return Discharge(obligation=obligation, evidence="no metadata read back", ok=False)


MET: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # code, parameters, and what has to change in the file so that it is no longer met
    ("watermark", {}, {"readback": Detection(payload=None, alg="test.lsb")}),
    ("sign_c2pa", {}, {}),
    ("iptc", {}, {"declared": _blank}),
    ("aigc_label", {"code": "001"}, {"declared": _blank}),
    ("visible_label", {}, {"pixels": sample_picture(height=1024, width=1024)}),
    ("classifier_or_review", {}, {"checks": (_check(status=CheckStatus.ERROR),)}),
    ("classifier_or_review", {}, {"checks": ()}),
    ("attribution", {"text": "Powered by Someone"}, {"declared": _blank}),
    ("min_megapixels", {"value": 1}, {"pixels": np.zeros((1000, 999, 3), np.uint8)}),
    ("prompt_disclosure", {"mode": "commit"}, {"manifest": _manifest(generation={"prompt": {"disclosure": "full"}})}),
    ("release_form", {"kind": "model"}, {"attestations": ("release_form:property=7",)}),
    ("disclosure", {"manner": "as-law-requires"}, {"manifest": _manifest(source_types=())}),
]
NEVER: list[tuple[str, dict[str, Any]]] = [
    ("human_review", {}),
    ("sign_c2pa", {"timestamp": True}),
    ("teleport", {}),
    ("min_megapixels", {"value": 2}),
]


def _plan(code: str, params: dict[str, Any]) -> Plan:
    demand = Demand(obligation=Obligation(code=code, params=params), rules=())
    return Plan(demands=(demand,), disclosure=PromptDisclosure.FULL)


@pytest.mark.parametrize(("code", "params", "spoilt"), MET)
def test_what_the_file_shows_is_discharged_and_what_it_lacks_is_not(
    code: str, params: dict[str, Any], spoilt: dict[str, Any]
) -> None:
    (shown,) = discharge(_plan(code, params), FINISHED)
    assert shown.ok
    assert shown.evidence
    assert undone(_plan(code, params), (shown,)) == ""
    if spoilt:
        (lacking,) = discharge(_plan(code, params), replace(FINISHED, **spoilt))
        assert not lacking.ok
        assert code in undone(_plan(code, params), (lacking,))


@pytest.mark.parametrize(("code", "params"), NEVER)
def test_what_nobody_can_show_is_not_done(code: str, params: dict[str, Any]) -> None:
    (shown,) = discharge(_plan(code, params), FINISHED)
    assert not shown.ok


@pytest.mark.parametrize("code", ["sign_c2pa", "prompt_disclosure", "disclosure"])
def test_before_signing_nothing_is_said_of_what_only_the_signed_file_shows(code: str) -> None:
    assert discharge(_plan(code, {"mode": "commit"}), replace(FINISHED, manifest=None)) == ()


def test_an_obligation_that_was_never_looked_at_is_undone() -> None:
    assert "watermark" in undone(_plan("watermark", {}), ())


def test_evidence_does_not_name_the_form() -> None:
    (shown,) = discharge(_plan("release_form", {}), replace(FINISHED, attestations=("release_form=jane-doe",)))
    assert shown.ok
    assert "jane" not in shown.evidence
