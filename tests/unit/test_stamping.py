"""Time-stamps afterwards: nobody is asked while signing, and an update manifest says later that the file was there."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import encypher_c2pa
import pytest

from sdsafe.api import open_signing, open_stamper
from sdsafe.core.places import Places
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.request import GenerationRequest, Size, Task
from sdsafe.core.states import Asset, Recorded
from sdsafe.core.trust import ListKind, TrustPolicy
from sdsafe.errors import ConfigurationError, ManifestError, SigningError
from sdsafe.inputs import as_input
from sdsafe.plugins import load
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.conformance import conformance
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.manifest.tree import grow, walk
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.provenance.signing.timestamp import HttpStamper
from sdsafe.provenance.trust.probe import TrustProbe
from sdsafe.redaction import redact
from sdsafe.settings import Settings
from sdsafe.stamping import STAMPABLE, stamp
from sdsafe.testing.pipeline import fake_pipeline
from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.testing.authority import Authority

LATER = datetime.now(UTC) + timedelta(days=2_000)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder = tmp_path_factory.mktemp("stamping")
    return Places(state=folder / "state", cache=folder / "cache")


@pytest.fixture(scope="module")
def release(places: Places) -> Any:
    def run(**asked: Any) -> Asset:
        given = {"prompt": "waves", "seed": 7, "steps": 2, "size": Size(width=256, height=256), **asked}
        (made,) = fake_pipeline(places).run(GenerationRequest(**given))
        assert isinstance(made, Recorded), made
        return made.asset

    return run


@pytest.fixture
def signer(places: Places, release: Any) -> Any:
    if not (places.keys / "chain.pem").exists():
        release()
    return load("sdsafe.signers", "file", places)


def asking(authority: Authority) -> HttpStamper:
    return HttpStamper.of([authority.address], "require", timeout_s=0.5)


def state_at(asset: Asset, places: Places, authority: Authority, moment: datetime) -> ManifestState:
    root = (places.keys / "root.pem").read_bytes()
    seen = ManifestProbe(time_anchors=(authority.root,), at=moment).examine(asset, Evidence())
    return TrustProbe(TrustPolicy(anchors={ListKind.MANIFEST: (root,)}), at=moment).examine(asset, seen).manifest


@pytest.mark.parametrize("media_type", sorted(STAMPABLE))
def test_a_certificate_that_has_expired_is_trusted_afterwards(
    release: Any, signer: Any, places: Places, time_authority: Authority, media_type: str
) -> None:
    before = release(media_type=media_type)
    done = stamp(before, signer, asking(time_authority))
    assert len(time_authority.queries) == 2
    assert state_at(before, places, time_authority, LATER) is ManifestState.INVALID
    assert state_at(done.after, places, time_authority, LATER) is ManifestState.TRUSTED
    root = (places.keys / "root.pem").read_text(encoding="utf-8")
    lists = {"trust_pem": root, "tsa_trust_pem": time_authority.root.decode()}
    report = encypher_c2pa.verify(done.after.data, media_type, no_default_trust=True, telemetry=False, **lists)
    assert report["validation_state"] == "Trusted"


@pytest.mark.parametrize("media_type", ["image/webp", "image/tiff"])
def test_what_would_break_is_refused_before_anybody_is_asked(
    release: Any, signer: Any, time_authority: Authority, media_type: str
) -> None:
    before = release(media_type=media_type)
    with pytest.raises(ManifestError) as caught:
        stamp(before, signer, asking(time_authority))
    assert caught.value.code == "timestamp.format"
    assert time_authority.queries == []
    from sdsafe.stamping import _definition

    data, _ = _c2pa.update(before, _definition(before), signer, asking(time_authority))
    broken = ManifestProbe().examine(Asset(data=data, media_type=media_type), Evidence())
    assert broken.manifest is not ManifestState.VALID  # once the library can, so can we


def test_what_the_file_says_stays(release: Any, signer: Any, time_authority: Authority) -> None:
    before = release()
    done = stamp(before, signer, asking(time_authority))
    old = ManifestProbe().examine(before, Evidence()).summary
    seen, reading = ManifestProbe(time_anchors=(time_authority.root,)).look(done.after, Evidence())
    new = seen.summary
    assert old is not None
    assert new is not None
    assert done.changed == (old.label,)
    assert (new.generation, new.prompt, new.actions, new.asset_id) == (
        old.generation,
        old.prompt,
        old.actions,
        old.asset_id,
    )
    assert old.signature_time is None
    assert new.signature_time is not None
    assert abs(datetime.now(UTC) - datetime.fromisoformat(new.signature_time)) < timedelta(minutes=5)
    assert all(each.passed for each in conformance(reading.manifest))
    assert [each.sound for each in walk(grow(reading.store, reading.label))] == [True, True]


def test_every_manifest_below_is_stamped(release: Any, signer: Any, time_authority: Authority) -> None:
    edited = release(task=Task.TRANSFORM, size=None, inputs=(as_input(release(), "image"),))
    assert len(stamp(edited, signer, asking(time_authority)).changed) == 2


def test_a_stamped_picture_goes_into_another_as_what_it_is(
    release: Any, signer: Any, time_authority: Authority
) -> None:
    first = stamp(release(), signer, asking(time_authority))
    edited = release(task=Task.TRANSFORM, size=None, inputs=(as_input(first.after, "image"),))
    summary = ManifestProbe().examine(edited, Evidence()).summary
    assert summary is not None
    inputs: Any = summary.generation["inputs"]
    assert inputs[0]["origin"] == {"asset_id": first.asset_id, "found_by": "manifest"}


def test_a_stamped_file_is_redacted_below_its_update(release: Any, signer: Any, time_authority: Authority) -> None:
    before = release(prompt="zebrafinch")
    old = ManifestProbe().examine(before, Evidence()).summary
    done = redact(stamp(before, signer, asking(time_authority)).after, signer)
    seen, reading = ManifestProbe().look(done.after, Evidence())
    assert b"zebrafinch" not in done.after.data
    assert seen.summary is not None
    assert old is not None
    assert seen.summary.generation["restated_from"] == old.label
    assert [each.sound for each in walk(grow(reading.store, reading.label))] == [True] * 3


def test_what_cannot_be_stamped_is_refused(release: Any, signer: Any, time_authority: Authority) -> None:
    once = stamp(release(), signer, asking(time_authority)).after
    broken = Asset(data=once.data[:-20] + b"\0" + once.data[-19:], media_type="image/png")
    for asset, code in (
        (once, "timestamp.present"),
        (broken, "timestamp.invalid"),
        (release(sidecar=True), "manifest.beside"),
    ):
        with pytest.raises(ManifestError) as caught:
            stamp(asset, signer, asking(time_authority))
        assert caught.value.code == code


def test_somebody_else_can_neither_stamp_it_nor_speak_for_it(
    release: Any, places: Places, time_authority: Authority, tmp_path: Path
) -> None:
    init_development(tmp_path, name="somebody else", password=None, force=False)
    other = load("sdsafe.signers", "file", places, {"path": str(tmp_path)})
    before = release()
    with pytest.raises(ManifestError) as caught:
        stamp(before, other, asking(time_authority))
    assert caught.value.code == "timestamp.other-signer"
    from sdsafe.stamping import _definition

    data, _ = _c2pa.update(before, _definition(before), other, asking(time_authority))
    seen = ManifestProbe().examine(Asset(data=data, media_type="image/png"), Evidence())
    assert seen.summary is not None
    assert (seen.summary.asset_id, dict(seen.summary.generation), seen.summary.prompt) == (None, {}, None)
    assert any("updated by somebody else" in each for each in seen.not_checked)


@pytest.mark.parametrize("behaviour", ["fails", "garbage", "hangs", "rejects"])
def test_where_no_authority_grants_nothing_is_made(
    release: Any, signer: Any, time_authority: Authority, behaviour: str
) -> None:
    before = release()
    time_authority.behaviour = behaviour
    with pytest.raises(SigningError) as caught:
        stamp(before, signer, asking(time_authority))
    assert caught.value.code == "signing.timestamp"


@pytest.fixture
def sdsafe(monkeypatch: pytest.MonkeyPatch, places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SDSAFE_HOME", str(places.state))

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sdsafe", *arguments])
        with pytest.raises(SystemExit) as end:
            run_sdsafe()
        shown = capsys.readouterr()
        return int(end.value.code or 0), shown.out, shown.err

    return run


def test_the_command_stamps_in_place_and_tells_the_ledger(
    release: Any, sdsafe: Any, places: Places, time_authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(release().data)
    (tmp_path / "tsa.pem").write_bytes(time_authority.root)
    code, out, err = sdsafe("timestamp", "a.png", "--authority", time_authority.address, "--json")
    assert code == 0, err
    assert json.loads(out)["log_index"] is not None
    lists = ("--trust", str(places.keys / "root.pem"), "--trust-tsa", "tsa.pem")
    code, out, _ = sdsafe("verify", "a.png", *lists, "--json")
    report = json.loads(out)
    assert (code, report["verdict"], report["states"]["ledger"]) == (0, "trusted", "included")
    assert report["manifest"]["signature_time"] is not None
    code, _, err = sdsafe("timestamp", "a.png", "--authority", time_authority.address)
    assert (code, "has a time-stamp already" in err) == (1, True)


def test_without_authorities_it_says_what_to_set(release: Any, sdsafe: Any, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(release().data)
    code, _, err = sdsafe("timestamp", "a.png")
    assert code == 1
    assert "timestamp_authorities" in err


def test_later_asks_nobody_while_signing(
    places: Places, tmp_path: Path, signer: Any, time_authority: Authority
) -> None:
    env = {"HOME": str(tmp_path), "SDSAFE_HOME": str(places.state)}
    site, named = tmp_path / "none.toml", {"timestamp_authorities": (time_authority.address,)}
    settings = Settings.load(env, site=site, timestamp_policy="later", **named)
    credential, asked_now = open_signing(settings)
    assert credential.certificate_chain == signer.certificate_chain
    assert asked_now is None
    asked_later = open_stamper(settings)
    assert asked_later.required
    assert time_authority.queries == []
    with pytest.raises(ConfigurationError) as caught:
        open_stamper(Settings.load(env, site=site, offline=True, **named))
    assert caught.value.code == "timestamp.offline"
    with pytest.raises(ConfigurationError) as caught:
        open_signing(Settings.load(env, site=site, timestamp_policy="never", **named))
    assert caught.value.code == "timestamp.policy"
