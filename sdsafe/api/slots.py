"""One slot filled: the plug-in that settings name, with the options that they give it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from sdsafe import plugins
from sdsafe.errors import PluginError
from sdsafe.protocols import Invertible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.protocols import Generator
    from sdsafe.settings import Settings

__all__ = ["check", "mark_noise", "open_generator", "plugin"]

_ASKING = frozenset({"vlm-judge"})  # built-in checks that wait for somebody else

_CHECK_DEADLINE_S = 120.0
"""Seconds that one question to an isolated check may take; its own time-outs are shorter."""


def plugin(group: str, name: str, settings: Settings, options: Mapping[str, object] | None = None) -> Any:
    """Return a plug-in; its options in the settings win over ``options``.

    Raises:
        PluginError, MissingExtraError: As ``plugins.load``.
    """
    merged = {**(options or {}), **settings.options_for(name)}
    return plugins.load(f"sdsafe.{group}", name, settings.places, merged)


def check(group: str, name: str, settings: Settings) -> Any:
    """Return a check; one of somebody else, or one that asks an endpoint, runs in a process that can be killed."""
    from sdsafe.gates.isolation import IsolatedCheck

    found = [info for info in plugins.installed(f"sdsafe.{group}") if info.name == name]
    if not found or (all(info.builtin for info in found) and name not in _ASKING):
        return plugin(group, name, settings)
    options = dict(settings.options_for(name))
    make = functools.partial(plugins.load, f"sdsafe.{group}", name, settings.places, options)
    return IsolatedCheck(make, name=name, deadline=_CHECK_DEADLINE_S)


def open_generator(settings: Settings, *, offline: bool | None = None) -> Generator:
    """Return the generator that ``settings`` name; ``offline`` overrides theirs. Nothing is loaded onto a device yet."""
    alone = settings.offline if offline is None else offline
    runtime: dict[str, object] = {"device": settings.device, "dtype": settings.dtype, "offline": alone}
    if settings.vram_budget is not None:
        runtime["vram_budget"] = settings.vram_budget
    generator: Generator = plugin("generators", settings.generator, settings, runtime)
    mark_noise(generator, settings)
    return generator


def mark_noise(generator: Generator, settings: Settings) -> None:
    """Have ``generator`` begin with noise that carries ids, where the settings ask for it."""
    if not settings.noise_marker:
        return
    if not isinstance(generator, Invertible):
        raise PluginError(
            f"the generator {settings.generator!r} cannot begin with the noise of {settings.noise_marker!r}",
            hint="Leave `noise_marker` out of the settings, or use a generator that offers mark_noise and invert.",
        )
    generator.mark_noise(plugin("noise_markers", settings.noise_marker, settings))
