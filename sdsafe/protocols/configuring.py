"""How a plug-in is made ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.places import Places

__all__ = ["Configurable"]


@runtime_checkable
class Configurable(Protocol):
    """**Protocol:** a plug-in class that wants to know where things are kept."""

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Return an instance; ``PluginError`` for an option it does not know."""
        ...
