from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import c2pa
import encypher_c2pa
import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sdsafe._internal import images
from sdsafe.core.report import Evidence, LedgerState, ManifestState, SoftState, Verdict, decide
from sdsafe.core.states import Asset
from sdsafe.core.trust import ListKind, TrustPolicy
from sdsafe.provenance.manifest import _c2pa, container
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.signing._issue import issue
from sdsafe.provenance.signing.local import FileSigner
from sdsafe.provenance.trust.probe import TrustProbe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sdsafe.core.states import Encoded

    Chunk = tuple[bytes, bytes]
    TakeApart = Callable[[bytes], list[Chunk]]
    PutTogether = Callable[[Iterable[Chunk]], bytes]
    Sign = Callable[..., tuple[Asset, bytes]]


def _examine(data: bytes, media_type: str = "image/png") -> Evidence:
    return ManifestProbe().examine(Asset(data=data, media_type=media_type), Evidence())


def _failures(seen: Evidence) -> set[str]:
    return {finding.code for finding in seen.findings if finding.severity == "failure"}


def _flip(haystack: bytes, needle: bytes, offset: int = 0) -> bytes:
    position = haystack.index(needle) + offset
    return haystack[:position] + bytes([haystack[position] ^ 1]) + haystack[position + 1 :]


@pytest.fixture
def chunks(signed: Asset, take_apart: TakeApart) -> list[Chunk]:
    return take_apart(signed.data)


@pytest.fixture
def with_store(chunks: list[Chunk], put_together: PutTogether) -> Callable[[Callable[[bytes], bytes]], bytes]:
    """Return a function that changes the manifest store and writes the file again, checksum and all."""

    def change(alter: Callable[[bytes], bytes]) -> bytes:
        return put_together((name, alter(body) if name == b"caBX" else body) for name, body in chunks)

    return change


def test_an_intact_manifest_is_valid_and_its_signer_is_not_judged_here(signed: Asset) -> None:
    seen = _examine(signed.data)
    assert seen.manifest is ManifestState.VALID
    assert seen.summary is not None
    assert seen.summary.trust_list is None
    assert not seen.summary.recovered
    assert _failures(seen) == set()
    assert not any(finding.code.startswith("signingCredential.untrusted") for finding in seen.findings)
    assert {"claimSignature.validated", "assertion.dataHash.match"} <= {f.code for f in seen.findings}
    assert seen.not_checked == ()


def test_what_was_seen_before_is_kept(signed: Asset) -> None:
    before = Evidence(soft=SoftState.MATCH, ledger=LedgerState.INCLUDED, not_checked=("something",))
    seen = ManifestProbe().examine(signed, before)
    assert (seen.soft, seen.ledger, seen.not_checked[0]) == (SoftState.MATCH, LedgerState.INCLUDED, "something")


def test_a_file_without_one_is_absent(encoded: Encoded) -> None:
    seen = _examine(encoded.asset.data)
    assert seen.manifest is ManifestState.ABSENT
    assert seen.summary is None
    assert seen.findings == ()


def test_one_changed_pixel(
    chunks: list[Chunk], take_apart: TakeApart, put_together: PutTogether, encoded: Encoded
) -> None:
    pixels = encoded.marked.pixels.copy()
    pixels[3, 4, 0] ^= 1
    store = dict(chunks)[b"caBX"]
    header, *rest = take_apart(images.encode(pixels))
    seen = _examine(put_together([header, (b"caBX", store), *rest]))
    assert seen.manifest is ManifestState.WELL_FORMED
    assert _failures(seen) == {"assertion.dataHash.mismatch"}


def test_one_changed_bit_of_the_compressed_pixels(signed: Asset) -> None:
    seen = _examine(_flip(signed.data, b"IDAT", 40))
    assert seen.manifest is not ManifestState.VALID
    assert "assertion.dataHash.mismatch" in _failures(seen)


@pytest.mark.parametrize(
    ("needle", "code"),
    [
        (b"prompt_guided", "assertion.hashedURI.mismatch"),
        (b"a zeppelin over", "assertion.hashedURI.mismatch"),
        (b"c2pa.watermarked.unbound", "assertion.hashedURI.mismatch"),
        (b"created_assertions", None),
        (b"specVersion", "claimSignature.mismatch"),
    ],
)
def test_a_changed_statement(
    with_store: Callable[[Callable[[bytes], bytes]], bytes], needle: bytes, code: str | None
) -> None:
    seen = _examine(with_store(lambda store: _flip(store, needle)))
    assert seen.manifest is ManifestState.INVALID
    assert code is None or code in _failures(seen)


