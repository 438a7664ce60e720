from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe.bindings.watermark.probe import WatermarkProbe
from sdsafe.core.ids import AssetId
from sdsafe.core.report import Evidence, LedgerState, ManifestState, SoftState, Verdict, decide
from sdsafe.core.states import Asset
from sdsafe.errors import MissingExtraError, RepositoryError, WatermarkError
from sdsafe.testing.fakes import GridFingerprinter, LsbWatermarker, MemoryRepository
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.pixels import Pixels

A, B = AssetId(b"asset--A"), AssetId(b"asset--B")
ABSENT = Evidence()


def probe(repository: Any = None, *, marker: Any = None, fingerprinters: Any = None, always: bool = False) -> Any:
    prints = (GridFingerprinter(),) if fingerprinters is None else fingerprinters
    return WatermarkProbe([lambda: marker or LsbWatermarker()], repository, prints, always=always)


def codes(seen: Evidence) -> list[str]:
    return [finding.code for finding in seen.findings]


def verdict(seen: Evidence) -> Verdict:
    return decide(seen.manifest, seen.soft, LedgerState.NOT_CHECKED)


def test_mark_record_and_likeness_together_recover(release: Any, as_png: Callable[[Pixels], Asset]) -> None:
    marked, repository = release(sample_picture(1), asset_id=A)
    seen = probe(repository).examine(as_png(marked), ABSENT)
    assert seen.soft is SoftState.MATCH
    assert verdict(seen) is Verdict.RECOVERED
    assert codes(seen) == ["watermark.recovered"]
    (match,) = seen.matches
    assert (match.asset_id, match.manifest_store) == (str(A), b"store of asset--A")
    assert match.p_value == 2.0**-32
    assert match.distance is None


def test_a_mark_copied_onto_another_picture_is_a_mismatch(release: Any, as_png: Callable[[Pixels], Asset]) -> None:
    marked, repository = release(sample_picture(1), asset_id=A)
    other = sample_picture(2)
    forged = other & 0xFE | marked & 1
    assert LsbWatermarker().detect([forged])[0].payload == A.value
    seen = probe(repository).examine(as_png(forged), ABSENT)
    assert seen.soft is SoftState.MISMATCH
    assert seen.matches == ()
    assert verdict(seen) is Verdict.UNKNOWN
    (finding,) = seen.findings
    assert finding.code == "watermark.other-picture"
    assert "cropped, or a mark copied from another picture" in finding.explanation


def test_an_unrecorded_id_leads_nowhere_and_is_named(release: Any, as_png: Callable[[Pixels], Asset]) -> None:
    marked, _ = release(sample_picture(1), asset_id=A)
    seen = probe(MemoryRepository()).examine(as_png(marked), ABSENT)
    assert seen.soft is SoftState.NOT_DETECTED
    assert verdict(seen) is Verdict.UNKNOWN
    (finding,) = seen.findings
    assert finding.code == "watermark.unrecorded"
    assert finding.data["watermark_asset_id"] == str(A)


def test_without_a_repository_the_mark_is_not_followed(release: Any, as_png: Callable[[Pixels], Asset]) -> None:
    marked, _ = release(sample_picture(1), asset_id=A)
    seen = probe(None).examine(as_png(marked), ABSENT)
    assert seen.soft is SoftState.NOT_CHECKED
    assert codes(seen) == ["watermark.unfollowed"]
    assert "no manifest repository" in seen.not_checked[0]


@pytest.mark.parametrize("why", ["not recorded", "not configured", "too little detail"])
def test_a_mark_that_nothing_can_confirm_recovers_nothing(
    why: str, release: Any, as_png: Callable[[Pixels], Asset], monkeypatch: pytest.MonkeyPatch
) -> None:
    marked, repository = release(sample_picture(1), asset_id=A, fingerprint=why != "not recorded")
    fingerprinter = GridFingerprinter()
    if why == "too little detail":
        monkeypatch.setattr(GridFingerprinter, "discriminates", lambda _self, _image: False, raising=False)
    fingerprinters = () if why == "not configured" else (fingerprinter,)
    seen = probe(repository, fingerprinters=fingerprinters).examine(as_png(marked), ABSENT)
    assert seen.soft is SoftState.NOT_CHECKED
    assert seen.matches == ()
    assert codes(seen) == ["watermark.unconfirmed"]
    assert verdict(seen) is Verdict.UNKNOWN


