"""``sdsafe completion``: shell completion scripts."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["command"]


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL; source it, or write it to the shell's completion folder."""
    from sdsafe_cli.main import main

    completion = get_completion_class(shell)
    if completion is None:
        raise click.BadParameter(f"click knows no completion for {shell}")
    click.echo(completion(main, {}, "sdsafe", "_SDSAFE_COMPLETE").source())
