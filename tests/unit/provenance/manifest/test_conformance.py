"""The questions of the conformance program: our files pass all, and each question finds what it is there for."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sdsafe.core.states import Asset
from sdsafe.provenance.manifest import _c2pa, _vocabulary
from sdsafe.provenance.manifest.conformance import CHECKS, conformance

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARENT = {"relationship": "parentOf", "dc:title": "a parent"}


@pytest.fixture(scope="module")
def manifest(signed_png: Path) -> dict[str, Any]:
    reading = _c2pa.read(Asset(data=signed_png.read_bytes(), media_type="image/png"))
    return dict(reading.manifest)


def actions(m: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = m["assertions"]["c2pa.actions.v2"]["actions"]
    return found


def only_opened(m: dict[str, Any], **more: Any) -> None:
    m["assertions"]["c2pa.actions.v2"] = {"actions": [{"action": "c2pa.opened", **more}]}


def one_ingredient(m: dict[str, Any], **more: Any) -> None:
    m["assertions"]["c2pa.ingredient.v3__9"] = {**PARENT, **more}


def failing(m: dict[str, Any], code: str) -> None:
    m["validationResults"]["failure"].append({"code": code})


MUTANTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "mandatory_dst_for_perceptible_transformations": lambda m: actions(m).append({"action": "c2pa.edited"}),
    "mandatory_spec_version": lambda m: m["claim.v2"]["claim_generator_info"].update(specVersion="2.3.0"),
    "mandatory_all_actions_included": lambda m: m["assertions"]["c2pa.actions.v2"].pop("allActionsIncluded"),
    "no_dst_for_opened_action": lambda m: actions(m).append({"action": "c2pa.opened", "digitalSourceType": "x"}),
    "well_formed_data_present": lambda m: m.pop("validationResults"),
    "well_formed_success": lambda m: failing(m, "claim.malformed"),
    "valid_data_present": lambda m: m.pop("validationResults"),
    "valid_success": lambda m: failing(m, "assertion.dataHash.mismatch"),
    "inception_action_position": lambda m: actions(m).reverse(),
    "no_deprecated_assertions": lambda m: m["assertions"].update({"stds.schema-org.CreativeWork": {}}),
    "no_unsupported_assertions": lambda m: m["assertions"].update({"c2pa.something__2": {}}),
    "no_deprecated_actions": lambda m: actions(m).append({"action": "c2pa.watermarked"}),
    "no_unsupported_actions": lambda m: actions(m).append({"action": "c2pa.invented", "digitalSourceType": "x"}),
    "no_unrecognized_custom_assertions": lambda m: m["assertions"].update({"mine": {}}),
    "no_unrecognized_custom_actions": lambda m: actions(m).append({"action": "painted"}),
    "no_unrecognized_custom_action_parameters": lambda m: actions(m)[0]["parameters"].update(seed=1),
    "discouraged_legacy_action_parameters": lambda m: actions(m)[0]["parameters"].update(description="waves"),
    "active_manifest_urn": lambda m: m.update(label="urn:uuid:1"),
    "review_ratings_datasource": lambda m: m["assertions"].update(
        {"org.x": {"reviewRatings": [], "dataSource": {"type": "humanEntry.anonymous"}}}
    ),
    "ingredient_v3_no_active_manifest": lambda m: one_ingredient(m, validationResults={}),
    "ingredient_v3_mandatory_validation_results": lambda m: one_ingredient(m, activeManifest={"url": "x"}),
    "ingredient_relationship_values": lambda m: one_ingredient(m, relationship="cousinOf"),
    "mandatory_dst_for_created_action": lambda m: actions(m)[0].pop("digitalSourceType"),
    "no_deprecated_claim_fields": lambda m: m["claim.v2"].update(specVersion="2.4"),
    "ingredient_v3_choice": lambda m: one_ingredient(m, activeManifest={}, validationResults={}, digitalSourceType="x"),
    "alternative_content_representation_choice": lambda m: m["assertions"].update(
        {"c2pa.alternative-content-representation": {"type": "exif.originalPreservationImage", "parameters": {}}}
    ),
    "forbidden_labels_in_external_references": lambda m: m["assertions"].update(
        {"c2pa.external-reference": {"label": "c2pa.hash.data", "url": "https://x.example"}}
    ),
    "no_url_in_hashes": lambda m: m["assertions"]["c2pa.hash.data"].update(url="https://x.example"),
    "all_actions_included_opened": lambda m: only_opened(m, parameters={"ingredients": [{}]}),
    "opened_action_ingredient_reference": only_opened,
    "no_box_hash_for_tiff": lambda m: m["assertions"].update(
        {"c2pa.hash.boxes": {}, "c2pa.asset-type.v2": {"dc:format": "image/tiff"}}
    ),
}


def test_what_we_release_passes_every_question(manifest: dict[str, Any]) -> None:
    results = conformance(manifest)
    assert len(results) == len(CHECKS) == 31
    assert [each.check.id for each in results if not each.passed] == []


def test_there_is_a_mutant_for_every_question() -> None:
    assert list(MUTANTS) == [check.id for check in CHECKS]


@pytest.mark.parametrize("check", MUTANTS)
def test_each_question_finds_its_mutant(manifest: dict[str, Any], check: str) -> None:
    mutant = copy.deepcopy(manifest)
    MUTANTS[check](mutant)
    failed = {each.check.id: each.found for each in conformance(mutant) if not each.passed}
    assert failed.get(check)


@pytest.mark.parametrize(
    "hostile",
    [
        {},
        {"assertions": [], "claim.v2": "x", "label": 7, "validationResults": []},
        {"assertions": {"c2pa.actions.v2": {"actions": "x"}}, "validationResults": {"failure": {"code": 1}}},
        {"assertions": {"c2pa.actions.v2": {"actions": [None, {"action": 5, "parameters": []}]}, "x": None}},
    ],
    ids=["empty", "types", "texts", "nothing"],
)
def test_a_hostile_report_raises_nothing_and_passes_nothing_that_matters(hostile: dict[str, Any]) -> None:
    failed = {each.check.id for each in conformance(hostile) if not each.passed}
    assert {"active_manifest_urn", "inception_action_position", "mandatory_spec_version"} <= failed


def test_the_questions_are_those_of_the_published_rubric(shared_data: Path) -> None:
    path = shared_data / "conformance" / "asset-rubric-conformance0.2-spec2.4.yml"
    head, rules = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    assert [f"validation:{check.id}" for check in CHECKS] == [rule["id"] for rule in rules]
    assert {check.id for check in CHECKS if check.warns} == {
        rule["id"].removeprefix("validation:") for rule in rules if rule.get("warnIfMatched")
    }
    theirs = head["variables"]
    assert set(theirs["$allowed_assertions"]) == _vocabulary.ASSERTIONS
    assert set(theirs["$allowed_actions"]) == _vocabulary.ACTIONS
    assert set(theirs["$deprecated_assertion_labels"]) == _vocabulary.DEPRECATED_ASSERTIONS
    assert set(theirs["$deprecated_action_labels"]) == _vocabulary.DEPRECATED_ACTIONS
    assert set(theirs["$standard_parameters"]) == _vocabulary.PARAMETERS
    missing = {"MISSING_VALIDATION_RESULTS"}
    assert set(theirs["$well_formed_error_codes"]) == _vocabulary.STRUCTURE_FAILURES | missing
    assert set(theirs["$valid_error_codes"]) == _vocabulary.VALIDITY_FAILURES | missing
    exempt = ("$inception_actions", "$non_editorial_actions", "$dst_exempt_perceptible_actions")
    assert {each for name in exempt for each in theirs[name]} == _vocabulary.NEEDS_NO_SOURCE