def test_no_mark_is_informational(as_png: Callable[[Pixels], Asset]) -> None:
    seen = probe(MemoryRepository()).examine(as_png(sample_picture()), ABSENT)
    assert seen.soft is SoftState.NOT_DETECTED
    (finding,) = seen.findings
    assert (finding.code, finding.severity) == ("watermark.not-detected", "informational")


@pytest.mark.parametrize("manifest", [ManifestState.INVALID, ManifestState.WELL_FORMED])
def test_a_broken_manifest_does_not_stop_the_search(
    manifest: ManifestState, release: Any, as_png: Callable[[Pixels], Asset], evidence_of: Any
) -> None:
    marked, repository = release(sample_picture(1), asset_id=A)
    seen = probe(repository).examine(as_png(marked), evidence_of(manifest, str(A)))
    assert seen.soft is SoftState.MATCH
    assert verdict(seen) is Verdict.INVALID


@pytest.mark.parametrize("manifest", [ManifestState.VALID, ManifestState.TRUSTED])
class TestIntactManifest:
    def test_it_is_not_looked_at_unless_asked(self, manifest: ManifestState, evidence_of: Any) -> None:
        class Untouchable(LsbWatermarker):
            def detect(self, *_: object) -> Any:
                raise AssertionError("looked")

        before = evidence_of(manifest, str(A))
        seen = probe(marker=Untouchable()).examine(Asset(data=b"", media_type="image/png"), before)
        assert seen.soft is SoftState.NOT_CHECKED
        assert seen.findings == ()
        assert len(seen.not_checked) == 1

    @pytest.mark.parametrize(
        ("named", "soft", "code"),
        [
            (str(A), SoftState.MATCH, "watermark.match"),
            (str(B), SoftState.MISMATCH, "watermark.mismatch"),
            (None, SoftState.NOT_CHECKED, "watermark.incomparable"),
        ],
    )
    def test_asked_it_compares_with_the_named_id(
        self,
        *,
        manifest: ManifestState,
        named: str | None,
        soft: SoftState,
        code: str,
        evidence_of: Any,
        release: Any,
        as_png: Callable[[Pixels], Asset],
    ) -> None:
        marked, _ = release(sample_picture(1), asset_id=A)
        seen = probe(always=True).examine(as_png(marked), evidence_of(manifest, named))
        assert seen.soft is soft
        assert codes(seen) == [code]
        expected = Verdict.INVALID if soft is SoftState.MISMATCH else Verdict(manifest.value)
        assert verdict(seen) is expected

    def test_asked_a_missing_mark_does_not_lower_the_verdict(
        self, manifest: ManifestState, evidence_of: Any, as_png: Callable[[Pixels], Asset]
    ) -> None:
        seen = probe(always=True).examine(as_png(sample_picture()), evidence_of(manifest, str(A)))
        assert seen.soft is SoftState.NOT_DETECTED
        assert verdict(seen) is Verdict(manifest.value)


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\nrubbish"])
def test_an_undecodable_picture_is_a_finding(data: bytes) -> None:
    seen = probe(MemoryRepository()).examine(Asset(data=data, media_type="image/png"), ABSENT)
    assert seen.soft is SoftState.NOT_CHECKED
    assert codes(seen) == ["watermark.unreadable-asset"]
    assert seen.not_checked


@pytest.mark.parametrize(
    "error",
    [MissingExtraError("the mark", extra="generate"), WatermarkError("no"), RepositoryError("the index is damaged")],
)
def test_trouble_is_not_checked(error: Exception, as_png: Callable[[Pixels], Asset]) -> None:
    class Broken(LsbWatermarker):
        def detect(self, *_: object) -> Any:
            raise error

    seen = probe(MemoryRepository(), marker=Broken()).examine(as_png(sample_picture()), ABSENT)
    assert seen.soft is SoftState.NOT_CHECKED
    assert str(error) in seen.not_checked[0]


