"""What every command needs first: settings, gathered once, from flags that mean the same everywhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sdsafe.settings import Settings

__all__ = ["interactive", "settings_from"]


def settings_from(**arguments: Any) -> Settings:
    """Return settings with ``arguments`` (None: not given) on top of files and environment.

    ``policy`` names are *added* to the configured ones: a flag never drops a pack.
    """
    from sdsafe.settings import Settings

    added = tuple(arguments.pop("policy", None) or ())
    settings = Settings.load(**arguments)
    if not added:
        return settings
    return Settings.load(**{**arguments, "policies": tuple(dict.fromkeys((*settings.policies, *added)))})


def interactive() -> bool:
    """Say whether standard error is a terminal a person looks at."""
    return sys.stderr.isatty()
