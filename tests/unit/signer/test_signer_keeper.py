"""The keeper of the key: what it signs verifies and stands in its log, and nothing leaves before that."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.core.digests import sha256_hex
from sdsafe.core.receipts import EntryKind
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.errors import LedgerError, ManifestError, SigningError
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.records.ledger.audit import audit
from sdsafe.signer import keeper as keepers
from sdsafe.signer.comparing import Fate, fate
from sdsafe.signer.opening import log_in, log_of
from sdsafe.testing.apart import fake_keeper

if TYPE_CHECKING:
    from sdsafe.core.dossier import Dossier
    from sdsafe.core.places import Places
    from sdsafe.records.ledger.log import Logged
    from sdsafe.signer.keeper import Keeper


def logged(places: Places) -> list[Logged]:
    log = log_of(places.state / "signer")
    return [] if log is None else list(log.entries())


def code_of(keeper: Keeper, shown: Dossier) -> str:
    with pytest.raises(SigningError) as caught:
        keeper.sign(shown, None)
    return caught.value.code


def _any(value: Any) -> Any:
    return value


def other_content(shown: Dossier) -> Dossier:
    return replace(shown, asset=replace(shown.asset, data=shown.asset.data + b"\0"))


def other_words(shown: Dossier) -> Dossier:
    document = copy.deepcopy(dict(shown.document))
    generation: Any = next(each for each in _any(document["assertions"]) if each["label"] == "org.sdsafe.generation")
    generation["data"]["seed"] += 1
    return replace(shown, document=document)


def test_what_it_signs_verifies_and_is_logged(keeper: Keeper, shown: Dossier, places: Places) -> None:
    data, store = keeper.sign(shown, None)
    seen = ManifestProbe().examine(replace(shown.asset, data=data), Evidence())
    assert seen.manifest is ManifestState.VALID
    assert seen.summary is not None
    assert seen.summary.certificate_chain == keeper.credential[1]
    (only,) = logged(places)
    entry = only.entry
    assert (entry.kind, entry.asset_id) == (EntryKind.SIGNED, seen.summary.asset_id)
    assert (entry.asset_sha256, entry.manifest_sha256) == (sha256_hex(data), sha256_hex(store))
    assert dict(entry.extra)["content"] == sha256_hex(shown.asset.data)
    assert audit(log_in(places.state / "signer")).consistent
    assert b"waves" not in only.body


def test_beside_the_file_it_signs_as_well(keeper: Keeper, shown: Dossier) -> None:
    data, store = keeper.sign(replace(shown, beside=True), None)
    assert data == shown.asset.data
    seen = ManifestProbe().examine(replace(shown.asset, sidecar=store), Evidence())
    assert seen.manifest is ManifestState.VALID


def test_an_id_stands_for_one_content(keeper: Keeper, shown: Dossier, places: Places) -> None:
    keeper.sign(shown, None)
    assert code_of(keeper, other_content(shown)) == "signer.repeated"
    assert code_of(keeper, other_words(shown)) == "signer.repeated"
    assert code_of(fake_keeper(places), other_content(shown)) == "signer.repeated"  # after a restart, too
    keeper.sign(shown, None)  # an answer was lost on the way: the same again says nothing new
    assert len(logged(places)) == 2
    assert keeper.status()["refused_since"] == {"signer.repeated": 2}


def test_a_file_with_a_manifest_is_refused(keeper: Keeper, shown: Dossier) -> None:
    data, _ = keeper.sign(shown, None)
    again = replace(shown, asset=replace(shown.asset, data=data))
    assert code_of(keeper, again) == "signer.repeated"
    assert code_of(fake_keeper_elsewhere(keeper), again) == "signer.document"


def fake_keeper_elsewhere(keeper: Keeper) -> Keeper:
    """Return the same keeper with a log that knows nothing."""
    log = log_in(keeper._log._key_file.parent.parent / "elsewhere")
    return keepers.Keeper(keeper._signer, keeper._floor, log, 1000)


def test_the_rate_outlives_a_restart(places: Places, shown: Dossier) -> None:
    keeper = fake_keeper(places, per_minute=2)
    keeper.sign(shown, None)
    keeper.sign(shown, None)
    assert code_of(keeper, shown) == "signer.rate"
    assert code_of(fake_keeper(places, per_minute=2), shown) == "signer.rate"
    assert len(logged(places)) == 2


def test_refusals_cost_nothing(places: Places, shown: Dossier) -> None:
    keeper = fake_keeper(places, per_minute=1)
    for _ in range(3):
        assert code_of(keeper, replace(shown, receipts=())) == "signer.receipt"
    keeper.sign(shown, None)


@pytest.mark.parametrize(("point", "lines"), [("signer.signed", 0), ("signer.logged", 1)])
def test_nothing_leaves_before_its_line(
    keeper: Keeper, shown: Dossier, places: Places, monkeypatch: pytest.MonkeyPatch, point: str, lines: int
) -> None:
    def reach(reached: str) -> None:
        if reached == point:
            raise KeyboardInterrupt

    monkeypatch.setattr(keepers, "_reach", reach)
    with pytest.raises(KeyboardInterrupt):
        keeper.sign(shown, None)
    assert len(logged(places)) == lines
    monkeypatch.undo()
    keeper.sign(shown, None)
    assert len(logged(places)) == lines + 1


def test_without_a_log_there_is_no_signature(
    keeper: Keeper, shown: Dossier, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise LedgerError("the ledger cannot grow: the disk is full", code="ledger.disk-full", hint="Free some space.")

    monkeypatch.setattr(keeper._log, "append", full)
    assert code_of(keeper, shown) == "signer.log"
    monkeypatch.undo()
    (places.state / "signer").mkdir(exist_ok=True)
    (places.state / "signer" / "ledger.sqlite").write_bytes(b"not a database, certainly not one")
    assert code_of(keeper, shown) == "signer.log"


def test_what_is_no_picture_is_not_signed(keeper: Keeper, shown: Dossier, places: Places) -> None:
    assert code_of(keeper, replace(shown, asset=replace(shown.asset, data=b"not a picture"))) == "signer.document"
    cut = replace(shown, asset=replace(shown.asset, data=shown.asset.data[:100]))
    with pytest.raises((SigningError, ManifestError)):
        keeper.sign(cut, None)
    assert logged(places) == []


def test_the_log_is_held_against_the_ledger(keeper: Keeper, shown: Dossier, places: Places) -> None:
    data, store = keeper.sign(shown, None)
    (only,) = logged(places)
    assert fate(only.entry, None) is Fate.UNKNOWN
    ledger = log_in(places.state)
    assert fate(only.entry, ledger) is Fate.UNKNOWN
    released = replace(only.entry, kind=EntryKind.RELEASED, manifest_sha256=sha256_hex(store))
    ledger.append(replace(released, asset_sha256=sha256_hex(b"another file")))
    assert fate(only.entry, ledger) is Fate.UNKNOWN
    other = log_in(places.state / "second")
    other.append(released)
    assert fate(only.entry, other) is Fate.RELEASED
    other.append(replace(released, kind=EntryKind.WITHDRAWN))
    assert fate(only.entry, other) is Fate.WITHDRAWN
    assert released.asset_sha256 == sha256_hex(data)
