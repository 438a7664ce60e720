"""``sdsafe policy diff``: which decisions change between two packs, over a file of prompts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Unpack

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.lines import visible
from sdsafe_cli.options import FILE, json_option
from sdsafe_cli.render import emit_json, plain
from sdsafe_cli.use import Use, request_for, settings_for, use_options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sdsafe.gates.policy.diff import Comparison

__all__ = ["diff"]

_SHOWN = 70  # characters of a prompt


@click.command("diff", short_help="Say which decisions change between two packs.")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option(
    "--prompts",
    required=True,
    type=FILE,
    help="One prompt a line; in a .jsonl file one object a line (prompt, negative_prompt, ...).",
)
@click.option("--exit-code", is_flag=True, help="Exit 1 when a decision changes.")
@use_options
@json_option
def diff(*, before: str, after: str, prompts: Path, exit_code: bool, as_json: bool, **given: Unpack[Use]) -> None:
    """Say which decisions change when B judges instead of A, over a file of prompts.

    A and B are names of packs, or paths; several with commas between them, as in baseline,./house. A decision changes
    when its effect does, or what it obliges to. The packs judge with what they extend and with nothing else: required
    packs and licences would say the same on both sides.
    """
    from sdsafe.forecast import what_is_known
    from sdsafe.gates.policy.diff import compare, read_prompts
    from sdsafe.gates.policy.loader import load_policies

    settings = settings_for((), given)
    old, new = (load_policies(names.split(","), settings.policy_folders) for names in (before, after))
    context = what_is_known(request_for(settings, "", given), settings)
    found = list(compare(old, new, read_prompts(prompts), context))
    changed = [each for each in found if each.changed]
    if as_json:
        rest = {"prompts": len(found), "changed": [_row(each) for each in changed]}
        emit_json("sdsafe.policy-diff/1", {"before": old.refs, "after": new.refs, **rest})
    else:
        for line in _lines(found, changed):
            click.echo(line)
    if exit_code and changed:
        raise click.exceptions.Exit(Exit.FAULT)


def _lines(found: list[Comparison], changed: list[Comparison]) -> Iterator[str]:
    yield f"{len(changed)} of {len(found)} decisions differ"
    ways = Counter((each.before.effect, each.after.effect) for each in changed)
    for (before, after), count in sorted(ways.items()):
        what = f"{before.label} -> {after.label}" if before != after else f"{before.label}, other obligations"
        yield f"  {what}: {count}"
    for each in changed:
        prompt = visible(" | ".join(text for _, text in each.prompt.texts))
        shown = prompt if len(prompt) <= _SHOWN else f"{prompt[: _SHOWN - 3]}..."
        yield ""
        yield f"line {each.prompt.line}: {each.before.effect.label} -> {each.after.effect.label}: {shown}"
        yield from (f"  + {name}" for name in each.gained)
        yield from (f"  - {name}" for name in each.lost)


def _row(each: Comparison) -> dict[str, object]:
    return {
        "line": each.prompt.line,
        "before": each.before.effect,
        "after": each.after.effect,
        "gained": each.gained,
        "lost": each.lost,
        "obligations_before": plain([duty.code for duty in each.before.obligations]),
        "obligations_after": plain([duty.code for duty in each.after.obligations]),
    }
