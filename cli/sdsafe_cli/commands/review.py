"""``sdsafe review``: pictures that wait for a person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import force_option, json_option
from sdsafe_cli.render import emit_json, message, plain, table

if TYPE_CHECKING:
    from sdsafe.core.pixels import Pixels
    from sdsafe.core.reviews import Case
    from sdsafe.core.states import Cleared, Recorded
    from sdsafe.protocols import Reviews
    from sdsafe.settings import Settings

__all__ = ["command"]

_OUTPUT = click.Path(dir_okay=False, path_type=Path)
_PREVIEW = 512
"""Longer side of the picture that a reviewer is shown, in pixels: enough to judge, not to publish."""

_reviewer_option = click.option("--reviewer", required=True, metavar="NAME", help="Who decides.")
_reason_option = click.option("--reason", required=True, metavar="TEXT", help="Why, in words.")
_role_option = click.option("--role", default="", metavar="ROLE", help="In which role, where the case asks for one.")


@click.group("review")
def command() -> None:
    """Look at pictures that wait for a person, and decide. What is rejected or runs out of time is erased."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also cases that were decided.")
@json_option
def list_(*, everything: bool, as_json: bool) -> None:
    """List the cases that wait."""
    from sdsafe.core.reviews import CaseState

    open_ = {CaseState.WAITING, CaseState.APPROVED}
    cases = [case for case in _open(settings_from()).cases() if everything or case.state in open_]
    if as_json:
        emit_json("sdsafe.review.list/1", {"cases": cases})
        return
    rows = [
        (
            case.ticket,
            case.state.value,
            f"{len(case.approvals)} of {case.people}",
            case.expires_at,
            ", ".join(case.rules),
        )
        for case in cases
    ]
    table(f"{len(rows)} cases", ("ticket", "state", "approved", "until", "rules"), rows)


@command.command("show")
@click.argument("ticket")
@click.option("--picture", type=_OUTPUT, help="Write a small preview here, with everything hidden but the colours.")
@click.option("--clear", is_flag=True, help="Let the preview show the picture, stamped IN REVIEW.")
@force_option
@json_option
def show(*, ticket: str, picture: Path | None, clear: bool, force: bool, as_json: bool) -> None:
    """Show a case: what was asked for, what the checks saw, and which rules want a person to look."""
    reviews = _open(settings_from())
    case = reviews.case(ticket)
    cleared = _held(reviews, case)
    if picture:
        from sdsafe._internal import atomic, images

        write = atomic.replace if force else atomic.write_new
        write(picture, images.encode(_preview(cleared.pixels, clear=clear)))
    document = {**plain(case), **_document(cleared), "opinions": plain(case.opinions), "reasons": _reasons(case)}
    if as_json:
        emit_json("sdsafe.review.show/1", document)
        return
    click.echo(f"case {case.ticket}: {len(case.approvals)} of {case.people} people approved, until {case.expires_at}")
    for name, text in cleared.generated.admitted.request.texts():
        click.echo(f"{name}: {text}")
    for line in (*document["rules_say"], *document["seen"], *document["reasons"]):
        click.echo(f"  {line}")
    if not picture:
        message("--picture FILE writes a preview; --clear shows what is in it")


@command.command("approve")
@click.argument("ticket")
@_reviewer_option
@_role_option
@_reason_option
@click.option("-o", "--output", type=_OUTPUT, help="Where the signed picture goes once enough people approved.")
@force_option
@json_option
def approve(  # noqa: PLR0913 - one argument per option
    *, ticket: str, reviewer: str, role: str, reason: str, output: Path | None, force: bool, as_json: bool
) -> None:
    """Approve a case; with -o, release the picture if that was the last approval it needed."""
    from sdsafe.core.reviews import CaseState

    settings = settings_from()
    case = _open(settings).say(ticket, _opinion(reviewer, role, reason, approves=True))
    if case.state is not CaseState.APPROVED or output is None:
        _tell(case, as_json=as_json)
        return
    _release(settings, case, output, force=force, as_json=as_json)


@command.command("reject")
@click.argument("ticket")
@_reviewer_option
@_role_option
@_reason_option
@json_option
def reject(*, ticket: str, reviewer: str, role: str, reason: str, as_json: bool) -> None:
    """Reject a case: the picture is erased; who decided and why is kept."""
    case = _open(settings_from()).say(ticket, _opinion(reviewer, role, reason, approves=False))
    _tell(case, as_json=as_json)


