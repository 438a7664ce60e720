"""Passwords for keys that are made: from a file, from the environment, or from whoever sits there; never an argument."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["new_password"]


def new_password(file: Path | None, *, ask: bool) -> bytes | None:
    """Return the password to encrypt a new key with; None for none.

    Args:
        file: Holds it; a line's end behind it does not count.
        ask: Ask for it, twice.
    """
    from sdsafe.provenance.signing.keyfiles import PASSWORD_VARIABLE, read_file

    if ask:
        answer: str = click.prompt("Password for the key", hide_input=True, confirmation_prompt=True, err=True)
        return answer.encode()
    if file is not None:
        return read_file(file, "the password file").rstrip(b"\r\n")
    return os.environ.get(PASSWORD_VARIABLE, "").encode() or None
