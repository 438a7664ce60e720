"""The options of the diffusers generator, as settings give them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sdsafe.errors import PluginError
from sdsafe.generation.devices import DEVICES, DTYPES
from sdsafe.generation.fitting import is_budget

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["checked_option"]

_OPTIONS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "device": (f"one of {', '.join(DEVICES)}", lambda value: value in DEVICES),
    "dtype": (f"one of {', '.join(DTYPES)}", lambda value: value in DTYPES),
    "vram_budget": ("a number of GiB above 0", is_budget),
    "offline": ("true or false", lambda value: isinstance(value, bool)),
    "threads": ("a whole number above 0", lambda value: type(value) is int and value > 0),
    "hub_cache": ("a folder", lambda value: isinstance(value, str | Path) and bool(str(value))),
}


def checked_option(name: str, value: object) -> object:
    """Return the value of an option; ``PluginError`` where it is unknown or of the wrong kind."""
    expected = _OPTIONS.get(name)
    if expected is None:
        raise PluginError(f"the generator has no option {name[:40]!r}", hint=f"Options: {', '.join(_OPTIONS)}.")
    words, check = expected
    if not check(value):
        raise PluginError(f"option {name} of the generator: expected {words}", hint="Correct the settings.")
    return Path(str(value)) if name == "hub_cache" else value
