from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sdsafe.core.report import Evidence, ManifestState, SoftMatch, SoftState, Verdict, decide
from sdsafe.core.request import PromptDisclosure
from sdsafe.provenance.manifest.probe import FORGIVEN_IN_A_STORE, RecoveryProbe
from sdsafe.provenance.signing._issue import issue
from sdsafe.provenance.signing.local import FileSigner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.core.states import Asset, Encoded

    Sign = Callable[..., tuple[Asset, bytes]]


@pytest.fixture(scope="module")
def store(sign: Sign, encoded: Encoded) -> bytes:
    return sign(encoded)[1]


def _match(store: bytes, **changes: object) -> SoftMatch:
    match = SoftMatch(
        alg="phash",
        asset_id="0001020304050607",
        distance=0.02,
        p_value=None,
        recorded_at="2026-11-22T07:00:01Z",
        manifest_store=store,
    )
    return replace(match, **changes)  # type: ignore[arg-type]


def _follow(asset: Asset, *matches: SoftMatch, manifest: ManifestState = ManifestState.ABSENT) -> Evidence:
    seen = Evidence(manifest=manifest, soft=SoftState.MATCH, matches=matches)
    return RecoveryProbe().examine(asset, seen)


def _failures(seen: Evidence) -> set[str]:
    return {finding.code for finding in seen.findings if finding.severity == "failure"}


@pytest.mark.parametrize("alg", ["phash", "dwtDctSvd"])
def test_a_stored_manifest_is_read(encoded: Encoded, store: bytes, alg: str) -> None:
    seen = _follow(encoded.asset, _match(store, alg=alg))
    assert seen.soft is SoftState.MATCH
    assert seen.manifest is ManifestState.ABSENT
    assert seen.summary is not None
    assert seen.summary.recovered
    assert seen.summary.asset_id == "0001020304050607"
    assert seen.summary.prompt == "a zeppelin over quiet marshland"
    assert _failures(seen) == set()
    assert decide(seen.manifest, seen.soft, seen.ledger) is Verdict.RECOVERED


def test_the_expected_mismatch_is_told_not_hidden(encoded: Encoded, store: bytes) -> None:
    seen = _follow(encoded.asset, _match(store))
    (told,) = [f for f in seen.findings if f.code == "assertion.dataHash.mismatch"]
    assert told.severity == "informational"
    assert "without the original's bytes" in told.explanation


def test_the_signer_of_a_recovered_manifest_is_not_called_trusted(encoded: Encoded, store: bytes) -> None:
    seen = _follow(encoded.asset, _match(store))
    assert any(note.startswith("trust:") for note in seen.not_checked)
    assert seen.summary is not None
    assert seen.summary.trust_list is None


@pytest.mark.parametrize(
    "needle", [b"prompt_guided", b"a zeppelin over", b"specVersion", b"c2pa.signature", b"0001020304050607"]
)
def test_a_store_that_was_changed_is_a_mismatch(encoded: Encoded, store: bytes, needle: bytes) -> None:
    position = store.index(needle)
    changed = store[:position] + bytes([store[position] ^ 1]) + store[position + 1 :]
    seen = _follow(encoded.asset, _match(changed))
    assert seen.soft is SoftState.MISMATCH
    assert seen.summary is None
    assert _failures(seen)
    assert decide(seen.manifest, seen.soft, seen.ledger) is Verdict.UNKNOWN


@pytest.mark.parametrize("broken", [b"", b"x", b"\0" * 100])
def test_a_store_that_is_none_is_a_mismatch(encoded: Encoded, broken: bytes) -> None:
    seen = _follow(encoded.asset, _match(broken))
    assert seen.soft is SoftState.MISMATCH
    assert _failures(seen)


def test_a_truncated_store_is_a_mismatch(encoded: Encoded, store: bytes) -> None:
    assert _follow(encoded.asset, _match(store[:-1])).soft is SoftState.MISMATCH


def test_a_store_about_another_asset_is_a_mismatch(encoded: Encoded, store: bytes) -> None:
    seen = _follow(encoded.asset, _match(store, asset_id="ff" * 8))
    assert seen.soft is SoftState.MISMATCH
    assert _failures(seen) == {"org.sdsafe.recovery.mismatch"}


def test_a_binding_that_the_manifest_does_not_name_is_a_mismatch(encoded: Encoded, store: bytes) -> None:
    seen = _follow(encoded.asset, _match(store, alg="somebody-elses"))
    assert seen.soft is SoftState.MISMATCH
    assert _failures(seen) == {"org.sdsafe.recovery.mismatch"}


def test_the_next_match_is_tried(encoded: Encoded, store: bytes) -> None:
    seen = _follow(encoded.asset, _match(b"broken"), _match(store))
    assert seen.soft is SoftState.MATCH
    assert seen.summary is not None
    assert _failures(seen)  # of the first one: nothing is hidden


def test_without_a_match_nothing_happens(encoded: Encoded, store: bytes) -> None:
    for seen in (
        Evidence(),
        Evidence(soft=SoftState.MATCH),
        Evidence(soft=SoftState.NOT_DETECTED, matches=(_match(store),)),
        Evidence(soft=SoftState.MISMATCH, matches=(_match(store),)),
    ):
        assert RecoveryProbe().examine(encoded.asset, seen) is seen


@pytest.mark.parametrize("state", [s for s in ManifestState if s is not ManifestState.ABSENT])
def test_a_manifest_in_the_file_speaks_for_itself(encoded: Encoded, store: bytes, state: ManifestState) -> None:
    assert _follow(encoded.asset, _match(store), manifest=state).summary is None


def test_an_undisclosed_prompt_stays_so(make_encoded: Callable[..., Encoded], sign: Sign) -> None:
    _, store = sign(make_encoded(disclosure=PromptDisclosure.OMIT))
    seen = _follow(make_encoded().asset, _match(store))
    assert seen.summary is not None
    assert seen.summary.prompt is None


def test_a_certificate_that_ended_since_is_forgiven_and_nothing_else(
    tmp_path: Path, encoded: Encoded, sign: Sign
) -> None:
    now = datetime.now(UTC)
    hierarchy = issue("short lived", now, leaf_days=3 / 86_400)
    (tmp_path / "chain.pem").write_bytes(
        hierarchy.leaf.public_bytes(Encoding.PEM) + hierarchy.issuing.public_bytes(Encoding.PEM)
    )
    key = hierarchy.leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "leaf.key").write_bytes(key)
    _, store = sign(encoded, FileSigner(tmp_path / "chain.pem", tmp_path / "leaf.key"))
    time.sleep(max(0.0, 4.1 - (datetime.now(UTC) - now).total_seconds()))
    seen = _follow(encoded.asset, _match(store))
    assert seen.soft is SoftState.MATCH
    assert "signingCredential.expired" in {f.code for f in seen.findings if f.severity == "informational"}
    changed = store.replace(b"a zeppelin over", b"b zeppelin over")
    assert _follow(encoded.asset, _match(changed)).soft is SoftState.MISMATCH
    changed = store.replace(b"specVersion", b"specversion")
    assert _follow(encoded.asset, _match(changed)).soft is SoftState.MISMATCH


def test_what_is_forgiven_is_written_down() -> None:
    assert sorted(FORGIVEN_IN_A_STORE) == [
        "assertion.bmffHash.mismatch",
        "assertion.boxesHash.mismatch",
        "assertion.boxesHash.unknownBox",
        "assertion.dataHash.mismatch",
        "signingCredential.expired",
    ]
