"""``sdsafe policy``: try prompts against policy packs; write, test, compare and sign packs. Nothing is generated."""

from __future__ import annotations

import click

from sdsafe_cli.commands.policy import check, compare, keys, packs, writing

__all__ = ["command"]


class _Ordered(click.Group):
    """Lists its commands in the order in which they were added: as one needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)


@click.group("policy", cls=_Ordered)
def command() -> None:
    """Try prompts against policy packs; write, test, compare and sign packs. Nothing is generated."""


for _each in (
    check.check,
    writing.explain,
    packs.list_,
    packs.test,
    writing.lint,
    compare.diff,
    writing.schema,
    keys.keygen,
    keys.sign,
    keys.verify,
):
    command.add_command(_each)
