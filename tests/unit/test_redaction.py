"""A prompt that was signed is taken out again: of every manifest, of XMP; and what stays is still proven."""

from __future__ import annotations

import io
import json
from typing import Any

import c2pa
import encypher_c2pa
import numpy as np
import pytest

from sdsafe._internal import images
from sdsafe.core.places import Places
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.request import GenerationRequest, PromptDisclosure, Size, Task
from sdsafe.core.states import Asset, Recorded
from sdsafe.errors import ManifestError, MetadataError, SigningError
from sdsafe.gates.policy.check import LexiconCheck
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import load_policies
from sdsafe.inputs import as_input
from sdsafe.plugins import load
from sdsafe.provenance.manifest.conformance import conformance
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.manifest.tree import grow, walk
from sdsafe.provenance.metadata.embedding import read
from sdsafe.records.ledger.log import SqliteLedger
from sdsafe.records.ledger.probe import LedgerProbe
from sdsafe.redaction import Reason, redact
from sdsafe.revision import note_revision
from sdsafe.testing.pipeline import fake_pipeline

WORDS = (b"zebrafinch", b"pangolin", b"quillwort", b"marzipan")
PACK = """
format: sdsafe.policy/1
id: declaring
version: 1.0.0
title: Declaring
description: Has the metadata written.
rules:
  - {id: note, stage: export, when: "true", effect: annotate, because: declared, obligations: [{code: iptc}]}
"""
ROOTS = "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder = tmp_path_factory.mktemp("redaction")
    return Places(state=folder / "state", cache=folder / "cache")


@pytest.fixture(scope="module")
def release(places: Places) -> Any:
    folder = places.state.parent / "pack"
    folder.mkdir()
    (folder / "policy.yaml").write_text(PACK, encoding="utf-8")
    packs = load_policies(["baseline", str(folder)])
    declaring = {"policy": PackPolicy(packs), "prompt_checks": (LexiconCheck(packs),)}

    def run(*, declared: bool = True, mode: PromptDisclosure = PromptDisclosure.FULL, **asked: Any) -> Asset:
        given = {
            "prompt": "zebrafinch on a quillwort",
            "negative_prompt": "pangolin",
            "seed": 7,
            "steps": 2,
            "size": Size(width=256, height=256),
            **asked,
        }
        pipeline = fake_pipeline(places, disclosure=mode, **(declaring if declared else {}))
        (made,) = pipeline.run(GenerationRequest(**given))
        assert isinstance(made, Recorded), made
        return made.asset

    return run


@pytest.fixture(scope="module")
def signer(places: Places, release: Any) -> Any:
    release(declared=False)
    return load("sdsafe.signers", "file", places)


def told(asset: Asset) -> set[bytes]:
    return {word for word in WORDS if word in asset.data}


def trusted_by_the_library(asset: Asset, places: Places) -> bool:
    root = (places.keys / "root.pem").read_text(encoding="utf-8")
    anchors = [{"trust_anchors": root, "trust_uri": "urn:x", "trust_kind": "manifest"}]
    context = c2pa.Context.from_dict({"trust": {"trust_config": ROOTS, "anchors": anchors}})
    with c2pa.Reader(asset.media_type, io.BytesIO(asset.data), context=context) as reader:
        return bool(json.loads(reader.json())["validation_state"] == "Trusted")


@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg", "image/webp", "image/avif", "image/tiff"])
def test_no_word_is_left_and_everything_still_holds(release: Any, signer: Any, places: Places, media_type: str) -> None:
    before = release(media_type=media_type)
    assert told(before) == {b"zebrafinch", b"quillwort", b"pangolin"}
    done = redact(before, signer, reason=Reason.TRADE_SECRET)
    assert told(done.after) == set()
    assert trusted_by_the_library(done.after, places)
    assert np.array_equal(images.decode(done.after.data), images.decode(before.data))
    old, new = read(before).metadata, read(done.after).metadata
    assert old is not None
    assert new is not None
    assert (new.prompt, new.identifier, new.ai_system) == (None, old.identifier, old.ai_system)


def test_it_says_what_was_taken_out_and_why(release: Any, signer: Any) -> None:
    before = release()
    done = redact(before, signer, reason=Reason.TRADE_SECRET)
    seen, reading = ManifestProbe().look(done.after, Evidence())
    assert seen.manifest is ManifestState.VALID
    assert not [each.code for each in seen.findings if each.severity == "failure"]
    assert all(each.passed for each in conformance(reading.manifest))
    assert [each.rpartition("/")[2] for each in done.changed] == ["c2pa.embedded-data", "org.sdsafe.generation"]
    assertions: Any = reading.manifest["assertions"]
    named = [(each["action"], each.get("reason")) for each in assertions["c2pa.actions.v2"]["actions"]]
    reason = "c2pa.tradesecret.present"
    expected = [("c2pa.redacted", reason), ("c2pa.redacted", reason)]
    assert named == [("c2pa.opened", None), *expected, ("c2pa.edited.metadata", None)]


def test_what_was_no_secret_is_stated_again(release: Any, signer: Any) -> None:
    before = release()
    old = ManifestProbe().examine(before, Evidence()).summary
    new = ManifestProbe().examine(redact(before, signer).after, Evidence()).summary
    assert old is not None
    assert new is not None
    for key in ("asset_id", "seed", "model", "policies", "pixels_sha256", "watermark", "fingerprints"):
        assert new.generation[key] == old.generation[key], key
    assert new.generation["prompt"] == {"disclosure": "omit"}
    assert new.generation["restated_from"] == old.label
    assert "because" not in repr(new.generation)
    committed = ManifestProbe().examine(redact(before, signer, commit=lambda _: "1" * 64).after, Evidence()).summary
    assert committed is not None
    assert committed.generation["prompt"]["commitment"] == "1" * 64  # type: ignore[index]  # an object


