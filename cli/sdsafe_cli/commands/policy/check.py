"""``sdsafe policy check``: what would become of one request, by which rule, at which characters."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.lines import row, rows, visible
from sdsafe_cli.options import json_option, policy_option
from sdsafe_cli.render import emit_json
from sdsafe_cli.use import Use, request_for, settings_for, size_of, use_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.decisions import Decision, FiredRule, Obligation
    from sdsafe.core.findings import Span
    from sdsafe.core.request import Size
    from sdsafe.forecast import Forecast

__all__ = ["check"]

_AROUND = 30  # characters shown before and after a marked place


@click.command("check", short_help="Say what would become of a prompt, and why.")
@click.argument("prompt")
@click.option("--negative", "--negative-prompt", metavar="TEXT", help="What not to show; goes through the same checks.")
@click.option("--size", metavar="WxH", callback=size_of, help="Width and height in pixels.")
@policy_option
@use_options
@json_option
def check(
    *,
    prompt: str,
    negative: str | None,
    size: Size | None,
    policy: tuple[str, ...],
    as_json: bool,
    **given: Unpack[Use],
) -> None:
    """Say what would become of PROMPT: by which rule, at which characters, with which obligations.

    Nothing is generated. Prompt rules, licences, and the export rules that can be decided from prompt and request are
    asked; what has to wait for the picture is named. PROMPT "-" is read from standard input.

    Exit 0: allowed or annotated. Exit 3: refused, or a person has to look first.
    """
    from sdsafe.forecast import foresee

    settings = settings_for(policy, given)
    text = sys.stdin.read().rstrip("\n") if prompt == "-" else prompt
    request = replace(request_for(settings, text, given), negative_prompt=negative, size=size)
    seen = foresee(request, settings)
    if as_json:
        rest = {"checks": seen.checks, "hint": seen.hint, "obstacle": seen.obstacle}
        grounds = {f"{rule.policy}.{rule.rule}": seen.grounds(rule) for rule in seen.decision.fired}
        emit_json("sdsafe.policy-check/2", {"decision": seen.decision, "grounds": grounds, **rest})
    else:
        _print(seen)
    if not seen.decision.allows:
        raise click.exceptions.Exit(Exit.REFUSED)


def _print(seen: Forecast) -> None:
    decision = seen.decision
    click.echo(decision.effect.label)
    fired = [rule for rule in decision.fired if rule.effect or not rule.obligations]  # else: named beside those
    column = max((len(rule.effect.label) for rule in fired), default=0) + 2
    for rule in sorted(fired, key=lambda each: -each.effect):
        click.echo()
        click.echo(row(rule.effect.label, "\n".join(_said(seen, rule)), column=column))
        for line in _places(seen, rule):
            click.echo(" " * (column + 2) + line)
    if decision.obligations:
        click.echo("\nobligations")
        rows((duty.code, "\n".join(_duty(duty, decision))) for duty in decision.obligations)
    if seen.obstacle:
        click.echo(f"\n{seen.obstacle}")
    if seen.hint:
        click.echo(row("", seen.hint, indent=0, column=2) if seen.obstacle else f"\n{seen.hint}")
    if decision.undecided:
        click.echo("\ndecided later")
        rows(_later(each) for each in decision.undecided)
    click.echo("\njudged by")
    rows((f"{ref.id} {ref.version}", f"({ref.digest[:12]})") for ref in decision.policy)


def _said(seen: Forecast, rule: FiredRule) -> Iterator[str]:
    yield f"{rule.policy} / {rule.rule}"
    yield rule.because
    if rule.citation:
        yield " ".join(rule.citation.split())
    yield from seen.grounds(rule)


def _later(undecided: str) -> tuple[str, str]:
    rule, _, waits_for = undecided.partition(": ")
    return rule.replace(".", " / ", 1), waits_for


def _duty(duty: Obligation, decision: Decision) -> Iterator[str]:
    from sdsafe.core.obligations import OBLIGATION_KINDS

    kind = OBLIGATION_KINDS.get(duty.code)
    params = ", ".join(f"{name}: {value}" for name, value in duty.params.items())
    yield f"{kind.says if kind else duty.code}{f' ({params})' if params else ''}"
    yield from (f"by {rule.policy} / {rule.rule}" for rule in decision.fired if duty in rule.obligations)


def _places(seen: Forecast, rule: FiredRule) -> Iterator[str]:
    texts = dict(seen.request.texts())
    for index in rule.findings:
        finding = seen.findings[index]
        if finding.span is not None:
            span = finding.span
            yield f"{span.field}, characters {span.start} to {span.end}: {finding.explanation}"
            yield from (f"  {line}" for line in _excerpt(texts[span.field], span))
        elif finding.explanation:
            yield finding.explanation


def _excerpt(text: str, span: Span) -> tuple[str, str]:
    """Return the surroundings of a span with carets below it."""
    before = visible(text[max(span.start - _AROUND, 0) : span.start])
    marked = visible(text[span.start : span.end])
    after = visible(text[span.end : span.end + _AROUND])
    return f"{before}{marked}{after}", " " * len(before) + "^" * len(marked)
