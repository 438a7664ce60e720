"""``sdsafe policy lint``, ``explain`` and ``schema``: for whoever writes a pack, or wants to know what one says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.context import settings_from
from sdsafe_cli.lines import rows
from sdsafe_cli.options import json_option, policy_option
from sdsafe_cli.render import emit_json

if TYPE_CHECKING:
    from sdsafe.gates.policy.explain import Explanation

__all__ = ["explain", "lint", "schema"]


@click.command("lint", short_help="Say what is wrong with a pack that loads.")
@click.argument("pack", nargs=-1, required=True)
@click.option("--strict", is_flag=True, help="Notes count as well.")
@json_option
def lint(*, pack: tuple[str, ...], strict: bool, as_json: bool) -> None:
    """Look for rules that never fire, terms that nobody asks for, missing grounds and missing cases in each PACK.

    PACK is a path, or the name of a pack that can be named.

    Exit 1: a warning, or (with --strict) a note. What does not load is an error, with file, key, expected and found.
    """
    from sdsafe.forecast import licence_facts
    from sdsafe.gates.policy.lint import Level, lint_pack

    facts = licence_facts()
    reports = [lint_pack(_folder(each), licences=facts) for each in pack]
    if as_json:
        emit_json("sdsafe.policy-lint/1", {"results": reports})
    else:
        for report in reports:
            for problem in report.problems:
                at = problem.where if problem.line is None else f"{problem.where} (line {problem.line})"
                click.echo(f"{at}: {problem.level.name.lower()} {problem.code}: {problem.says}")
            warnings = sum(problem.level is Level.WARNING for problem in report.problems)
            notes = len(report.problems) - warnings
            click.echo(
                f"{report.policy.id} {report.policy.version}: {_count(warnings, 'warning')}, {_count(notes, 'note')}"
            )
    if any(report.problems if strict else not report.clean for report in reports):
        raise click.exceptions.Exit(Exit.FAULT)


@click.command("explain", short_help="Say in plain words what a rule asks and brings.")
@click.argument("rule", metavar="RULE")
@policy_option
@json_option
def explain(*, rule: str, policy: tuple[str, ...], as_json: bool) -> None:
    """Say in plain words what RULE (or PACK.RULE) asks, when, what it brings, and where it comes from.

    Without --policy, every pack is searched that can be named: those that judge first.
    """
    from sdsafe.errors import RequestError
    from sdsafe.gates.policy.explain import explain as explained
    from sdsafe.gates.policy.loader import available_packs, load_policies

    settings = settings_from(policy=policy)
    pack = rule.rpartition(".")[0]
    try:
        found = explained(load_policies(settings.effective_policies, settings.policy_folders), rule)
    except RequestError:
        others = available_packs(settings.policy_folders)
        if policy or (pack and pack not in others):
            raise
        named = [pack] if pack else [each for each in others if each not in settings.effective_policies]
        found = explained(load_policies([*settings.effective_policies, *named], settings.policy_folders), rule)
    if as_json:
        emit_json("sdsafe.policy-explain/1", {"rules": found})
        return
    for index, each in enumerate(found):
        if index:
            click.echo()
        _print(each)


@click.command("schema", short_help="Print the JSON Schema, for editors.")
@click.option(
    "--of", type=click.Choice(["pack", "cases", "terms"]), default="pack", show_default=True, help="Of which file."
)
def schema(*, of: str) -> None:
    """Print the JSON Schema of policy.yaml (or cases.yaml, or a list of terms), for editors that check while typing."""
    import json

    from sdsafe.gates.policy.schema import json_schema

    click.echo(json.dumps(json_schema(of), indent=2, ensure_ascii=False))


def _folder(pack: str) -> Path:
    """Return where a pack lies: a path that exists is one, anything else is a name."""
    from sdsafe.gates.policy.loader import load_policies

    path = Path(pack)
    if path.exists() or "/" in pack or pack.endswith(".yaml"):
        return path
    return load_policies([pack], settings_from().policy_folders).packs[-1].folder


def _print(each: Explanation) -> None:
    click.echo(f"{each.policy.id} / {each.rule}")
    lines = [
        ("why", each.because),
        ("when", f"{each.stage}: {each.when_judged}"),
        ("asks", "always" if each.asks.strip() == "true" else " ".join(each.asks.split())),
        *(("", f"{fact.name}: {fact.says}" if fact.says else fact.name) for fact in each.reads),
        ("brings", f"{each.effect}: {each.brings}"),
        *(("obliges", f"{duty.code}{_params(duty.params)}: {duty.says}") for duty in each.obligations),
        ("unknown", each.if_unknown),
        ("source", each.citation),
        ("", " ".join(each.sources)),
        ("since", each.since),
        ("pack", f"{each.policy.id} {each.policy.version} ({each.policy.digest[:12]})"),
    ]
    rows((label, text) for label, text in lines if text)


def _params(params: object) -> str:
    shown = ", ".join(f"{name} {value}" for name, value in params.items()) if isinstance(params, dict) else ""
    return f" ({shown})" if shown else ""


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
