"""``sdsafe policy check``: what policy says of one prompt, by which rule, at which characters."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import json_option, policy_option
from sdsafe_cli.render import emit_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.decisions import FiredRule
    from sdsafe.core.findings import Span
    from sdsafe.gates.policy.cases import Judged

__all__ = ["check"]

_AROUND = 30  # characters shown before and after a marked place


@click.command("check", short_help="Say what policy says of a prompt, and why.")
@click.argument("prompt")
@click.option("--negative-prompt", metavar="TEXT", help="What not to show; goes through the same checks.")
@policy_option
@json_option
def check(*, prompt: str, negative_prompt: str | None, policy: tuple[str, ...], as_json: bool) -> None:
    """Say what policy says of PROMPT, by which rule, at which characters. PROMPT "-" is read from standard input.

    Exit 0: allowed or annotated. Exit 3: refused, or a person has to look first.
    """
    from sdsafe.core.request import GenerationRequest
    from sdsafe.gates.policy.cases import judge_prompt
    from sdsafe.gates.policy.loader import load_policies

    settings = settings_from(policy=policy)
    text = sys.stdin.read().rstrip("\n") if prompt == "-" else prompt
    request = GenerationRequest(prompt=text, negative_prompt=negative_prompt)
    judged = judge_prompt(load_policies(settings.effective_policies, settings.policy_folders), request)
    if as_json:
        emit_json("sdsafe.policy-check/1", {"decision": judged.decision, "checks": [judged.result]})
    else:
        for line in _lines(judged):
            click.echo(line)
    if not judged.decision.allows:
        raise click.exceptions.Exit(Exit.REFUSED)


def _lines(judged: Judged) -> Iterator[str]:
    decision = judged.decision
    yield decision.effect.label
    for rule in sorted(decision.fired, key=lambda each: -each.effect):
        yield f"  {rule.policy} / {rule.rule} [{rule.effect.label}]: {rule.because}"
        if rule.citation:
            yield f"    {' '.join(rule.citation.split())}"
        yield from _places(judged, rule)
    for obligation in decision.obligations:
        yield f"  obligation: {obligation.code}"
    yield f"  judged by {', '.join(f'{ref.id} {ref.version} ({ref.digest[:12]})' for ref in decision.policy)}"


def _places(judged: Judged, rule: FiredRule) -> Iterator[str]:
    texts = dict(judged.request.texts())
    for index in rule.findings:
        finding = judged.result.findings[index]
        if finding.span is not None:
            yield f"    {finding.span.field}, characters {finding.span.start} to {finding.span.end}: {finding.explanation}"
            yield from (f"      {line}" for line in _excerpt(texts[finding.span.field], finding.span))


def _excerpt(text: str, span: Span) -> tuple[str, str]:
    """Return the surroundings of a span with carets below it; what a terminal would act on or hide is spelled out."""
    before = _visible(text[max(span.start - _AROUND, 0) : span.start])
    marked = _visible(text[span.start : span.end])
    after = _visible(text[span.end : span.end + _AROUND])
    return f"{before}{marked}{after}", " " * len(before) + "^" * len(marked)


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
