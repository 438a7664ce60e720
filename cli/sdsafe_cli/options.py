"""Options that mean the same in every command."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["disclosure_option", "force_option", "json_option", "policy_option", "trust_option", "yes_option"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document (versioned schema).")
force_option = click.option("--force", is_flag=True, help="Overwrite what exists.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
policy_option = click.option(
    "--policy", multiple=True, metavar="NAME", help="Add a policy pack (repeatable); never drops one."
)
trust_option = click.option(
    "--trust",
    "trust",
    multiple=True,
    metavar="PEM",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Trust anchors for signers (repeatable).",
)
disclosure_option = click.option(
    "--prompt-disclosure",
    type=click.Choice(["full", "commit", "omit"]),
    default=None,
    help="How much of the prompt the public manifest shows.",
)
