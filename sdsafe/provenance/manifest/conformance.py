"""What the C2PA conformance program asks of a manifest, as checks of ours over the report on it (crJSON).

The program publishes its asset rubric as a file for an evaluator of its own: "Conformance 0.2 / Spec 2.4", version 1.0
of 2026-08-06, https://github.com/c2pa-org/conformance-public. These are the same questions, under the same names, in
Python with types: they run on every file before it is released, and a test holds them against the rubric's own file.
A manifest can be *valid* and still fail here: the library checks what was signed, the program what should be said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

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
    from collections.abc import Callable

__all__ = ["CHECKS", "Check", "Result", "conformance"]

Json: TypeAlias = Mapping[str, object]

_SPEC_VERSION = ("2", "4")
_MISSING = "MISSING_VALIDATION_RESULTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one check found."""

    check: Check
    found: tuple[str, ...]
    """What is amiss, in the words of the manifest; empty: nothing."""

    @property
    def passed(self) -> bool:
        """Whether nothing is amiss."""
        return not self.found


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question of the rubric."""

    id: str
    """Name in the rubric, without its prefix ``validation:``."""
    says: str
    """What has to be the case."""
    section: str = ""
    """Of the C2PA specification, where the rubric names one."""
    find: Callable[[Manifest], Iterable[str]]
    """Yields what is amiss."""
    warns: bool = False
    """True: the rubric discourages it, and does not fail the asset for it."""


class Manifest:
    """One manifest as crJSON shows it, with nothing assumed about the types in it."""

    __slots__ = ("_data",)

    def __init__(self, data: Json) -> None:
        """Keep the manifest; it may come from anybody."""
        self._data = data

    @property
    def label(self) -> str:
        """Its URN, or nothing."""
        return _text(self._data.get("label"))

    @property
    def assertions(self) -> Json:
        """Assertions by label."""
        return _mapping(self._data.get("assertions"))

    @property
    def bodies(self) -> list[Json]:
        """The assertions themselves."""
        return [_mapping(each) for each in self.assertions.values()]

    @property
    def claim(self) -> Json:
        """The claim, version 2."""
        return _mapping(self._data.get("claim.v2"))

    @property
    def actions(self) -> list[Json]:
        """The actions of all actions assertions, in order."""
        return [each for body in self.bodies for each in _mappings(body.get("actions"))]

    @property
    def ingredients(self) -> list[Json]:
        """The ingredient assertions: whatever states a relationship."""
        return [body for body in self.bodies if body.get("relationship") is not None]

    @property
    def results(self) -> Json | None:
        """What the validator found; None where the report says nothing."""
        found = self._data.get("validationResults")
        return _mapping(found) if found is not None else None

    @property
    def failures(self) -> list[str]:
        """Codes of failures."""
        results = self.results
        if results is None:
            return [_MISSING]
        return [_text(each.get("code")) for each in _mappings(results.get("failure"))]


def conformance(manifest: Json) -> tuple[Result, ...]:
    """Ask every question about an active manifest (crJSON, ``manifests[0]``) and return the answers, in order."""
    subject = Manifest(manifest)
    return tuple(Result(check=each, found=tuple(each.find(subject))) for each in CHECKS)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Json]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list | tuple) else []


def _name(action: Json) -> str:
    return _text(action.get("action"))


def _without_source(manifest: Manifest) -> Iterator[str]:
    for action in manifest.actions:
        name = _name(action)
        if name.startswith("c2pa.") and name not in NEEDS_NO_SOURCE and action.get("digitalSourceType") is None:
            yield name


def _other_version(manifest: Manifest) -> Iterator[str]:
    info = manifest.claim.get("claim_generator_info")
    first = _mappings(info)[0] if _mappings(info) else _mapping(info)
    stated = first.get("specVersion")
    if stated is None:
        yield "missing"
    elif not isinstance(stated, str) or tuple(stated.split(".")[:2]) != _SPEC_VERSION:
        yield str(stated)


def _actions_left_open(manifest: Manifest) -> Iterator[str]:
    for label, body in manifest.assertions.items():
        if _mapping(body).get("actions") is not None and _mapping(body).get("allActionsIncluded") is None:
            yield label


def _source_of_opened(manifest: Manifest) -> Iterator[str]:
    for action in manifest.actions:
        if _name(action) == "c2pa.opened" and action.get("digitalSourceType") is not None:
            yield _text(action.get("digitalSourceType"))


def _no_results(manifest: Manifest) -> Iterator[str]:
    if manifest.results is None:
        yield _MISSING


def _structure(manifest: Manifest) -> Iterator[str]:
    yield from (code for code in manifest.failures if code in STRUCTURE_FAILURES or code == _MISSING)


def _validity(manifest: Manifest) -> Iterator[str]:
    yield from (code for code in manifest.failures if code in VALIDITY_FAILURES or code == _MISSING)


def _late_inception(manifest: Manifest) -> Iterator[str]:
    urls = [_text(each.get("url")) for each in _mappings(manifest.claim.get("created_assertions"))]
    first = next((url for url in urls if "c2pa.actions" in url), "")
    if not first.endswith("c2pa.actions.v2"):
        yield first or "no actions assertion was created"
        return
    names = [_name(each) for each in manifest.actions]
    if "c2pa.created" in names and names[0] not in {"c2pa.created", "c2pa.opened"}:
        yield names[0]


def _deprecated_assertions(manifest: Manifest) -> Iterator[str]:
    yield from (each for each in manifest.assertions if each.startswith("stds.") or each in DEPRECATED_ASSERTIONS)


def _unknown_assertions(manifest: Manifest) -> Iterator[str]:
    known = ASSERTIONS | DEPRECATED_ASSERTIONS
    for label in manifest.assertions:
        if label.startswith("c2pa.") and label.split("__")[0] not in known:
            yield label


def _deprecated_actions(manifest: Manifest) -> Iterator[str]:
    yield from (_name(each) for each in manifest.actions if _name(each) in DEPRECATED_ACTIONS)


def _unknown_actions(manifest: Manifest) -> Iterator[str]:
    names = (_name(each) for each in manifest.actions)
    yield from (name for name in names if name.startswith("c2pa.") and name not in ACTIONS)


def _nameless_assertions(manifest: Manifest) -> Iterator[str]:
    yield from (each for each in manifest.assertions if "." not in each)


def _nameless_actions(manifest: Manifest) -> Iterator[str]:
    yield from (_name(each) for each in manifest.actions if "." not in _name(each))


def _nameless_parameters(manifest: Manifest) -> Iterator[str]:
    for action in manifest.actions:
        names = _mapping(action.get("parameters"))
        yield from (name for name in names if name not in PARAMETERS and "." not in name)


def _misplaced_parameters(manifest: Manifest) -> Iterator[str]:
    for action in manifest.actions:
        given = _mapping(action.get("parameters"))
        if given.get("description") is not None or given.get("ingredient") is not None:
            yield _name(action) or "unknown"


def _old_label(manifest: Manifest) -> Iterator[str]:
    if not manifest.label.startswith("urn:c2pa:"):
        yield manifest.label or "no label"


def _reviewed_by_people(manifest: Manifest) -> Iterator[str]:
    for body in manifest.bodies:
        source = _mapping(body.get("dataSource")).get("type")
        if body.get("reviewRatings") is not None and source in {"humanEntry.anonymous", "humanEntry.credentialed"}:
            yield str(source)


def _results_without_manifest(manifest: Manifest) -> Iterator[str]:
    for each in manifest.ingredients:
        if each.get("activeManifest") is None and each.get("validationResults") is not None:
            yield _title(each)


def _manifest_without_results(manifest: Manifest) -> Iterator[str]:
    for each in manifest.ingredients:
        if each.get("activeManifest") is not None and each.get("validationResults") is None:
            yield _title(each)


def _odd_relationships(manifest: Manifest) -> Iterator[str]:
    for each in manifest.ingredients:
        if each.get("relationship") not in {"parentOf", "inputTo", "componentOf"}:
            yield str(each.get("relationship"))


def _created_without_source(manifest: Manifest) -> Iterator[str]:
    for action in manifest.actions:
        if _name(action) == "c2pa.created" and action.get("digitalSourceType") is None:
            yield "c2pa.created"


def _old_claim_fields(manifest: Manifest) -> Iterator[str]:
    if manifest.claim.get("specVersion") is not None:
        yield "specVersion in claim"


def _manifest_and_source(manifest: Manifest) -> Iterator[str]:
    for each in manifest.ingredients:
        if each.get("activeManifest") is not None and each.get("digitalSourceType") is not None:
            yield _title(each)


def _undecided_preservation(manifest: Manifest) -> Iterator[str]:
    for body in manifest.bodies:
        given = _mapping(body.get("parameters"))
        kinds = {body.get("type"), given.get("type")}
        part, embedded = given.get("multiAssetPartIndex"), given.get("embeddedOriginalPreservationImage")
        if "exif.originalPreservationImage" in kinds and (part is None) == (embedded is None):
            yield "exif.originalPreservationImage"


def _forbidden_references(manifest: Manifest) -> Iterator[str]:
    whole = {"c2pa.actions", "c2pa.actions.v2", "c2pa.cloud-data", "c2pa.external-reference"}
    for body in manifest.bodies:
        label = _text(body.get("label"))
        refers = label and body.get("url") is not None and body.get("relationship") is None
        if refers and (label in whole or label.startswith(("c2pa.hash", "c2pa.ingredient"))):
            yield label


def _addresses_in_hashes(manifest: Manifest) -> Iterator[str]:
    for label in ("c2pa.hash.data", "c2pa.hash.bmff.v3"):
        if _mapping(manifest.assertions.get(label)).get("url"):
            yield label


def _opened_and_left_open(manifest: Manifest) -> Iterator[str]:
    actions = manifest.actions
    included = _mapping(manifest.assertions.get("c2pa.actions.v2")).get("allActionsIncluded")
    if len(actions) == 1 and _name(actions[0]) == "c2pa.opened" and included is not True:
        yield "c2pa.opened"


def _opened_without_parent(manifest: Manifest) -> Iterator[str]:
    for action in manifest.actions:
        named = _mapping(action.get("parameters")).get("ingredients")
        count = len(named) if isinstance(named, list | tuple) else 0
        if _name(action) == "c2pa.opened" and count != 1:
            yield f"c2pa.opened names {count}"


def _boxes_of_tiff(manifest: Manifest) -> Iterator[str]:
    stated = _mapping(manifest.assertions.get("c2pa.asset-type.v2")).get("dc:format")
    if "c2pa.hash.boxes" in manifest.assertions and stated in {"image/tiff", "image/x-adobe-dng"}:
        yield "c2pa.hash.boxes"


def _title(ingredient: Json) -> str:
    return _text(ingredient.get("dc:title")) or "an ingredient"


def _check(id_: str, find: Callable[[Manifest], Iterable[str]], says: str, section: str = "") -> Check:
    return Check(id=id_, says=says, section=section, find=find)


CHECKS: tuple[Check, ...] = (
    _check(
        "mandatory_dst_for_perceptible_transformations",
        _without_source,
        "every action that can be seen names its digital source type",
    ),
    _check("mandatory_spec_version", _other_version, "the claim generator states specVersion 2.4"),
    _check("mandatory_all_actions_included", _actions_left_open, "actions say whether they are all"),
    _check("no_dst_for_opened_action", _source_of_opened, "opening names no digital source type"),
    _check("well_formed_data_present", _no_results, "there are validation results"),
    _check("well_formed_success", _structure, "the structure has no failure"),
    _check("valid_data_present", _no_results, "there are validation results on integrity"),
    _check("valid_success", _validity, "nothing mismatches"),
    _check("inception_action_position", _late_inception, "creating or opening comes first", "2.2, 18.14.2"),
    _check("no_deprecated_assertions", _deprecated_assertions, "no assertion is deprecated", "2.2, 6.3"),
    _check("no_unsupported_assertions", _unknown_assertions, "C2PA's assertions are known ones", "2.2, 6.2"),
    _check("no_deprecated_actions", _deprecated_actions, "no action is deprecated", "2.2, 18.14.11"),
    _check("no_unsupported_actions", _unknown_actions, "C2PA's actions are known ones", "2.2, 18.14"),
    _check("no_unrecognized_custom_assertions", _nameless_assertions, "others have a namespace", "2.2, 6.2.2"),
    _check("no_unrecognized_custom_actions", _nameless_actions, "other actions have a namespace", "2.2, 18.14"),
    _check(
        "no_unrecognized_custom_action_parameters",
        _nameless_parameters,
        "other parameters have a namespace",
        "2.2, 18.14.4.7",
    ),
    Check(
        id="discouraged_legacy_action_parameters",
        find=_misplaced_parameters,
        says="description and ingredients stand where version 2 has them",
        section="2.2, 18.14.4.1",
        warns=True,
    ),
    _check("active_manifest_urn", _old_label, "the manifest's name begins with urn:c2pa:", "2.2, 8.1"),
    _check("review_ratings_datasource", _reviewed_by_people, "what people entered has no ratings", "2.2, 18.3.3"),
    _check(
        "ingredient_v3_no_active_manifest",
        _results_without_manifest,
        "ingredients without a manifest have no validation results",
        "2.2, 18.15.12.4.3",
    ),
    _check(
        "ingredient_v3_mandatory_validation_results",
        _manifest_without_results,
        "ingredients with a manifest have validation results",
        "2.2, 18.15.12.4.3",
    ),
    _check("ingredient_relationship_values", _odd_relationships, "relationships are known ones", "2.2, 18.15.3"),
    _check(
        "mandatory_dst_for_created_action",
        _created_without_source,
        "creating names a digital source type",
        "2.2, 18.14.2",
    ),
    _check("no_deprecated_claim_fields", _old_claim_fields, "the claim has no field of old", "2.4, 10.2.3.2"),
    _check(
        "ingredient_v3_choice",
        _manifest_and_source,
        "an ingredient has a manifest or a digital source type, not both",
        "2.4, 18.16.12.3",
    ),
    _check(
        "alternative_content_representation_choice",
        _undecided_preservation,
        "a preserved original stands in one place",
        "2.4, 15.10.3.2.7",
    ),
    _check(
        "forbidden_labels_in_external_references",
        _forbidden_references,
        "no reference to what must be inside",
        "2.4, 18.24.1",
    ),
    _check("no_url_in_hashes", _addresses_in_hashes, "hashes name no address", "2.4, 18.5"),
    _check(
        "all_actions_included_opened",
        _opened_and_left_open,
        "what was opened and saved says that nothing else was done",
        "2.4, 18.15.3",
    ),
    _check(
        "opened_action_ingredient_reference",
        _opened_without_parent,
        "opening names exactly one ingredient",
        "2.4, 18.15.4.7",
    ),
    _check("no_box_hash_for_tiff", _boxes_of_tiff, "TIFF has no box hash", "2.4, 18.7.3.3"),
)
"""Every question of the rubric, in its order."""
