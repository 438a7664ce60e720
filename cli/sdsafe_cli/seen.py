"""What the manifest of a file says, where it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.render import message

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.core.report import ManifestSummary

__all__ = ["summary_of"]


def summary_of(file: Path) -> ManifestSummary:
    """Return what the manifest of ``file`` says; who signed it is for ``verify``.

    Raises:
        click.exceptions.Exit: It does not hold, or there is none.
    """
    from sdsafe.api import read_asset
    from sdsafe.core.report import Evidence, ManifestState
    from sdsafe.provenance.manifest.probe import ManifestProbe

    seen = ManifestProbe().examine(read_asset(file), Evidence())
    if seen.manifest is not ManifestState.VALID or seen.summary is None:
        message(f"sdsafe: {file}: the manifest is {seen.manifest.value}; nothing can be shown by it")
        raise click.exceptions.Exit(Exit.INVALID)
    return seen.summary
