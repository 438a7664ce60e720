"""``sdsafe policy list`` and ``test``: which packs there are, and whether they say what they should."""

from __future__ import annotations

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import json_option
from sdsafe_cli.render import emit_json, message, plain, table

__all__ = ["list_", "test"]


@click.command("list", short_help="List the packs that can be named.")
@json_option
def list_(*, as_json: bool) -> None:
    """List the packs that can be named: those that ship, and those in the folders of the settings."""
    from sdsafe.gates.policy.loader import available_packs, load_policies

    settings = settings_from()
    packs = [
        (load_policies([name], settings.policy_folders).packs[-1], name in settings.effective_policies)
        for name in available_packs(settings.policy_folders)
    ]
    if as_json:
        rows = [{**plain(each.ref), "title": each.pack.title, "chosen": chosen} for each, chosen in packs]
        emit_json("sdsafe.policies/1", {"policies": rows})
        return
    table(
        "Policy packs",
        ("id", "version", "chosen", "rules", "title"),
        [
            (each.ref.id, each.ref.version, "yes" if chosen else "-", str(len(each.pack.rules)), each.pack.title)
            for each, chosen in packs
        ],
    )


@click.command("test", short_help="Run the cases of packs.")
@click.argument("pack", nargs=-1)
@json_option
def test(*, pack: tuple[str, ...], as_json: bool) -> None:
    """Run the cases of each PACK (names, or paths), or of every pack. Exit 1 if one fails."""
    from sdsafe.forecast import licence_facts
    from sdsafe.gates.policy.cases import run_cases
    from sdsafe.gates.policy.loader import available_packs

    folders = settings_from().policy_folders
    facts = licence_facts()
    results = {each: run_cases(each, folders, licences=facts) for each in (pack or available_packs(folders))}
    failed = {each: [result for result in run if result.problem] for each, run in results.items()}
    if as_json:
        rows = [
            {
                "policy": each,
                "cases": len(run),
                "failed": [{"index": r.index, "problem": r.problem} for r in failed[each]],
            }
            for each, run in results.items()
        ]
        emit_json("sdsafe.policy-test/1", {"results": rows})
    else:
        for each, run in results.items():
            click.echo(f"{each}: {len(run) - len(failed[each])} of {len(run)} cases hold")
            for result in failed[each]:
                message(f"  cases[{result.index}]: {result.problem}")
    if any(failed.values()):
        raise click.exceptions.Exit(Exit.FAULT)
