"""Every way through the spine ends at a signer apart as it ends at a key in the process."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe._internal import images
from sdsafe._internal.clock import now, rfc3339
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.request import GenerationRequest, PromptDisclosure, Size, Task
from sdsafe.core.reviews import Opinion
from sdsafe.core.statement import Statement
from sdsafe.core.states import Asset, InReview, Recorded
from sdsafe.errors import SigningError
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import load_policies
from sdsafe.generation.keeping import Keeper as AsItIs
from sdsafe.inputs import as_input
from sdsafe.parts import UnsafeNoOutputCheck
from sdsafe.pipeline import Pipeline
from sdsafe.provenance.manifest.dossier import dossier
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.signing.apart import SocketSigner
from sdsafe.records.reviews.queue import SqliteReviews
from sdsafe.testing.apart import fake_floor, fake_keeper, serving_apart
from sdsafe.testing.fakes import FakeOutputCheck
from sdsafe.testing.pipeline import fake_parts
from sdsafe.testing.samples import sample_picture
from sdsafe.testing.sounds import FakeSoundGenerator

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.core.dossier import Dossier
    from sdsafe.core.places import Places
    from sdsafe.parts import Parts

REQUEST = GenerationRequest(prompt="waves", seed=7, size=Size(width=256, height=256), steps=2)
EDIT = {"prompt": "a red house", "task": Task.TRANSFORM, "size": Size(width=256, height=256)}
HOUSE = (
    "format: sdsafe.policy/1\nid: house\nversion: 1.0.0\ntitle: t\ndescription: d\nrules:\n"
    '  - {id: look, because: b, stage: output, when: "true", effect: review}\n'
)


@pytest.fixture
def parts(places: Places) -> Parts:
    return fake_parts(places)


def released(parts: Parts, request: GenerationRequest) -> Recorded:
    (outcome,) = Pipeline(parts).run(request)
    assert isinstance(outcome, Recorded), outcome
    assert ManifestProbe().examine(outcome.asset, Evidence()).manifest is ManifestState.VALID
    return outcome


def code_of(parts: Parts, request: GenerationRequest) -> str:
    with pytest.raises(SigningError) as caught:
        Pipeline(parts).run(request)
    return caught.value.code


@pytest.mark.parametrize("disclosure", [PromptDisclosure.FULL, PromptDisclosure.COMMIT, PromptDisclosure.OMIT])
def test_however_much_of_the_prompt_is_shown(
    places: Places, parts: Parts, run_folder: Path, disclosure: PromptDisclosure
) -> None:
    with serving_apart(run_folder / "s", fake_keeper(places)) as path:
        released(replace(parts, signer=SocketSigner(path), disclosure=disclosure), REQUEST)


def test_an_edit_of_a_released_picture(places: Places, parts: Parts, run_folder: Path) -> None:
    with serving_apart(run_folder / "s", fake_keeper(places)) as path:
        parts = replace(parts, signer=SocketSigner(path))
        parent = released(parts, REQUEST)
        edit: dict[str, Any] = {**EDIT, "inputs": (as_input(parent.asset, "image"),)}
        child = released(parts, GenerationRequest(**edit))
        assert parent.signed.manifest_label.encode() in child.signed.manifest_store
        strange = Asset(data=images.encode(sample_picture(4)), media_type="image/png", name="mine.png")
        released(parts, GenerationRequest(**{**edit, "inputs": (as_input(strange, "image"),)}))


def test_a_sound_where_the_signer_demands_a_check_of_sounds(places: Places, run_folder: Path) -> None:
    parts = fake_parts(places, generator=FakeSoundGenerator())
    request = GenerationRequest(prompt="rain on a tin roof", task=Task.AUDIO, seed=7, seconds=0.5)
    with serving_apart(run_folder / "s", fake_keeper(places)) as path:
        assert code_of(replace(parts, signer=SocketSigner(path)), request) == "signer.no-check"
    names = tuple(each.name for each in parts.sound_checks)
    with serving_apart(run_folder / "s", fake_keeper(places, sound_checks=names)) as path:
        assert released(replace(parts, signer=SocketSigner(path)), request).asset.media_type == "audio/wav"


def test_unchecked_pictures_are_not_signed(places: Places, parts: Parts, run_folder: Path) -> None:
    with serving_apart(run_folder / "s", fake_keeper(places)) as path:
        unsafe = replace(parts, signer=SocketSigner(path), output_checks=UnsafeNoOutputCheck())
        assert code_of(unsafe, REQUEST) == "signer.no-check"


def test_a_finding_that_was_made_smaller_on_the_way_is_seen(
    places: Places, parts: Parts, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who changes what the manifest says after the receipts were written is found out; who writes both is not."""

    def smoothed(*args: Any, **named: Any) -> Dossier:
        shown = dossier(*args, **named)
        document = json.loads(json.dumps(shown.document).replace('"0.25"', '"0.01"'))
        assert document != shown.document
        return replace(shown, document=document)

    monkeypatch.setattr("sdsafe.egress.dossier", smoothed)
    with serving_apart(run_folder / "s", fake_keeper(places)) as path:
        seen = FakeOutputCheck(category="nudity", score=0.25)
        assert code_of(replace(parts, signer=SocketSigner(path), output_checks=(seen,)), REQUEST) == "signer.receipt"