def test_a_changed_signature(with_store: Callable[[Callable[[bytes], bytes]], bytes]) -> None:
    # The signature itself ends the store: 64 bytes of r and s.
    seen = _examine(with_store(lambda body: body[:-20] + bytes([body[-20] ^ 1]) + body[-19:]))
    assert seen.manifest is ManifestState.INVALID
    assert _failures(seen)


def test_a_changed_certificate(with_store: Callable[[Callable[[bytes], bytes]], bytes], signer: FileSigner) -> None:
    leaf = signer.certificate_chain[0]
    for offset in (8, len(leaf) // 2, len(leaf) - 4):
        seen = _examine(with_store(lambda store, offset=offset: _flip(store, leaf, offset)))  # type: ignore[misc]
        assert seen.manifest is ManifestState.INVALID


@pytest.mark.parametrize("kept", [10, 100, 5_000, -1])
def test_a_truncated_store(with_store: Callable[[Callable[[bytes], bytes]], bytes], kept: int) -> None:
    seen = _examine(with_store(lambda store: store[:kept]))
    assert seen.manifest is ManifestState.INVALID
    assert _failures(seen)


def test_an_empty_store_is_broken_rather_than_absent(with_store: Callable[[Callable[[bytes], bytes]], bytes]) -> None:
    assert _examine(with_store(lambda _: b"")).manifest is ManifestState.INVALID


def test_two_stores(chunks: list[Chunk], put_together: PutTogether) -> None:
    store = (b"caBX", dict(chunks)[b"caBX"])
    header, *rest = chunks
    seen = _examine(put_together([header, store, *rest]))
    assert seen.manifest is ManifestState.INVALID
    assert _failures(seen)


def test_a_transplanted_store(
    chunks: list[Chunk], put_together: PutTogether, take_apart: TakeApart, make_encoded: Callable[..., Encoded]
) -> None:
    header, *rest = take_apart(make_encoded(seed=2).asset.data)
    seen = _examine(put_together([header, (b"caBX", dict(chunks)[b"caBX"]), *rest]))
    assert seen.manifest is ManifestState.WELL_FORMED
    assert _failures(seen) == {"assertion.dataHash.mismatch"}
    assert decide(seen.manifest, seen.soft, seen.ledger) is Verdict.INVALID


@pytest.mark.parametrize("extra", [b"\0", b"x" * 1000])
def test_trailing_bytes(signed: Asset, extra: bytes) -> None:
    seen = _examine(signed.data + extra)
    assert seen.manifest is ManifestState.INVALID
    assert "container.png.trailing" in _failures(seen)


def test_an_inserted_text_chunk(chunks: list[Chunk], put_together: PutTogether) -> None:
    seen = _examine(put_together([*chunks[:-1], (b"tEXt", b"Comment\0hello"), chunks[-1]]))
    assert seen.manifest is ManifestState.WELL_FORMED
    assert "assertion.dataHash.mismatch" in _failures(seen)


def test_a_checksum_that_does_not_fit_is_seen_although_the_library_does_not(signed: Asset, chunks: list[Chunk]) -> None:
    store = dict(chunks)[b"caBX"]
    data = _flip(signed.data, store, len(store) + 1)
    reading = _c2pa.read(Asset(data=data, media_type="image/png"))
    assert reading.library_state == "Valid"
    seen = _examine(data)
    assert seen.manifest is ManifestState.INVALID
    assert _failures(seen) == {"container.png.crc"}


def test_padding_that_is_not_zero_is_seen_although_the_library_does_not(
    with_store: Callable[[Callable[[bytes], bytes]], bytes],
) -> None:
    data = with_store(lambda store: store.replace(b"\0" * 64, b"\0" * 63 + b"\1", 1))
    assert _c2pa.read(Asset(data=data, media_type="image/png")).library_state == "Valid"
    assert _examine(data).manifest is ManifestState.INVALID


def test_a_removed_chunk_is_absent(chunks: list[Chunk], put_together: PutTogether) -> None:
    assert _examine(put_together(c for c in chunks if c[0] != b"caBX")).manifest is ManifestState.ABSENT


def test_a_re_encoded_picture_is_absent(encoded: Encoded) -> None:
    assert _examine(images.encode(encoded.marked.pixels)).manifest is ManifestState.ABSENT


def test_a_second_validator_calls_the_same_files_broken(
    signed: Asset, with_store: Callable[[Callable[[bytes], bytes]], bytes]
) -> None:
    broken = [
        with_store(lambda store: _flip(store, b"prompt_guided")),
        with_store(lambda store: _flip(store, b"specVersion")),
        _flip(signed.data, b"IDAT", 40),
        signed.data + b"x",
    ]
    for data in broken:
        assert encypher_c2pa.verify(data, "image/png", telemetry=False)["validation_state"] == "Invalid"
        assert decide(_examine(data).manifest, SoftState.NOT_CHECKED, LedgerState.NOT_CHECKED) is Verdict.INVALID


def _short_lived(folder: Path, at: datetime, days: float) -> tuple[FileSigner, bytes]:
    hierarchy = issue("short lived", at, leaf_days=days)
    chain, key = folder / "chain.pem", folder / "leaf.key"
    chain.write_bytes(hierarchy.leaf.public_bytes(Encoding.PEM) + hierarchy.issuing.public_bytes(Encoding.PEM))
    key.write_bytes(hierarchy.leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return FileSigner(chain, key), hierarchy.root.public_bytes(Encoding.PEM)


def test_an_expired_certificate_without_proven_time_is_invalid(tmp_path: Path, encoded: Encoded, sign: Sign) -> None:
    now = datetime.now(UTC)
    signer, root = _short_lived(tmp_path, now, days=3 / 86_400)
    asset, _ = sign(encoded, signer)
    policy = TrustPolicy(anchors={ListKind.MANIFEST: (root,)})
    judged = TrustProbe(policy).examine(asset, ManifestProbe().examine(asset, Evidence()))
    assert judged.manifest is ManifestState.TRUSTED
    time.sleep(max(0.0, 4.1 - (datetime.now(UTC) - now).total_seconds()))
    judged = TrustProbe(policy).examine(asset, ManifestProbe().examine(asset, Evidence()))
    assert judged.manifest is ManifestState.INVALID
    assert "signingCredential.expired" in _failures(judged)


# The letters say what was done to each file: https://github.com/c2pa-org/public-testfiles
PUBLIC = {
    "A.jpg": (ManifestState.ABSENT, set()),
    "I.jpg": (ManifestState.ABSENT, set()),
    "C.jpg": (ManifestState.VALID, set()),
    "CA.jpg": (ManifestState.VALID, set()),
    "CAI.jpg": (ManifestState.VALID, set()),
    "XCA.jpg": (ManifestState.WELL_FORMED, {"assertion.dataHash.mismatch"}),
    "E-dat-CA.jpg": (ManifestState.WELL_FORMED, {"assertion.dataHash.mismatch"}),
    "E-sig-CA.jpg": (ManifestState.INVALID, {"claimSignature.mismatch"}),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_files_are_what_their_letters_say(shared_data: Path, name: str) -> None:
    state, failures = PUBLIC[name]
    seen = _examine((shared_data / "c2pa-testfiles" / name).read_bytes(), "image/jpeg")
    assert seen.manifest is state
    assert _failures(seen) == failures
    if state is ManifestState.VALID:
        assert seen.summary is not None
        assert seen.summary.signer == "C2PA Signer, C2PA Test Signing Cert"
        assert seen.summary.generation == {}
        assert seen.summary.asset_id is None


def test_the_time_of_an_old_claim_is_not_taken_for_proven(shared_data: Path) -> None:
    data = (shared_data / "c2pa-testfiles" / "C.jpg").read_bytes()
    anchors = ((shared_data / "trust-lists" / "C2PA-TSA-TRUST-LIST.pem").read_bytes(),)
    seen = ManifestProbe(time_anchors=anchors).examine(Asset(data=data, media_type="image/jpeg"), Evidence())
    assert "timeStamp.trusted" in {finding.code for finding in seen.findings}  # the library's word for version 1
    assert seen.summary is not None
    assert seen.summary.signature_time is None


def test_the_probe_says_which_library_answered(signed: Asset) -> None:
    finding = _examine(signed.data).findings[0]
    assert finding.source == "manifest"
    assert f"c2pa-rs/{c2pa.sdk_version()}" in finding.source_version


def test_a_signed_jpeg_says_that_its_container_was_not_looked_at(encoded: Encoded, sign: Sign) -> None:
    pixels = np.asarray(encoded.marked.pixels)
    jpeg = replace(encoded, asset=Asset(data=images.encode(pixels, "image/jpeg"), media_type="image/jpeg"))
    asset, _ = sign(jpeg)
    seen = ManifestProbe().examine(asset, Evidence())
    assert seen.manifest is ManifestState.VALID
    assert any("image/jpeg" in note for note in seen.not_checked)


def test_without_its_store_a_signed_file_is_the_one_that_was_encoded(signed: Asset, encoded: Encoded) -> None:
    assert signed.data != encoded.asset.data
    assert container.without_store(signed.data) == encoded.asset.data
    assert container.without_store(encoded.asset.data) == encoded.asset.data
    assert container.without_store(signed.data + b"more") == encoded.asset.data + b"more"
    assert container.without_store(b"no picture") == b"no picture"
