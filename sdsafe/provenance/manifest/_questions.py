"""The questions of the rubric, in its order: name, what has to be the case, clause, and what finds what is amiss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from sdsafe._internal.shapes import mapping, mappings, text
from sdsafe.provenance.manifest._shown import MISSING, Json, Manifest
from sdsafe.provenance.manifest._vocabulary import (
    ACTIONS,
    ASSERTIONS,
    DEPRECATED_ACTIONS,
    DEPRECATED_ASSERTIONS,
    NEEDS_NO_SOURCE,
    PARAMETERS,
    STRUCTURE_FAILURES,
    VALIDITY_FAILURES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["CHECKS", "Check"]

_Find: TypeAlias = "Callable[[Manifest], Iterable[str]]"

_SPEC_VERSION = ("2", "4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question of the rubric."""

    id: str
    """Name in the rubric, without its prefix ``validation:``."""
    says: str
    """What has to be the case."""
    section: str = ""
    """Of the C2PA specification, where the rubric names one."""
    find: _Find
    """Yields what is amiss."""
    warns: bool = False
    """True: the rubric discourages it, and does not fail the asset for it."""


_asked: list[Check] = []


def _asks(name: str, says: str, section: str = "", *, warns: bool = False) -> Callable[[_Find], _Find]:
    """Make a question of the function below."""

    def asked(find: _Find) -> _Find:
        _asked.append(Check(id=name, says=says, section=section, find=find, warns=warns))
        return find

    return asked


def _name(action: Json) -> str:
    return text(action.get("action"))


def _title(ingredient: Json) -> str:
    return text(ingredient.get("dc:title")) or "an ingredient"


@_asks("mandatory_dst_for_perceptible_transformations", "every action that can be seen names its digital source type")
def _without_source(manifest: Manifest) -> Iterator[str]:
    for action in manifest.actions:
        name = _name(action)
        if name.startswith("c2pa.") and name not in NEEDS_NO_SOURCE and action.get("digitalSourceType") is None:
            yield name


@_asks("mandatory_spec_version", "the claim generator states specVersion 2.4")
def _other_version(manifest: Manifest) -> Iterator[str]:
    info = manifest.claim.get("claim_generator_info")
    first = mappings(info)[0] if mappings(info) else mapping(info)
    stated = first.get("specVersion")
    if stated is None:
        yield "missing"
    elif not isinstance(stated, str) or tuple(stated.split(".")[:2]) != _SPEC_VERSION:
        yield str(stated)


@_asks("mandatory_all_actions_included", "actions say whether they are all")
def _actions_left_open(manifest: Manifest) -> Iterator[str]:
    for label, body in manifest.assertions.items():
        if mapping(body).get("actions") is not None and mapping(body).get("allActionsIncluded") is None:
            yield label


@_asks("no_dst_for_opened_action", "opening names no digital source type")
def _source_of_opened(manifest: Manifest) -> Iterator[str]:
    for action in manifest.actions:
        if _name(action) == "c2pa.opened" and action.get("digitalSourceType") is not None:
            yield text(action.get("digitalSourceType"))


@_asks("well_formed_data_present", "there are validation results")
def _no_results(manifest: Manifest) -> Iterator[str]:
    if manifest.results is None:
        yield MISSING


@_asks("well_formed_success", "the structure has no failure")
def _structure(manifest: Manifest) -> Iterator[str]:
    yield from (code for code in manifest.failures if code in STRUCTURE_FAILURES or code == MISSING)


@_asks("valid_data_present", "there are validation results on integrity")
def _no_results_on_integrity(manifest: Manifest) -> Iterator[str]:
    if manifest.results is None:
        yield MISSING


@_asks("valid_success", "nothing mismatches")
def _validity(manifest: Manifest) -> Iterator[str]:
    yield from (code for code in manifest.failures if code in VALIDITY_FAILURES or code == MISSING)


@_asks("inception_action_position", "creating or opening comes first", "2.2, 18.14.2")
def _late_inception(manifest: Manifest) -> Iterator[str]:
    urls = [text(each.get("url")) for each in mappings(manifest.claim.get("created_assertions"))]
    first = next((url for url in urls if "c2pa.actions" in url), "")
    if not first.endswith("c2pa.actions.v2"):
        yield first or "no actions assertion was created"
        return
    names = [_name(each) for each in manifest.actions]
    if "c2pa.created" in names and names[0] not in {"c2pa.created", "c2pa.opened"}:
        yield names[0]


