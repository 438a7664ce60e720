from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.core.report import Evidence, ManifestState, ManifestSummary
from sdsafe.core.states import Asset
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.metadata.aigc import AigcLabel
from sdsafe.provenance.metadata.embedding import embed
from sdsafe.provenance.metadata.model import DigitalSourceType, Metadata
from sdsafe.provenance.metadata.probe import MetadataProbe

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.states import Encoded

SUMMARY = ManifestSummary(
    label="urn:c2pa:1",
    claim_generator="sdsafe",
    signer="S",
    issuer="I",
    signature_time=None,
    trust_list=None,
    asset_id="0001020304050607",
    prompt="a calm sea",
    source_types=(DigitalSourceType.TRAINED, DigitalSourceType.ENHANCED),
)
INTACT = Evidence(manifest=ManifestState.TRUSTED, summary=SUMMARY)


@pytest.fixture
def declaring(encoded: Encoded) -> Callable[..., Asset]:
    def make(**fields: object) -> Asset:
        metadata = Metadata(**fields)  # type: ignore[arg-type]
        return replace(encoded.asset, data=embed(encoded.asset.data, "image/png", metadata))

    return make


def codes(evidence: Evidence) -> list[str]:
    return [finding.code for finding in evidence.findings]


def test_without_a_manifest_nothing_is_authenticated(declaring: Callable[..., Asset]) -> None:
    asset = declaring(creators=("A", "B"), prompt="x" * 1000, aigc=AigcLabel(produce_id="7"))
    seen = MetadataProbe().examine(asset, Evidence())
    assert codes(seen) == ["metadata.unauthenticated", *["metadata.declared"] * 3]
    prompt, creators, label = seen.findings[1:]
    assert prompt.explanation == f"Iptc4xmpExt:AIPromptInformation: {'x' * 299}…"
    assert prompt.data == {"property": "Iptc4xmpExt:AIPromptInformation", "value": "x" * 1000}
    assert creators.explanation == "dc:creator: A; B"
    assert '"ProduceID":"7"' in label.explanation
    assert replace(seen, findings=()) == Evidence()


def test_what_an_intact_manifest_covers_and_says_too(declaring: Callable[..., Asset]) -> None:
    fields = {"digital_source_type": DigitalSourceType.TRAINED, "identifier": "0001020304050607"}
    asset = declaring(**fields, prompt="a calm sea\nnegative_prompt: storm")
    assert codes(MetadataProbe().examine(asset, INTACT))[0] == "metadata.covered"
    assert "metadata.disagrees" not in codes(MetadataProbe().examine(asset, INTACT))


def test_a_hard_binding_with_holes_covers_nothing(declaring: Callable[..., Asset]) -> None:
    hole = Finding(
        code="assertion.dataHash.additionalExclusionsPresent",
        severity=Severity.INFORMATIONAL,
        stage=Stage.VERIFY,
        source="manifest",
        source_version="1",
    )
    seen = MetadataProbe().examine(declaring(credit="x"), INTACT.noting([hole]))
    assert codes(seen)[1] == "metadata.unauthenticated"


@pytest.mark.parametrize(
    ("fields", "summary", "says"),
    [
        ({"digital_source_type": DigitalSourceType.ALGORITHMIC}, SUMMARY, "source type http"),
        ({"identifier": "ff" * 8}, SUMMARY, "id ffffffffffffffff, the manifest says 0001020304050607"),
        ({"prompt": "another"}, SUMMARY, "another prompt than the manifest"),
        ({"prompt": "a calm sea"}, replace(SUMMARY, prompt=None), "which the manifest does not disclose"),
    ],
)
def test_contradictions_are_named_only_where_a_manifest_is_intact(
    declaring: Callable[..., Asset], fields: dict[str, object], summary: ManifestSummary, says: str
) -> None:
    seen = MetadataProbe().examine(declaring(**fields), replace(INTACT, summary=summary))
    (found,) = [each for each in seen.findings if each.code == "metadata.disagrees"]
    assert says in found.explanation
    assert seen.manifest is ManifestState.TRUSTED
    broken = Evidence(manifest=ManifestState.INVALID, summary=summary)
    assert "metadata.disagrees" not in codes(MetadataProbe().examine(declaring(**fields), broken))


def test_problems_are_findings_and_other_formats_are_named(encoded: Encoded) -> None:
    two = embed(encoded.asset.data, "image/png", Metadata(credit="a"))
    packet = two[33 : len(two) - len(encoded.asset.data) + 33]
    seen = MetadataProbe().examine(replace(encoded.asset, data=two[:33] + packet + two[33:]), Evidence())
    assert codes(seen) == ["metadata.several-packets"]
    other = MetadataProbe().examine(Asset(data=b"GIF89a", media_type="image/gif"), Evidence())
    assert other.not_checked == ("metadata: those of image/gif are not read",)
    assert MetadataProbe().examine(encoded.asset, INTACT) == INTACT


def test_beside_the_manifest_that_we_sign(
    declaring: Callable[..., Asset], sign: Callable[[Encoded], tuple[Asset, bytes]], encoded: Encoded
) -> None:
    fields = {"digital_source_type": DigitalSourceType.TRAINED, "identifier": "0001020304050607"}
    signed, _ = sign(replace(encoded, asset=declaring(**fields, prompt="a zeppelin over quiet marshland")))
    seen = MetadataProbe().examine(signed, ManifestProbe().examine(signed, Evidence()))
    mine = [code for code in codes(seen) if code.startswith("metadata.")]
    assert mine == ["metadata.covered", *["metadata.declared"] * 3]