@command.command("release")
@click.argument("ticket")
@click.option("-o", "--output", type=_OUTPUT, required=True, help="Where the signed picture goes.")
@force_option
@json_option
def release(*, ticket: str, output: Path, force: bool, as_json: bool) -> None:
    """Mark, sign and write a picture that enough people approved."""
    settings = settings_from()
    _release(settings, _open(settings).case(ticket), output, force=force, as_json=as_json)


def _open(settings: Settings) -> Reviews:
    from sdsafe import plugins
    from sdsafe.errors import ReviewError

    if not settings.reviews:
        raise ReviewError("there is no review queue", code="review.none", hint="Set `reviews` in the settings.")
    reviews: Reviews = plugins.load(
        "sdsafe.reviews", settings.reviews, settings.places, settings.options_for(settings.reviews)
    )
    return reviews


def _opinion(reviewer: str, role: str, reason: str, *, approves: bool) -> Any:
    from sdsafe._internal.clock import rfc3339
    from sdsafe.core.reviews import Opinion

    return Opinion(reviewer=reviewer, approves=approves, reason=reason, at=rfc3339(), role=role)


def _held(reviews: Reviews, case: Case) -> Cleared:
    from sdsafe.core.states import Cleared
    from sdsafe.errors import ReviewError

    held = reviews.open(case.ticket)
    if not isinstance(held, Cleared):
        raise ReviewError(f"case {case.ticket} holds no image", code="review.damaged")
    return held


def _document(cleared: Cleared) -> dict[str, Any]:
    found = [finding for check in cleared.checks for finding in check.findings]
    fired = cleared.judgement.fired
    return {
        "seed": cleared.generated.seed,
        "model": cleared.generated.execution.model.repo,
        "texts": dict(cleared.generated.admitted.request.texts()),
        "rules_say": [
            f"{rule.policy}.{rule.rule} [{rule.effect.label}]: {rule.because}" for rule in fired if rule.effect
        ],
        "seen": [f"{each.source}: {each.category} {each.score:.3f}" for each in found if each.score is not None],
    }


def _reasons(case: Case) -> list[str]:
    return [
        f"{each.at} {each.reviewer}{f' ({each.role})' if each.role else ''}: "
        f"{'approves' if each.approves else 'rejects'}, {each.reason}"
        for each in case.opinions
    ]


def _preview(pixels: Pixels, *, clear: bool) -> Pixels:
    """Return a small picture: coarse cells, or the picture with a stamp across it that nobody would publish."""
    import numpy as np
    from PIL import Image, ImageDraw

    from sdsafe.obligations.blur import blur

    picture = Image.fromarray(pixels if clear else blur(pixels, None))
    picture.thumbnail((_PREVIEW, _PREVIEW))
    pen = ImageDraw.Draw(picture)
    for top in range(8, picture.height, 48):
        for left in range(-40 + (top % 96), picture.width, 120):
            pen.text((left, top), "IN REVIEW", fill=(255, 255, 255), stroke_width=1, stroke_fill=(0, 0, 0))
    return np.array(picture)


def _tell(case: Case, *, as_json: bool) -> None:
    if as_json:
        emit_json("sdsafe.review.case/1", plain(case))
        return
    click.echo(f"case {case.ticket} is {case.state}: {len(case.approvals)} of {case.people} people approved")


def _release(settings: Settings, case: Case, output: Path, *, force: bool, as_json: bool) -> None:
    from sdsafe.api import open_pipeline, save_to

    if output.suffix.lower() != ".png":
        message(f"{output.name}: only .png is written so far; `sdsafe review release` goes on from here")
        raise SystemExit(Exit.USAGE)
    recorded: Recorded = open_pipeline(settings).resume(case.ticket, deliver=save_to(output, force=force))
    row = {
        "outcome": "recorded",
        "path": str(output),
        "asset_id": str(recorded.asset_id),
        "log_index": recorded.receipt.log_index,
    }
    if as_json:
        emit_json("sdsafe.review.release/1", row)
        return
    click.echo(f"{output}  asset {recorded.asset_id}  ledger #{recorded.receipt.log_index}")
