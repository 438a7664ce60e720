"""A verification report for people and for programs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from sdsafe_cli.render import emit_json, plain, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sdsafe.core.report import Evidence, ManifestSummary, Report
    from sdsafe.core.states import Asset

__all__ = ["report_document", "show_crjson", "show_report"]

_COLOURS = {"trusted": "green", "valid": "green", "recovered": "yellow", "unknown": "yellow", "invalid": "red"}


def show_report(report: Report, name: str, *, as_json: bool) -> None:
    """Print a report: JSON with schema ``sdsafe.report/1``, or aligned lines."""
    if as_json:
        emit_json("sdsafe.report/1", report_document(report, name))
        return
    for label, text in _lines(report, name):
        colour = _COLOURS.get(text) if label == "verdict" and sys.stdout.isatty() else None
        click.echo(f"{label:<12}" + click.style(printable(text), fg=colour, bold=bool(colour)))


def show_crjson(asset: Asset, report: Report, name: str, *, at: datetime | None) -> None:
    """Print a report as crJSON, C2PA's own form, with ``sdsafe.report/1`` inside."""
    import json

    from sdsafe._internal.clock import rfc3339
    from sdsafe.provenance.manifest.crjson import crjson

    document = crjson(asset, report, report_document(report, name), at=None if at is None else rfc3339(at))
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def report_document(report: Report, name: str) -> dict[str, object]:
    """Return a report as JSON types; ``name`` is that of its file."""
    evidence = report.evidence
    return {
        "file": name,
        "verdict": report.verdict.value,
        "asset_sha256": report.asset_digest,
        "media_type": report.media_type,
        "states": {
            "manifest": evidence.manifest.value,
            "soft_binding": evidence.soft.value,
            "ledger": evidence.ledger.value,
        },
        "manifest": plain(evidence.summary),
        "soft_bindings": plain(evidence.matches),
        "receipt": plain(evidence.receipt),
        "findings": plain(evidence.findings),
        "not_checked": list(evidence.not_checked),
        "verified_at": report.verified_at,
        "tool": report.tool,
    }


def _lines(report: Report, name: str) -> Iterator[tuple[str, str]]:
    evidence = report.evidence
    yield "file", name
    yield "verdict", report.verdict.value
    yield "manifest", evidence.manifest.value
    if evidence.summary is not None:
        yield from _summary_lines(evidence.summary)
    yield "mark", evidence.soft.value
    for match in evidence.matches:
        how = "exact" if match.distance is None else f"distance {match.distance:.3f}"
        yield "", f"{match.alg} leads to asset {match.asset_id} ({how}), recorded {match.recorded_at}"
    yield "ledger", _ledger_line(evidence)
    for finding in evidence.findings:
        if finding.severity != "success":
            yield "finding", f"{finding.code}: {finding.explanation}" if finding.explanation else finding.code
    for omission in evidence.not_checked:
        yield "not checked", omission
    yield "validator", f"{report.tool} at {report.verified_at}"


def _summary_lines(summary: ManifestSummary) -> Iterator[tuple[str, str]]:
    yield "", summary.label + (" (recovered from the repository)" if summary.recovered else "")
    trusted = f"on your list: {summary.trust_list}" if summary.trust_list else "on none of your lists"
    yield "signer", f"{summary.signer} ({trusted})"
    yield "signed at", summary.signature_time or _unproven(summary)
    yield "made by", summary.claim_generator
    generation = summary.generation
    if not generation:
        return
    model = generation.get("model")
    if isinstance(model, dict):
        yield "model", f"{model.get('id')} {str(model.get('digest') or '')[:12]}".strip()
    yield "asset id", str(summary.asset_id)
    yield "seed", str(generation.get("seed"))
    yield "prompt", "not disclosed" if summary.prompt is None else summary.prompt or "none"
    if generation.get("unchecked"):
        yield "checks", "NO OUTPUT CHECK RAN (unsafe mode)"
    mark = generation.get("watermark")
    if isinstance(mark, dict) and mark.get("not_applied"):
        yield "watermark", "none was applied, says the manifest"


def _unproven(summary: ManifestSummary) -> str:
    if summary.stamped_at is None:
        return "not proven by a time-stamp"
    return f"{summary.stamped_at}, says a time-stamp of an authority on none of your lists"


def _ledger_line(evidence: Evidence) -> str:
    if evidence.receipt is None:
        return evidence.ledger.value
    return f"{evidence.ledger.value}, entry #{evidence.receipt.log_index}"
