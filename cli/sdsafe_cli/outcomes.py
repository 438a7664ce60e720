"""What became of each picture or sound that was asked for: lines for people, rows for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sdsafe_cli.render import emit_json, message, plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.states import Outcome, Recorded, Refused

__all__ = ["show"]


def show(outcomes: list[Outcome], targets: list[Path], request: GenerationRequest, *, as_json: bool) -> None:
    """Tell of every outcome of ``request``: released ones on standard output, refusals on standard error."""
    rows = [_row(outcome, path) for outcome, path in zip(outcomes, targets, strict=True)]
    if as_json:
        emit_json(f"sdsafe.{request.task.value}/1", {"outcomes": rows})
        return
    for row, outcome in zip(rows, outcomes, strict=True):
        if row["outcome"] == "recorded":
            click.echo(f"{row['path']}  asset {row['asset_id']}  seed {row['seed']}  ledger #{row['log_index']}")
        else:
            message(f"{row['outcome']}: {row['message']}")
            if row.get("hint"):
                message(f"  {row['hint']}")
            for line in _marked(outcome, request):
                message(f"  {line}")


def _marked(outcome: Outcome, request: GenerationRequest) -> Iterator[str]:
    """Yield the characters of the request that findings point at: the user's own words, on the user's own screen."""
    from sdsafe.core.states import Refused

    texts = dict(request.texts())
    for check in outcome.checks if isinstance(outcome, Refused) else ():
        for finding in check.findings:
            if span := finding.span:
                words = texts.get(span.field, "")[span.start : span.end]
                yield f"{span.field}, characters {span.start} to {span.end}: {words!r} ({finding.category})"


def _row(outcome: Outcome, path: Path) -> dict[str, object]:
    from sdsafe.core.states import InReview, Recorded, Refused

    match outcome:
        case Recorded():
            return _recorded_row(outcome, path)
        case Refused():
            return _refused_row(outcome)
        case InReview():
            return {
                "outcome": "in_review",
                "ticket": outcome.ticket,
                "message": f"waits for a person as {outcome.ticket}",
                "hint": f"sdsafe review show {outcome.ticket}",
                "seed": outcome.seed,
            }


def _recorded_row(outcome: Recorded, path: Path) -> dict[str, object]:
    cleared = outcome.signed.encoded.marked.cleared
    return {
        "outcome": "recorded",
        "path": str(path),
        "asset_id": str(outcome.asset_id),
        "seed": outcome.seed,
        **_digest(outcome),
        "asset_sha256": outcome.receipt.entry.asset_sha256,
        "manifest": outcome.signed.manifest_label,
        "log_index": outcome.receipt.log_index,
        "unchecked": cleared.unchecked,
        "decision": plain(cleared.judgement),
        "discharges": plain(outcome.signed.discharges),
    }


def _digest(outcome: Recorded) -> dict[str, str]:
    """Return what two makings of one request have in common, by the name that the manifest has for it."""
    sound = outcome.generated.sound
    return {"pixels_sha256": outcome.generated.pixels_sha256} if sound is None else {"sound_sha256": sound.sha256}


def _refused_row(outcome: Refused) -> dict[str, object]:
    return {
        "outcome": "refused",
        "reason": outcome.reason,
        "message": outcome.message,
        "hint": outcome.hint,
        "stage": outcome.stage.value,
        "seed": outcome.seed,
        "decision": plain(outcome.decision),
        "checks": plain(outcome.checks),
    }
