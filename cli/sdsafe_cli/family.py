"""The manifests of a file, drawn as a tree: what it was made from, and what that was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sdsafe_cli.render import emit_json, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.report import ManifestSummary
    from sdsafe.provenance.manifest.tree import Node

__all__ = ["show_tree"]


def show_tree(root: Node, name: str, *, as_json: bool) -> None:
    """Print a tree of manifests: JSON with schema ``sdsafe.tree/1``, or drawn lines."""
    if as_json:
        emit_json("sdsafe.tree/1", {"file": name, "manifest": _document(root)})
        return
    click.echo(printable(name))
    for line in _lines(root, "", last=True):
        click.echo(printable(line))


def _document(node: Node) -> dict[str, object]:
    summary = node.summary
    return {
        "label": node.label,
        "relationship": node.relationship or None,
        "title": node.title or None,
        "sound": node.sound,
        "failures": list(node.failures),
        "recorded_failures": list(node.recorded),
        "recovered": node.recovered,
        "redacted": list(node.redacted),
        "signer": summary.signer if summary else None,
        "made_by": summary.claim_generator if summary else None,
        "asset_id": summary.asset_id if summary else None,
        "actions": list(summary.actions) if summary else [],
        "model": _model(summary) if summary else None,
        "seed": summary.generation.get("seed") if summary else None,
        "ingredients": [
            *({"relationship": each.relationship, "title": each.title} for each in node.plain),
            *(_document(each) for each in node.nodes),
        ],
    }


def _lines(node: Node, indent: str, *, last: bool) -> Iterator[str]:
    branch, below = ("└─ ", "   ") if last else ("├─ ", "│  ")
    role = f"{node.relationship}: " if node.relationship else ""
    yield f"{indent}{branch}{role}{_headline(node)}"
    indent += below
    inner = "│  " if node.nodes or node.plain else "   "
    for detail in _details(node):
        yield f"{indent}{inner}{detail}"
    count = len(node.plain) + len(node.nodes)
    for number, each in enumerate(node.plain, 1):
        yield f"{indent}{'└─ ' if number == count else '├─ '}{each.relationship}: {each.title} (no manifest)"
    for number, below_it in enumerate(node.nodes, len(node.plain) + 1):
        yield from _lines(below_it, indent, last=number == count)


def _headline(node: Node) -> str:
    summary = node.summary
    if summary is None:
        return f"{node.title or node.label}  {_state(node)}"
    what = ", ".join(each.removeprefix("c2pa.") for each in summary.actions) or "no actions"
    return f"{summary.asset_id or node.title or node.label}  {what}  {_state(node)}"


def _state(node: Node) -> str:
    if not node.intact:
        return f"DOES NOT HOLD: {', '.join(node.failures)}"
    if node.recorded:
        return f"WAS BROKEN WHEN IT WENT IN: {', '.join(node.recorded)}"
    if node.redacted:
        return f"holds (redacted: {', '.join(node.redacted)})"
    return "holds (it had been removed, and was found again)" if node.recovered else "holds"


def _details(node: Node) -> Iterator[str]:
    summary = node.summary
    if summary is None:
        return
    made = f"made by {summary.claim_generator}" if summary.claim_generator else ""
    yield ", ".join(filter(None, (made, f"signed by {summary.signer}" if summary.signer else "")))
    if model := _model(summary):
        yield f"model {model}, seed {summary.generation.get('seed')}"
    if summary.prompt:
        yield f"prompt {summary.prompt!r}"


def _model(summary: ManifestSummary) -> str:
    model = summary.generation.get("model")
    return str(model.get("id")) if isinstance(model, dict) else ""
