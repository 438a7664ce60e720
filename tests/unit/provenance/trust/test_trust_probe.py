from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe._internal.clock import rfc3339
from sdsafe.core.report import Evidence, ManifestState, ManifestSummary, SoftState
from sdsafe.core.trust import ListKind, TrustPolicy
from sdsafe.errors import ConfigurationError
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.trust.probe import TrustProbe

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sdsafe.core.states import Asset


def _summary(*chain: Any, at: datetime | None = None) -> ManifestSummary:
    return ManifestSummary(
        label="urn:c2pa:x",
        claim_generator="x",
        signer="",
        issuer="",
        signature_time=rfc3339(at) if at else None,
        trust_list=None,
        certificate_chain=tuple(each.der for each in chain),
    )


def _policy(**anchors: Any) -> TrustPolicy:
    return TrustPolicy(anchors={ListKind(kind): tuple(each.pem for each in made) for kind, made in anchors.items()})


@pytest.fixture(scope="module")
def chain(make: Callable[..., Any]) -> tuple[Any, Any, Any]:
    root = make("the root", ca=True, ends=timedelta(days=3650))
    issuing = make("issuing", root, ca=True, ends=timedelta(days=3650))
    return make("leaf", issuing, ends=timedelta(days=3650)), issuing, root


@pytest.fixture
def seen(chain: tuple[Any, Any, Any]) -> Evidence:
    return Evidence(manifest=ManifestState.VALID, summary=_summary(*chain[:2]), soft=SoftState.MATCH)


def _asset() -> Asset:
    return None  # type: ignore[return-value]  # this probe looks at evidence only


def test_a_signed_asset_is_trusted_with_its_root(signed: Asset, root_pem: bytes) -> None:
    seen = ManifestProbe().examine(signed, Evidence())
    trusted = TrustProbe(TrustPolicy(anchors={ListKind.MANIFEST: (root_pem,)})).examine(signed, seen)
    assert trusted.manifest is ManifestState.TRUSTED
    assert trusted.summary is not None
    assert trusted.summary.trust_list is not None
    assert trusted.summary.trust_list.startswith("sdsafe development CA root ")


def test_the_anchor_is_named(seen: Evidence, chain: tuple[Any, Any, Any]) -> None:
    trusted = TrustProbe(_policy(manifest=[chain[2]])).examine(_asset(), seen)
    assert trusted.manifest is ManifestState.TRUSTED
    assert trusted.summary is not None
    assert trusted.summary.trust_list == "the root"
    assert trusted.soft is SoftState.MATCH
    assert [f.code for f in trusted.findings] == ["signingCredential.trusted"]


@pytest.mark.parametrize("kind", ["tsa", "cawg"])
def test_a_root_of_another_kind_never_makes_a_signer_trusted(
    seen: Evidence, chain: tuple[Any, Any, Any], make: Callable[..., Any], kind: str
) -> None:
    root = chain[2]
    for policy in (
        _policy(**{kind: [root]}),
        _policy(**{kind: [root], "manifest": []}),
        _policy(**{kind: [root], "manifest": [make("somebody else", ca=True)]}),
    ):
        judged = TrustProbe(policy).examine(_asset(), seen)
        assert judged.manifest is ManifestState.VALID
        assert judged.summary is not None
        assert judged.summary.trust_list is None


def test_without_a_list_it_says_that_the_signer_is_unknown(seen: Evidence) -> None:
    judged = TrustProbe(TrustPolicy()).examine(_asset(), seen)
    assert judged.manifest is ManifestState.VALID
    assert judged.not_checked == ("trust: signer unknown: no manifest trust list configured",)
    (finding,) = judged.findings
    assert (finding.code, finding.severity) == ("signingCredential.untrusted", "informational")


def test_a_signer_on_none_of_the_lists_stays_valid(seen: Evidence, make: Callable[..., Any]) -> None:
    judged = TrustProbe(_policy(manifest=[make("somebody else", ca=True)])).examine(_asset(), seen)
    assert judged.manifest is ManifestState.VALID
    (finding,) = judged.findings
    assert (finding.code, finding.severity) == ("signingCredential.untrusted", "failure")
    assert "leaf" in finding.explanation
    assert judged.not_checked == ()


def test_without_certificates_nobody_is_trusted(seen: Evidence, chain: tuple[Any, Any, Any]) -> None:
    judged = TrustProbe(_policy(manifest=[chain[2]])).examine(_asset(), replace(seen, summary=_summary()))
    assert judged.manifest is ManifestState.VALID
    assert [f.code for f in judged.findings] == ["signingCredential.invalid"]


@pytest.mark.parametrize("state", [s for s in ManifestState if s is not ManifestState.VALID])
def test_only_an_intact_manifest_is_judged(seen: Evidence, chain: tuple[Any, Any, Any], state: ManifestState) -> None:
    before = replace(seen, manifest=state)
    assert TrustProbe(_policy(manifest=[chain[2]])).examine(_asset(), before) is before


def test_the_proven_time_is_the_time_that_counts(make: Callable[..., Any], moment: datetime) -> None:
    then = moment - timedelta(days=1000)
    span = {"begins": timedelta(days=-3000)}
    root = make("root", ca=True, ends=timedelta(days=3000), **span)
    issuing = make("issuing", root, ca=True, ends=timedelta(days=3000), **span)
    leaf = make("leaf", issuing, ends=timedelta(days=-500), **span)
    policy = _policy(manifest=[root])
    proven = Evidence(manifest=ManifestState.VALID, summary=_summary(leaf, issuing, at=then))
    assert TrustProbe(policy).examine(_asset(), proven).manifest is ManifestState.TRUSTED
    unproven = Evidence(manifest=ManifestState.VALID, summary=_summary(leaf, issuing))
    judged = TrustProbe(policy).examine(_asset(), unproven)
    assert judged.manifest is ManifestState.VALID
    assert [f.code for f in judged.findings] == ["signingCredential.expired"]
    assert TrustProbe(policy, at=then).examine(_asset(), unproven).manifest is ManifestState.TRUSTED


def test_an_anchor_that_is_none_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError):
        TrustProbe(TrustPolicy(anchors={ListKind.MANIFEST: (b"not a certificate",)}))


def test_the_public_signer_is_on_none_of_the_official_lists(shared_data: Any) -> None:
    from sdsafe.core.states import Asset
    from sdsafe.provenance.trust.lists import load_anchors

    data = (shared_data / "c2pa-testfiles" / "C.jpg").read_bytes()
    anchors = load_anchors(shared_data / "trust-lists" / "C2PA-TRUST-LIST.pem")
    asset = Asset(data=data, media_type="image/jpeg")
    seen = ManifestProbe().examine(asset, Evidence())
    judged = TrustProbe(TrustPolicy(anchors={ListKind.MANIFEST: anchors})).examine(asset, seen)
    assert judged.manifest is ManifestState.VALID
    assert "signingCredential.untrusted" in {f.code for f in judged.findings if f.severity == "failure"}
