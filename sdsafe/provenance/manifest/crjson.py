"""The report on a file in C2PA's own form (crJSON), with what this validator found in place of what the library found.

The C2PA library writes the manifests down, as the specification of crJSON says. Its results on the active manifest are
replaced by ours: it was given no lists of signers, so that what it says of trust is vacuous, and it does not look at
bytes that no hash covers. Everything else that a report says (verdict, soft binding, ledger) has no place in crJSON and
stands under a key of our own, with a schema of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sdsafe._internal.versions import version
from sdsafe.core.findings import Severity
from sdsafe.provenance.manifest import _c2pa

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.report import Report
    from sdsafe.core.states import Asset

__all__ = ["EXTENSION", "crjson"]

EXTENSION = "org.sdsafe.report"
"""Key of what crJSON has no place for; its value names its schema, ``sdsafe.report/1``."""

_CONTEXT = {"@vocab": "https://c2pa.org/crjson", "extras": "https://c2pa.org/crjson/extras"}
_SOURCES = frozenset({"manifest", "trust"})  # probes whose findings are about the manifest and who signed it


def crjson(asset: Asset, report: Report, document: Mapping[str, object], *, at: str | None = None) -> dict[str, Any]:
    """Return the crJSON document of a file that was inspected.

    Args:
        asset: The file.
        report: What was found.
        document: The same as JSON types, for the key of our own.
        at: RFC 3339, as of when was judged; default: when it was verified.

    Returns:
        ``manifests`` is empty where there is none that can be read, or it is not in this file; the active one is first.
    """
    written: dict[str, Any] = {"@context": _CONTEXT, **_c2pa.read_crjson(asset)}
    summary = report.evidence.summary
    active = None if summary is None or summary.recovered else summary.label
    manifests = [
        {**each, "validationResults": _results(each, report, at)} if each.get("label") == active else each
        for each in written.get("manifests") or ()
    ]
    return {
        **written,
        "manifests": manifests,
        "jsonGenerator": {"name": "sdsafe", "version": version("sdsafe")},
        EXTENSION: {"schema": "sdsafe.report/1", **document},
    }


def _results(manifest: Mapping[str, Any], report: Report, at: str | None) -> dict[str, Any]:
    """Return ``validationResults`` of the active manifest; findings on ingredients are in ``ingredientDeltas``."""
    stated = manifest.get("validationResults")
    spec = stated.get("specVersion") if isinstance(stated, dict) else None
    results: dict[str, Any] = {each.value: [] for each in (Severity.SUCCESS, Severity.INFORMATIONAL, Severity.FAILURE)}
    for finding in report.evidence.findings:
        if finding.source in _SOURCES and finding.category != "ingredient":
            url = finding.data.get("url") or f"self#jumbf=/c2pa/{manifest.get('label')}/c2pa.signature"
            results[finding.severity.value].append(
                {"code": finding.code, "url": url, "explanation": finding.explanation}
            )
    return {**results, **({"specVersion": spec} if spec else {}), "validationTime": at or report.verified_at}