def test_what_people_approved_is_signed_while_their_word_is_fresh(
    places: Places, parts: Parts, run_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "packs" / "house"
    folder.mkdir(parents=True)
    (folder / "policy.yaml").write_text(HOUSE)
    packs = load_policies(["house"], [tmp_path / "packs"])
    known = frozenset((*fake_floor().known, *(ref.digest for ref in packs.refs)))
    reviews = SqliteReviews(places)
    keeper = fake_keeper(places, packs=packs.refs, known=known)
    with serving_apart(run_folder / "s", keeper) as path:
        judged = replace(parts, signer=SocketSigner(path), policy=PackPolicy(packs), reviews=reviews)
        pipeline = Pipeline(judged)
        for at, signed in ((now() - timedelta(days=3), False), (now(), True)):
            (waiting,) = pipeline.run(REQUEST)
            assert isinstance(waiting, InReview)
            opinion = Opinion(reviewer="Ada", approves=True, reason="fine", at=rfc3339(at))
            reviews.say(waiting.ticket, opinion)
            if signed:
                assert pipeline.resume(waiting.ticket).receipt.entry.effect == "review"
            else:
                with pytest.raises(SigningError) as caught:
                    pipeline.resume(waiting.ticket)
                assert caught.value.code == "signer.stale"


def test_an_answer_that_was_lost_can_be_asked_for_again(
    places: Places, parts: Parts, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case stays approved when signing fails, and its id is in the log already when it is signed the next time."""
    folder = tmp_path / "packs" / "house"
    folder.mkdir(parents=True)
    (folder / "policy.yaml").write_text(HOUSE)
    packs = load_policies(["house"], [tmp_path / "packs"])
    known = frozenset((*fake_floor().known, *(ref.digest for ref in packs.refs)))
    reviews = SqliteReviews(places)
    with serving_apart(run_folder / "s", fake_keeper(places, packs=packs.refs, known=known)) as path:
        signer = SocketSigner(path)
        pipeline = Pipeline(replace(parts, signer=signer, policy=PackPolicy(packs), reviews=reviews))
        (waiting,) = pipeline.run(REQUEST)
        assert isinstance(waiting, InReview)
        reviews.say(waiting.ticket, Opinion(reviewer="Ada", approves=True, reason="fine", at=rfc3339()))

        def lost(*_: object) -> Any:
            raise SigningError("lost")

        monkeypatch.setattr("sdsafe.release.read_back", lost)
        with pytest.raises(SigningError, match="lost"):
            pipeline.resume(waiting.ticket)
        monkeypatch.undo()
        pipeline.resume(waiting.ticket)
        assert signer.status()["signatures"] == 2


def test_what_was_made_elsewhere_where_the_signer_is_told_to(places: Places, parts: Parts, run_folder: Path) -> None:
    theirs = Asset(data=images.encode(sample_picture(4)), media_type="image/png", name="mine.png")
    said = Statement(source_type="digitalCapture", title="A house", creators=("Ada",))
    request = GenerationRequest(prompt="", task=Task.SIGN, inputs=(as_input(theirs, "image"),), statement=said)
    parts = replace(parts, generator=AsItIs())
    with serving_apart(run_folder / "s", fake_keeper(places)) as path:
        assert code_of(replace(parts, signer=SocketSigner(path)), request) == "signer.elsewhere"
    with serving_apart(run_folder / "s", fake_keeper(places, elsewhere=True)) as path:
        released(replace(parts, signer=SocketSigner(path)), request)
