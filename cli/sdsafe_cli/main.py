"""The command line: a lazy table of commands that carries its help lines.

click imports every sub-command to print ``--help``; this table keeps it under 150 ms.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["main", "run"]


class _Entry(NamedTuple):
    module: str
    help: str


_TABLE: Mapping[str, _Entry] = {
    "generate": _Entry("generate", "Make checked, watermarked, signed pictures from a prompt."),
    "transform": _Entry("transform", "Redraw a picture after a prompt."),
    "vary": _Entry("vary", "Make variations of a picture."),
    "inpaint": _Entry("inpaint", "Paint anew what a mask selects; everything else stays."),
    "outpaint": _Entry("outpaint", "Make a picture larger by painting around it."),
    "upscale": _Entry("upscale", "Enlarge a picture, with or without a model."),
    "restore": _Entry("restore", "Restore a picture, or boxes of it, with an ONNX network."),
    "audio": _Entry("audio", "Make checked, signed sounds, from a prompt where the model takes one."),
    "sign": _Entry("sign", "Check, mark, sign and record a picture that was made elsewhere."),
    "verify": _Entry("verify", "Prove where a picture comes from; exit 0 only if it is shown."),
    "inspect": _Entry("inspect", "Report everything a picture carries, without judging."),
    "conformance": _Entry("conformance", "Hold a manifest against the rubric of the C2PA conformance program."),
    "policy": _Entry("policy", "Try prompts against policy packs."),
    "watermark": _Entry("watermark", "Try the watermark: write, read, attack, measure false positives."),
    "review": _Entry("review", "Look at pictures that wait for a person, and decide."),
    "safety": _Entry("safety", "Score pictures with an output check, and find a threshold for it."),
    "models": _Entry("models", "Pull, verify and list weights."),
    "keys": _Entry("keys", "Make and check signing credentials."),
    "signer": _Entry("signer", "Keep the key in a process of its own, which demands receipts."),
    "trust": _Entry("trust", "Keep trust lists: whose signatures and time-stamps count."),
    "ledger": _Entry("ledger", "Show, prove and audit the record of releases."),
    "records": _Entry("records", "List, show and erase private records."),
    "disclose": _Entry("disclose", "Open a committed prompt for an auditor, and check what was opened."),
    "timestamp": _Entry("timestamp", "Add time-stamps to files that were signed without."),
    "redact": _Entry("redact", "Take the prompt out of a file that shows it."),
    "plugins": _Entry("plugins", "List what fills each slot."),
    "doctor": _Entry("doctor", "Try the whole way on this machine, with a canary."),
    "completion": _Entry("completion", "Print shell completion for bash, zsh or fish."),
}


class _LazyGroup(click.Group):
    """A group whose commands are imported only when they run; ``--help`` prints the table's own lines."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_TABLE)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        entry = _TABLE.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = importlib.import_module(f"sdsafe_cli.commands.{entry.module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in _TABLE.items()])


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"sdsafe {version('sdsafe')}")
    ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, callback=_version, expose_value=False, is_eager=True, help="Show the version.")
def main() -> None:
    """Policy before, safety after, proof forever.

    sdsafe wraps the whole diffusion pipeline: no picture leaves it unless policy allowed the prompt, a check
    looked at the output, a watermark was read back from the final bytes, and a signed C2PA manifest says which
    model, seed and prompt made it.
    """


def run() -> None:
    """Run the command line and turn typed errors into exit codes. The entry point of the ``sdsafe`` script."""
    from sdsafe.errors import SdsafeError
    from sdsafe_cli._errors import Exit, exit_code_for, show

    _let_signers_ask()
    try:
        code = main(standalone_mode=False)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("sdsafe: stopped; nothing was released", err=True)
        code = Exit.FAULT
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away; nothing more can be said
        code = Exit.FAULT
    except SdsafeError as error:
        show(error)
        code = exit_code_for(error)
    sys.exit(int(code or 0))


def _let_signers_ask() -> None:
    """Have a signer that needs a password ask for it, where a person sits at this terminal."""
    from sdsafe._internal.prompting import set_prompt

    def ask(question: str) -> str:
        answer: str = click.prompt(question, hide_input=True, err=True, default="", show_default=False)
        return answer

    set_prompt(ask if sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty() else None)
