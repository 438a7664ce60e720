"""Reads the options of a check: every mistake is named, nothing unknown is passed over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sdsafe.errors import PluginError

__all__ = ["CheckOptions"]

_CATEGORY = re.compile(r"^[a-z_][a-z0-9_]{0,63}$")
_SHA256 = re.compile(r"^[0-9a-f]{64}$")


class CheckOptions:
    """The options of one check, read one by one; ``done`` refuses what nobody read."""

    def __init__(self, check: str, options: Mapping[str, object]) -> None:
        """Begin to read the table ``[options.CHECK]``."""
        self._check = check
        self._left = dict(options)
        self._known: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        """Return a string; without a default the option is required."""
        value = self._take(name, default)
        if not isinstance(value, str) or not value:
            raise self._wrong(name, "a string", value)
        return value

    def folder(self, name: str) -> Path:
        """Return a required folder; whether it exists is found out when it is used."""
        return Path(self.text(name)).expanduser()

    def sha256(self, name: str) -> str:
        """Return a required SHA-256 in lower-case hex."""
        value = self._take(name, None)
        if not isinstance(value, str) or not _SHA256.match(value):
            raise self._wrong(name, "64 lower-case hex digits (`sdsafe models digest FOLDER` prints them)", value)
        return value

    def integer(self, name: str, default: int, *, least: int = 0) -> int:
        """Return an integer of at least ``least``."""
        value = self._take(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self._wrong(name, f"an integer of at least {least}", value)
        return value

    def number(self, name: str, default: float, *, above: float = 0.0) -> float:
        """Return a number larger than ``above``."""
        value = self._take(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not value > above:
            raise self._wrong(name, f"a number above {above:g}", value)
        return float(value)

    def categories(self, name: str, *, keys: str) -> dict[str, str]:
        """Return a required table from names of the network to categories of policy."""
        value = self._table(name, f"a table of {keys} to categories")
        return {key: self._category(name, category) for key, category in value.items()}

    def phrases(self, name: str) -> dict[str, tuple[str, ...]]:
        """Return a required table from categories to lists of phrases."""
        value = self._table(name, "a table of categories to lists of phrases")
        for phrases in value.values():
            if not isinstance(phrases, list | tuple) or not phrases or not all(isinstance(p, str) for p in phrases):
                raise self._wrong(name, "a list of phrases for every category", phrases)
        return {self._category(name, key): tuple(phrases) for key, phrases in value.items()}  # type: ignore[arg-type]

    def strings(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return a list of strings, not empty."""
        value = self._take(name, default)
        if not isinstance(value, list | tuple) or not value or not all(isinstance(item, str) for item in value):
            raise self._wrong(name, "a list of strings", value)
        return tuple(value)

    def done(self) -> None:
        """Refuse options that nobody asked for."""
        if self._left:
            raise PluginError(
                f"{self._check}: unknown option {min(self._left)!r}", hint=f"Known: {', '.join(sorted(self._known))}."
            )

    def _table(self, name: str, expected: str) -> dict[str, object]:
        value = self._take(name, None)
        if not isinstance(value, Mapping) or not value:
            raise self._wrong(name, expected, value)
        return {str(key): item for key, item in value.items()}

    def _category(self, name: str, value: object) -> str:
        if not isinstance(value, str) or not _CATEGORY.match(value):
            raise self._wrong(name, "categories in lower case, such as nudity", value)
        return value

    def _take(self, name: str, default: object) -> object:
        self._known.append(name)
        return self._left.pop(name, default)

    def _wrong(self, name: str, expected: str, found: object) -> PluginError:
        said = "nothing" if found is None else type(found).__name__
        return PluginError(
            f"{self._check}: option {name!r}: expected {expected}, found {said}",
            hint=f"Set it under [options.{self._check}] in the settings.",
        )