def test_what_was_seen_before_is_kept(as_png: Callable[[Pixels], Asset]) -> None:
    first = probe(MemoryRepository()).examine(as_png(sample_picture()), ABSENT)
    second = probe(None).examine(as_png(np.zeros((64, 64, 3), np.uint8)), first)
    assert second.findings[: len(first.findings)] == first.findings


class OtherLsb(LsbWatermarker):
    """A second algorithm: the same bits, upside down."""

    alg = "example.other"  # type: ignore[assignment]

    def embed(self, images: Any, payloads: Any, /) -> Any:
        return [255 - each for each in super().embed([255 - each for each in images], payloads)]

    def detect(self, images: Any, /) -> Any:
        found = super().detect([255 - each for each in images])
        return [replace(each, alg=self.alg) for each in found]


class Keyless(OtherLsb):
    def detect(self, _images: Any, /) -> Any:
        raise WatermarkError("there is no watermark key on this machine", code="watermark.no-key")


def several(repository: Any, *makers: Any, always: bool = False) -> Any:
    return WatermarkProbe(makers, repository, (GridFingerprinter(),), always=always)


def test_a_mark_of_an_earlier_algorithm_still_recovers(release: Any, as_png: Callable[[Pixels], Asset]) -> None:
    marked, repository = release(sample_picture(1), asset_id=A)
    seen = several(repository, OtherLsb, LsbWatermarker).examine(as_png(marked), ABSENT)
    assert (seen.soft, seen.matches[0].alg) == (SoftState.MATCH, LsbWatermarker().alg)


def test_what_could_not_be_tried_keeps_the_state_open(release: Any, as_png: Callable[[Pixels], Asset]) -> None:
    marked, repository = release(sample_picture(1), asset_id=A)
    both = several(repository, Keyless, LsbWatermarker)
    assert both.examine(as_png(marked), ABSENT).soft is SoftState.MATCH
    seen = both.examine(as_png(sample_picture(2)), ABSENT)
    assert seen.soft is SoftState.NOT_CHECKED
    assert seen.not_checked == ("watermark: there is no watermark key on this machine",)
    assert codes(seen) == ["watermark.not-detected"]


def test_nothing_is_opened_for_an_intact_file(as_png: Callable[[Pixels], Asset], evidence_of: Any) -> None:
    def opened() -> Any:
        raise AssertionError("opened")

    several(None, opened).examine(as_png(sample_picture()), evidence_of(ManifestState.TRUSTED, str(A)))


@pytest.mark.parametrize("named", ["example.other", "example.nobody-has-it"])
def test_an_intact_manifest_is_compared_with_the_mark_that_it_names(
    named: str, release: Any, as_png: Callable[[Pixels], Asset], evidence_of: Any
) -> None:
    marked, _ = release(sample_picture(1), asset_id=A)  # carries a mark, of an algorithm that the manifest denies
    intact = evidence_of(ManifestState.VALID, str(B))
    summary = replace(intact.summary, generation={"watermark": {"alg": named, "version": "1"}})
    seen = several(None, LsbWatermarker, OtherLsb, always=True).examine(
        as_png(marked), replace(intact, summary=summary)
    )
    expected = SoftState.NOT_DETECTED if named == "example.other" else SoftState.NOT_CHECKED
    assert seen.soft is expected
    assert ("no watermarker here reads" in " ".join(seen.not_checked)) == (named != "example.other")


def test_a_picture_too_small_to_read_is_not_checked(as_png: Callable[[Pixels], Asset]) -> None:
    class Demanding(LsbWatermarker):
        def check_legible(self, width: int, height: int, /) -> None:
            raise WatermarkError(f"{width}x{height} is too small to look for a mark in", code="watermark.too-small")

    seen = several(None, Demanding).examine(as_png(sample_picture(height=40, width=60)), ABSENT)
    assert seen.soft is SoftState.NOT_CHECKED
    assert seen.not_checked == ("watermark: 60x40 is too small to look for a mark in",)
    assert seen.findings == ()
