"""Plug-ins by entry point: from a name to an instance that is ready to use.

Installed is not enabled: only what settings name is ever imported.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from sdsafe._internal.locations import default_places
from sdsafe.errors import MissingExtraError, PluginError, SdsafeError
from sdsafe.protocols import Configurable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sdsafe.core.places import Places

__all__ = ["GROUPS", "PluginInfo", "installed", "load"]

GROUPS: Mapping[str, tuple[str, ...]] = {
    "sdsafe.prompt_checks": ("name", "version", "check"),
    "sdsafe.generators": ("resolve", "generate"),
    "sdsafe.output_checks": ("name", "version", "check"),
    "sdsafe.sound_checks": ("name", "version", "check"),
    "sdsafe.watermarkers": ("alg", "version", "capacity_bits", "embed", "detect"),
    "sdsafe.noise_markers": ("alg", "version", "key_id", "noise", "read", "match"),
    "sdsafe.fingerprinters": ("alg", "threshold", "compute", "distance"),
    "sdsafe.signers": ("alg", "certificate_chain", "sign"),
    "sdsafe.ledgers": ("append", "prove"),
    "sdsafe.repositories": ("put", "discard", "has", "find"),
    "sdsafe.reviews": ("put", "case", "cases", "open", "say", "released"),
    "sdsafe.commands": ("name", "invoke"),
}
"""Entry-point groups, and the members that an instance must have."""

_HEAVY = {"torch", "diffusers", "transformers", "onnxruntime", "imwatermark", "cv2", "safetensors", "huggingface_hub"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """One registered plug-in, not imported."""

    group: str
    name: str
    target: str
    """``module:attribute``."""
    distribution: str
    version: str
    builtin: bool


def installed(group: str | None = None) -> Iterator[PluginInfo]:
    """Yield what is registered, by group and name, importing nothing."""
    for each in (group,) if group else GROUPS:
        for point in sorted(entry_points(group=each), key=lambda p: p.name):
            dist = point.dist
            yield PluginInfo(
                group=each,
                name=point.name,
                target=point.value,
                distribution=dist.name if dist else "unknown",
                version=dist.version if dist else "unknown",
                builtin=bool(dist and dist.name == "sdsafe"),
            )


def load(group: str, name: str, places: Places | None = None, options: Mapping[str, object] | None = None) -> Any:
    """Return an instance of the plug-in ``name`` of ``group``, ready to use.

    Args:
        group: One of ``GROUPS``.
        name: Entry-point name.
        places: Where things are kept; default: those of the default settings.
        options: The plug-in's options; default: none.

    Raises:
        PluginError: No such plug-in, two of the same name, it fails to import, refuses its options, or does
            not fill its slot.
        MissingExtraError: It needs an optional dependency that is not installed.
    """
    members = GROUPS.get(group)
    if members is None:
        msg = f"unknown plug-in group {group!r}"
        raise PluginError(msg, hint=f"Known groups: {', '.join(GROUPS)}.")
    instance = _instantiate(_imported(_find(group, name), group), f"{group}: {name}", places, options or {})
    missing = [member for member in members if not hasattr(type(instance), member) and not hasattr(instance, member)]
    if missing:
        msg = f"{group}: {name} does not fill its slot: it lacks {', '.join(missing)}"
        raise PluginError(msg, hint="See sdsafe.protocols for what the slot demands.")
    return instance


def _find(group: str, name: str) -> EntryPoint:
    found = [point for point in entry_points(group=group) if point.name == name]
    # The same distribution seen twice on sys.path (an editable install) gives equal targets.
    targets = {point.value for point in found}
    if not found:
        known = ", ".join(sorted({point.name for point in entry_points(group=group)})) or "none"
        msg = f"no plug-in {name!r} in {group}"
        raise PluginError(msg, hint=f"Installed: {known}. `sdsafe plugins` lists them all.")
    if len(targets) > 1:
        msg = f"{group}: two different plug-ins are called {name!r}: {', '.join(sorted(targets))}"
        raise PluginError(msg, hint="Uninstall one of them: which one runs must not depend on chance.")
    return found[0]


def _imported(point: EntryPoint, group: str) -> Any:
    try:
        return point.load()
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing in _HEAVY:
            raise MissingExtraError(
                f"{group}: {point.name}", extra="generate", detail=f"no module {missing}"
            ) from error
        msg = f"{group}: {point.name} does not import: no module {error.name}"
        raise PluginError(msg, hint="Install the distribution that provides it.") from error
    except SdsafeError:
        raise
    except Exception as error:
        msg = f"{group}: {point.name} does not import: {type(error).__name__}"
        raise PluginError(msg) from error


def _instantiate(target: Any, what: str, places: Places | None, options: Mapping[str, object]) -> object:
    try:
        if isinstance(target, type) and issubclass(target, Configurable):
            return target.configure(places or default_places(os.environ), options)
        return target(**options)
    except SdsafeError:
        raise
    except Exception as error:
        msg = f"{what} cannot be set up: {type(error).__name__}"
        raise PluginError(msg, hint="Check its options in the settings.") from error
