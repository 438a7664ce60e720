"""From exceptions to exit codes: 0 ok, 1 fault, 2 usage, 3 refused or waiting, 4 invalid, 5 not shown."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sdsafe.core.report import Verdict
    from sdsafe.errors import SdsafeError

__all__ = ["Exit", "exit_code_for", "exit_code_for_verdict", "show"]


class Exit(IntEnum):
    """What the shell sees."""

    OK = 0
    FAULT = 1
    USAGE = 2
    REFUSED = 3
    INVALID = 4
    NOT_SHOWN = 5


def exit_code_for(error: SdsafeError) -> Exit:
    """Return the exit code of an error."""
    from sdsafe import errors

    if isinstance(error, errors.RefusedError):
        return Exit.REFUSED
    if isinstance(error, errors.VerificationError):
        return exit_code_for_verdict(error.report.verdict, accepted=False)
    if isinstance(error, errors.RequestError):
        return Exit.USAGE
    return Exit.FAULT


def exit_code_for_verdict(verdict: Verdict, *, accepted: bool) -> Exit:
    """Return 0 for an accepted verdict, 4 for *invalid*, 5 for everything that was merely not shown."""
    from sdsafe.core.report import Verdict as V  # noqa: N817 - short for the one comparison below

    if accepted:
        return Exit.OK
    return Exit.INVALID if verdict is V.INVALID else Exit.NOT_SHOWN


def show(error: SdsafeError) -> None:
    """Print an error and its hint on standard error."""
    click.secho(f"sdsafe: {error}", err=True, fg="red")
    if error.hint:
        click.echo(f"  {error.hint}", err=True)
