"""What a signer apart looks for: one change to a dossier at a time, and each is seen."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.core.canonical import canonical_digest
from sdsafe.core.findings import CheckStatus, Stage
from sdsafe.errors import ConfigurationError, SigningError
from sdsafe.provenance.manifest.dossier import definition_of
from sdsafe.signer.examination import examine
from sdsafe.testing.apart import fake_floor

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.dossier import Dossier


def now() -> datetime:
    return datetime.now(UTC)


def generation(document: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = next(each for each in document["assertions"] if each["label"] == "org.sdsafe.generation")
    return value


def changed(shown: Dossier, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Dossier:
    """Return a dossier with another document; receipts follow what it says of checks, as a liar's would."""
    document = copy.deepcopy(dict(shown.document))
    change(document, generation(document)["data"])
    return replace(shown, document=document)


def refused(shown: Dossier, **floor: Any) -> str:
    with pytest.raises(SigningError) as caught:
        examine(shown, fake_floor(**floor), now())
    assert "waves under" not in f"{caught.value}{caught.value.hint}"
    return caught.value.code


def test_an_honest_dossier_passes_and_says_what_the_log_needs(shown: Dossier) -> None:
    vetted = examine(shown, fake_floor(), now())
    assertion = generation(dict(shown.document))["data"]
    assert vetted.asset_id == assertion["asset_id"]
    assert vetted.assertion == canonical_digest(assertion)
    assert vetted.effect == "allow"
    assert set(vetted.policy_digests) == {each["digest"] for each in assertion["policies"]}
    assert definition_of(shown).document == shown.document


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("signer.no-decision", lambda d, _: d["assertions"].remove(generation(d))),
        ("signer.no-decision", lambda d, _: generation(d).update(created=False)),
        ("signer.no-decision", lambda d, _: generation(d).update(data="all is well")),
        ("signer.no-decision", lambda _, a: a.update(version=2)),
        ("signer.no-decision", lambda _, a: a.update(asset_id="../../etc")),
        ("signer.no-decision", lambda _, a: a["decisions"].pop("export")),
        ("signer.no-decision", lambda _, a: a["decisions"]["output"].update(effect="fine")),
        ("signer.no-decision", lambda _, a: a["decisions"].update(prompt=[])),
        ("signer.document", lambda d, _: d["assertions"].append(copy.deepcopy(generation(d)))),
        ("signer.document", lambda d, _: d["assertions"].append({"label": "c2pa.metadata", "data": {}})),
        ("signer.document", lambda d, _: d["assertions"].append({"label": "org.sdsafe.generation__1", "data": {}})),
        ("signer.document", lambda d, _: d.update(redactions=["self#jumbf=x"])),
        ("signer.document", lambda d, _: d.update(format="image/jpeg")),
        ("signer.document", lambda d, _: d.update(assertions={})),
        ("signer.document", lambda d, _: d.update(assertions=[1, 2])),
        ("signer.document", lambda d, _: d["claim_generator_info"][0].update(name="Camera 3000")),
        ("signer.document", lambda d, _: d["claim_generator_info"].append({"name": "Camera 3000"})),
        ("signer.refused", lambda _, a: a["decisions"]["prompt"].update(effect="deny")),
        ("signer.refused", lambda _, a: a["decisions"]["export"].update(effect="review")),
        ("signer.policy", lambda _, a: a.update(policies=[])),
        ("signer.policy", lambda _, a: a["policies"][0].update(digest="0" * 64)),
        ("signer.policy", lambda _, a: a["policies"].append({"id": "mine", "version": "1", "digest": "1" * 64})),
        ("signer.receipt", lambda _, a: a["checks"].pop()),
        ("signer.receipt", lambda _, a: a["checks"][0].update(version="0")),
        ("signer.receipt", lambda _, a: a["checks"][-1]["findings"][0].update(score="0.0001")),
        ("signer.receipt", lambda _, a: a["checks"][-1].update(extra=0.5)),
        ("signer.receipt", lambda _, a: a.update(pixels_sha256="2" * 64)),
        ("signer.receipt", lambda _, a: a.update(prompt={"disclosure": "commit", "commitment": "3" * 64})),
        ("signer.receipt", lambda _, a: a.update(prompt={"disclosure": "encrypted", "commitment": "3" * 64})),
        ("signer.no-check", lambda _, a: a.update(unchecked=True)),
        ("signer.no-check", lambda _, a: a.update(inputs=[{"sha256": "4" * 64}])),
    ],
)  # fmt: skip
def test_every_change_to_what_would_be_said_is_refused(
    shown: Dossier, code: str, change: Callable[[dict[str, Any], dict[str, Any]], object]
) -> None:
    assert refused(changed(shown, change)) == code