def test_a_picture_made_of_a_picture_is_redacted_to_its_roots(release: Any, signer: Any, places: Places) -> None:
    first = release(prompt="marzipan")
    second = release(task=Task.TRANSFORM, size=None, inputs=(as_input(first, "image"),), declared=False)
    assert told(second) == set(WORDS)
    done = redact(second, signer)
    assert told(done.after) == set()
    assert len(done.changed) == 4
    assert trusted_by_the_library(done.after, places)
    seen, reading = ManifestProbe().look(done.after, Evidence())
    assert not [each.explanation for each in seen.findings if each.severity == "failure"]
    nodes = list(walk(grow(reading.store, reading.label)))
    assert [each.sound for each in nodes] == [True] * 3
    assert [each.redacted for each in nodes] == [(), *[("c2pa.embedded-data", "org.sdsafe.generation")] * 2]


def test_a_second_validator_refuses_every_redaction(release: Any, signer: Any) -> None:
    """It looks for what an action says was taken out, and does not find it; the page on validators says so."""
    report = encypher_c2pa.verify(
        redact(release(declared=False), signer).after.data, "image/png", no_default_trust=True, telemetry=False
    )
    failed = {each["code"] for each in report["validation_results"]["failure"]}
    assert failed == {"assertion.action.redactionMismatch"}


def test_what_is_missing_without_being_redacted_is_unsound(release: Any, signer: Any) -> None:
    done = redact(release(declared=False), signer)
    _, reading = ManifestProbe().look(done.after, Evidence())
    nodes = list(walk(grow(reading.store, reading.label)))
    alone = grow(reading.store, nodes[1].label)  # looked at as if nothing above it had taken anything out
    assert alone.failures == ("assertion.missing",)


def test_the_ledger_knows_the_new_file(release: Any, signer: Any, places: Places) -> None:
    done = redact(release(), signer)
    ledger = SqliteLedger.open_existing(places)
    assert ledger is not None
    unknown = LedgerProbe(ledger).examine(done.after, ManifestProbe().examine(done.after, Evidence()))
    assert unknown.ledger.value == "inconsistent"
    receipt = note_revision(load("sdsafe.ledgers", "sqlite", places), done)
    assert receipt is not None
    known = LedgerProbe(ledger).examine(done.after, ManifestProbe().examine(done.after, Evidence()))
    assert known.ledger.value == "included"
    old = LedgerProbe(ledger).examine(done.before, ManifestProbe().examine(done.before, Evidence()))
    assert old.ledger.value == "included"
    assert note_revision(None, done) is None


def test_what_cannot_be_redacted_is_refused(release: Any, signer: Any) -> None:
    secret = release(mode=PromptDisclosure.COMMIT, declared=False)
    with pytest.raises(ManifestError) as caught:
        redact(secret, signer)
    assert caught.value.code == "redaction.nothing"
    asset = release()
    broken = Asset(data=asset.data[:-20] + b"\0" + asset.data[-19:], media_type="image/png")
    with pytest.raises(ManifestError) as caught:
        redact(broken, signer)
    assert caught.value.code == "redaction.invalid"
    beside = release(sidecar=True, declared=False)
    with pytest.raises(ManifestError) as caught:
        redact(beside, signer)
    assert caught.value.code == "manifest.beside"


def test_a_prompt_in_a_place_that_nobody_knows_stops_it(release: Any, signer: Any) -> None:
    from sdsafe.provenance.manifest import _c2pa
    from sdsafe.provenance.manifest.document import Ingredient, ManifestDefinition

    asset = release(declared=False)
    agent = {"name": "other", "version": "1"}
    opened = {"action": "c2pa.opened", "softwareAgent": agent, "parameters": {"ingredientIds": ["image"]}}
    actions = {"allActionsIncluded": True, "actions": [opened]}
    document = {
        "claim_generator_info": [{**agent, "specVersion": "2.4.0"}],
        "title": "a picture of a zebrafinch on a quillwort",
        "format": "image/png",
        "ingredients": [],
        "assertions": [{"label": "c2pa.actions.v2", "created": True, "data": actions}],
    }
    parent = Ingredient(
        description={"label": "image", "title": "x", "relationship": "parentOf"},
        media_type="image/png",
        data=asset.data,
    )
    data, _ = _c2pa.sign(asset, ManifestDefinition(document=document, ingredients=(parent,)), signer)
    with pytest.raises(ManifestError) as caught:
        redact(Asset(data=data, media_type="image/png"), signer)
    assert caught.value.code == "redaction.left"


def test_a_signer_that_demands_receipts_does_not_redact(release: Any) -> None:
    class Demands:
        def sign_shown(self, *_: object) -> None: ...

    with pytest.raises(SigningError) as caught:
        redact(release(), Demands())  # type: ignore[arg-type]  # nothing but what makes it demanding
    assert caught.value.code == "signing.demanding"


def test_xmp_that_was_written_elsewhere_is_not_rewritten(release: Any) -> None:
    from dataclasses import replace

    from sdsafe.provenance.metadata.embedding import without_prompt

    asset = release()
    other = asset.data.replace(b"<rdf:Description rdf:about", b"<rdf:Description  rdf:abou")
    with pytest.raises(MetadataError) as caught:
        without_prompt(replace(asset, data=other))
    assert caught.value.code == "metadata.rewrite"