@_asks("no_deprecated_assertions", "no assertion is deprecated", "2.2, 6.3")
def _deprecated_assertions(manifest: Manifest) -> Iterator[str]:
    yield from (each for each in manifest.assertions if each.startswith("stds.") or each in DEPRECATED_ASSERTIONS)


@_asks("no_unsupported_assertions", "C2PA's assertions are known ones", "2.2, 6.2")
def _unknown_assertions(manifest: Manifest) -> Iterator[str]:
    known = ASSERTIONS | DEPRECATED_ASSERTIONS
    for label in manifest.assertions:
        if label.startswith("c2pa.") and label.split("__")[0] not in known:
            yield label


@_asks("no_deprecated_actions", "no action is deprecated", "2.2, 18.14.11")
def _deprecated_actions(manifest: Manifest) -> Iterator[str]:
    yield from (_name(each) for each in manifest.actions if _name(each) in DEPRECATED_ACTIONS)


@_asks("no_unsupported_actions", "C2PA's actions are known ones", "2.2, 18.14")
def _unknown_actions(manifest: Manifest) -> Iterator[str]:
    names = (_name(each) for each in manifest.actions)
    yield from (name for name in names if name.startswith("c2pa.") and name not in ACTIONS)


@_asks("no_unrecognized_custom_assertions", "others have a namespace", "2.2, 6.2.2")
def _nameless_assertions(manifest: Manifest) -> Iterator[str]:
    yield from (each for each in manifest.assertions if "." not in each)


@_asks("no_unrecognized_custom_actions", "other actions have a namespace", "2.2, 18.14")
def _nameless_actions(manifest: Manifest) -> Iterator[str]:
    yield from (_name(each) for each in manifest.actions if "." not in _name(each))


@_asks("no_unrecognized_custom_action_parameters", "other parameters have a namespace", "2.2, 18.14.4.7")
def _nameless_parameters(manifest: Manifest) -> Iterator[str]:
    for action in manifest.actions:
        names = mapping(action.get("parameters"))
        yield from (name for name in names if name not in PARAMETERS and "." not in name)


@_asks(
    "discouraged_legacy_action_parameters",
    "description and ingredients stand where version 2 has them",
    "2.2, 18.14.4.1",
    warns=True,
)
def _misplaced_parameters(manifest: Manifest) -> Iterator[str]:
    for action in manifest.actions:
        given = mapping(action.get("parameters"))
        if given.get("description") is not None or given.get("ingredient") is not None:
            yield _name(action) or "unknown"


@_asks("active_manifest_urn", "the manifest's name begins with urn:c2pa:", "2.2, 8.1")
def _old_label(manifest: Manifest) -> Iterator[str]:
    if not manifest.label.startswith("urn:c2pa:"):
        yield manifest.label or "no label"


@_asks("review_ratings_datasource", "what people entered has no ratings", "2.2, 18.3.3")
def _reviewed_by_people(manifest: Manifest) -> Iterator[str]:
    for body in manifest.bodies:
        source = mapping(body.get("dataSource")).get("type")
        if body.get("reviewRatings") is not None and source in {"humanEntry.anonymous", "humanEntry.credentialed"}:
            yield str(source)


@_asks(
    "ingredient_v3_no_active_manifest", "ingredients without a manifest have no validation results", "2.2, 18.15.12.4.3"
)
def _results_without_manifest(manifest: Manifest) -> Iterator[str]:
    for each in manifest.ingredients:
        if each.get("activeManifest") is None and each.get("validationResults") is not None:
            yield _title(each)


@_asks(
    "ingredient_v3_mandatory_validation_results",
    "ingredients with a manifest have validation results",
    "2.2, 18.15.12.4.3",
)
def _manifest_without_results(manifest: Manifest) -> Iterator[str]:
    for each in manifest.ingredients:
        if each.get("activeManifest") is not None and each.get("validationResults") is None:
            yield _title(each)


