"""The step of verification that reports what the file declares about itself, and whether the manifest says the same.

It sets no state and moves no verdict: whoever can write a file can write its metadata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe._internal.versions import version
from sdsafe.core.findings import Finding, Severity, Stage
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.provenance.metadata.aigc import AigcLabel
from sdsafe.provenance.metadata.embedding import EMBEDDABLE, read
from sdsafe.provenance.metadata.properties import PROPERTIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.report import ManifestSummary
    from sdsafe.core.states import Asset
    from sdsafe.provenance.metadata.model import Metadata

__all__ = ["MetadataProbe"]

_INTACT = {ManifestState.VALID, ManifestState.TRUSTED}
_EXCLUSIONS = "assertion.dataHash.additionalExclusionsPresent"  # parts of the file that the hard binding leaves out
_SHOWN = 300  # characters of a value in an explanation; the whole value is in the finding's data


class MetadataProbe:
    """Reports XMP, IPTC and AIGC statements, and where they disagree with an intact manifest."""

    name = "metadata"

    def examine(self, asset: Asset, seen: Evidence, /) -> Evidence:
        """Add findings: ``metadata.covered`` or ``.unauthenticated``, ``.declared``, ``.disagrees``, and problems."""
        if asset.media_type not in EMBEDDABLE:
            return seen.noting(not_checked=[f"metadata: those of {asset.media_type} are not read"])
        declared = read(asset)
        findings = [_finding(code, says, severity=Severity.FAILURE) for code, says in declared.problems]
        if declared.metadata is not None:
            intact = seen.manifest in _INTACT
            covered = intact and all(each.code != _EXCLUSIONS for each in seen.findings)
            findings.append(_COVERED if covered else _UNAUTHENTICATED)
            findings += _declared(declared.metadata)
            if intact and seen.summary is not None:
                findings += _disagreements(declared.metadata, seen.summary)
        return seen.noting(findings)


def _finding(
    code: str, says: str, *, severity: Severity = Severity.INFORMATIONAL, data: dict[str, object] | None = None
) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        stage=Stage.VERIFY,
        source=MetadataProbe.name,
        source_version=version("sdsafe"),
        explanation=says,
        data=data or {},
    )


_COVERED = _finding("metadata.covered", "the manifest covers what the file declares")
_UNAUTHENTICATED = _finding(
    "metadata.unauthenticated", "no intact manifest covers what the file declares: anybody can write it"
)


def _declared(metadata: Metadata) -> Iterator[Finding]:
    for each in PROPERTIES:
        value = getattr(metadata, each.field)
        if value is None or value == ():
            continue
        text = (
            value.render() if isinstance(value, AigcLabel) else "; ".join(value) if each.field == "creators" else value
        )
        shown = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "\N{HORIZONTAL ELLIPSIS}"
        name = f"{each.prefix}:{each.name}"
        yield _finding("metadata.declared", f"{name}: {shown}", data={"property": name, "value": text})


def _disagreements(metadata: Metadata, summary: ManifestSummary) -> Iterator[Finding]:
    """Yield where metadata and manifest contradict each other; silence of either contradicts nothing."""
    source, identifier = metadata.digital_source_type, metadata.identifier
    if source and summary.source_types and source not in summary.source_types:
        yield _disagrees(f"source type {source}, the manifest says {', '.join(dict.fromkeys(summary.source_types))}")
    if identifier and summary.asset_id and identifier != summary.asset_id:
        yield _disagrees(f"id {identifier}, the manifest says {summary.asset_id}")
    if metadata.prompt and summary.prompt and not metadata.prompt.startswith(summary.prompt):
        yield _disagrees("another prompt than the manifest")
    if metadata.prompt and summary.asset_id and summary.prompt is None:
        yield _disagrees("a prompt, which the manifest does not disclose")


def _disagrees(what: str) -> Finding:
    return _finding("metadata.disagrees", f"the file declares {what}", severity=Severity.FAILURE)