def _actions(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = next(
        each["data"]["actions"] for each in document["assertions"] if each["label"] == "c2pa.actions.v2"
    )
    return found


def test_it_never_says_that_a_camera_made_it(shown: Dossier) -> None:
    camera = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    assert refused(changed(shown, lambda d, _: _actions(d)[0].update(digitalSourceType=camera))) == "signer.document"
    assert refused(changed(shown, lambda d, _: _actions(d).clear())) == "signer.document"
    without = changed(shown, lambda d, _: d["assertions"].pop(0))
    assert refused(without) == "signer.document"


def test_the_word_of_others_counts_only_as_such_and_where_that_is_wanted(shown: Dossier) -> None:
    word = {"label": "cawg.metadata", "kind": "Json", "data": {"dc:title": "A house"}}

    def saying(**more: object) -> Dossier:
        return changed(shown, lambda d, _: d["assertions"].append({**word, **more}))

    assert refused(saying()) == "signer.document"
    assert examine(saying(), fake_floor(elsewhere=True), now()).effect == "allow"
    assert refused(saying(created=True), elsewhere=True) == "signer.document"
    assert refused(saying(created=False), elsewhere=True) == "signer.document"
    assert refused(changed(shown, lambda _, a: a.update(task="sign"))) == "signer.elsewhere"


@pytest.mark.parametrize("index", [0, -1])
@pytest.mark.parametrize(
    ("code", "other"),
    [
        ("signer.receipt", {"check": "another"}),
        ("signer.receipt", {"version": "another"}),
        ("signer.receipt", {"stage": Stage.EXPORT}),
        ("signer.receipt", {"shown": "5" * 64}),
        ("signer.receipt", {"subject": "waves"}),
        ("signer.receipt", {"status": CheckStatus.ERROR}),
        ("signer.stale", {"at": ""}),
        ("signer.stale", {"at": "yesterday"}),
        ("signer.stale", {"at": "2020-01-01T00:00:00Z"}),
        ("signer.stale", {"at": "2999-01-01T00:00:00Z"}),
    ],
)
def test_every_change_to_a_receipt_is_refused(shown: Dossier, index: int, code: str, other: dict[str, Any]) -> None:
    receipts = list(shown.receipts)
    receipts[index] = replace(receipts[index], **other)
    assert refused(replace(shown, receipts=tuple(receipts))) == code


def test_without_receipts_nothing_is_signed(shown: Dossier) -> None:
    assert refused(replace(shown, receipts=())) == "signer.receipt"
    assert refused(replace(shown, receipts=shown.receipts[:1])) == "signer.receipt"


def test_a_check_that_did_not_end_well_is_no_check(shown: Dossier) -> None:
    """Manifest and receipt agree that it failed, and the decision says to let it out all the same."""
    failed = changed(shown, lambda _, a: a["checks"][-1].update(status="error", findings=[]))
    entry = generation(dict(failed.document))["data"]["checks"][-1]
    last = replace(shown.receipts[-1], status=CheckStatus.ERROR, shown=canonical_digest(entry))
    assert refused(replace(failed, receipts=(*shown.receipts[:-1], last))) == "signer.check"


@pytest.mark.parametrize(
    ("code", "floor"),
    [
        ("signer.no-check", {"prompt_checks": ("lexicon", "semantic")}),
        ("signer.no-check", {"output_checks": ("fake-output-check", "open-nsfw")}),
        ("signer.no-check", {"output_checks": ("lexicon",)}),
        ("signer.policy", {"known": frozenset()}),
        ("signer.stale", {"max_age_s": -1}),
    ],
)
def test_the_floor_counts(shown: Dossier, code: str, floor: dict[str, Any]) -> None:
    assert refused(shown, **floor) == code


@pytest.mark.parametrize("empty", ["packs", "prompt_checks", "output_checks"])
def test_an_empty_floor_is_none(empty: str) -> None:
    with pytest.raises(ConfigurationError, match=empty):
        fake_floor(**{empty: ()})


def test_a_sound_needs_a_check_of_sounds(shown: Dossier) -> None:
    sound = changed(shown, lambda _, a: a.update(sound_sha256=a.pop("pixels_sha256")))
    assert refused(sound) == "signer.no-check"
    assert examine(sound, fake_floor(sound_checks=("fake-output-check",)), now()).effect == "allow"


def test_people_count_while_their_word_is_fresh(shown: Dossier) -> None:
    def reviewed(approvals: object, last: datetime) -> Dossier:
        def change(_: object, a: dict[str, Any]) -> None:
            a["decisions"]["output"]["effect"] = "review"
            a["review"] = {"approvals": approvals, "last_at": f"{last:%Y-%m-%dT%H:%M:%SZ}"}

        old = f"{now() - timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"
        return replace(changed(shown, change), receipts=tuple(replace(each, at=old) for each in shown.receipts))

    assert examine(reviewed(1, now()), fake_floor(), now()).effect == "review"
    assert refused(reviewed(1, now() - timedelta(days=2))) == "signer.stale"
    for nobody in (0, -1, True, "1", None):
        assert refused(reviewed(nobody, now())) == "signer.refused"