@_asks("ingredient_relationship_values", "relationships are known ones", "2.2, 18.15.3")
def _odd_relationships(manifest: Manifest) -> Iterator[str]:
    for each in manifest.ingredients:
        if each.get("relationship") not in {"parentOf", "inputTo", "componentOf"}:
            yield str(each.get("relationship"))


@_asks("mandatory_dst_for_created_action", "creating names a digital source type", "2.2, 18.14.2")
def _created_without_source(manifest: Manifest) -> Iterator[str]:
    for action in manifest.actions:
        if _name(action) == "c2pa.created" and action.get("digitalSourceType") is None:
            yield "c2pa.created"


@_asks("no_deprecated_claim_fields", "the claim has no field of old", "2.4, 10.2.3.2")
def _old_claim_fields(manifest: Manifest) -> Iterator[str]:
    if manifest.claim.get("specVersion") is not None:
        yield "specVersion in claim"


@_asks("ingredient_v3_choice", "an ingredient has a manifest or a digital source type, not both", "2.4, 18.16.12.3")
def _manifest_and_source(manifest: Manifest) -> Iterator[str]:
    for each in manifest.ingredients:
        if each.get("activeManifest") is not None and each.get("digitalSourceType") is not None:
            yield _title(each)


@_asks("alternative_content_representation_choice", "a preserved original stands in one place", "2.4, 15.10.3.2.7")
def _undecided_preservation(manifest: Manifest) -> Iterator[str]:
    for body in manifest.bodies:
        given = mapping(body.get("parameters"))
        kinds = {body.get("type"), given.get("type")}
        part, embedded = given.get("multiAssetPartIndex"), given.get("embeddedOriginalPreservationImage")
        if "exif.originalPreservationImage" in kinds and (part is None) == (embedded is None):
            yield "exif.originalPreservationImage"


@_asks("forbidden_labels_in_external_references", "no reference to what must be inside", "2.4, 18.24.1")
def _forbidden_references(manifest: Manifest) -> Iterator[str]:
    whole = {"c2pa.actions", "c2pa.actions.v2", "c2pa.cloud-data", "c2pa.external-reference"}
    for body in manifest.bodies:
        label = text(body.get("label"))
        refers = label and body.get("url") is not None and body.get("relationship") is None
        if refers and (label in whole or label.startswith(("c2pa.hash", "c2pa.ingredient"))):
            yield label


@_asks("no_url_in_hashes", "hashes name no address", "2.4, 18.5")
def _addresses_in_hashes(manifest: Manifest) -> Iterator[str]:
    for label in ("c2pa.hash.data", "c2pa.hash.bmff.v3"):
        if mapping(manifest.assertions.get(label)).get("url"):
            yield label


@_asks("all_actions_included_opened", "what was opened and saved says that nothing else was done", "2.4, 18.15.3")
def _opened_and_left_open(manifest: Manifest) -> Iterator[str]:
    actions = manifest.actions
    included = mapping(manifest.assertions.get("c2pa.actions.v2")).get("allActionsIncluded")
    if len(actions) == 1 and _name(actions[0]) == "c2pa.opened" and included is not True:
        yield "c2pa.opened"


@_asks("opened_action_ingredient_reference", "opening names exactly one ingredient", "2.4, 18.15.4.7")
def _opened_without_parent(manifest: Manifest) -> Iterator[str]:
    for action in manifest.actions:
        named = mapping(action.get("parameters")).get("ingredients")
        count = len(named) if isinstance(named, list | tuple) else 0
        if _name(action) == "c2pa.opened" and count != 1:
            yield f"c2pa.opened names {count}"


@_asks("no_box_hash_for_tiff", "TIFF has no box hash", "2.4, 18.7.3.3")
def _boxes_of_tiff(manifest: Manifest) -> Iterator[str]:
    stated = mapping(manifest.assertions.get("c2pa.asset-type.v2")).get("dc:format")
    if "c2pa.hash.boxes" in manifest.assertions and stated in {"image/tiff", "image/x-adobe-dng"}:
        yield "c2pa.hash.boxes"


CHECKS: tuple[Check, ...] = tuple(_asked)
"""Every question, in the order of the rubric."""
