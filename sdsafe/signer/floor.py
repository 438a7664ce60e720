"""What a signer demands of everything that it signs. It is the signer's own: who asks cannot lower it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sdsafe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.decisions import PolicyRef
    from sdsafe.settings import Settings

__all__ = ["MAX_AGE_S", "Floor", "floor_of"]

MAX_AGE_S = 24 * 3600
"""How old check receipts may be by default: a long batch, not last week's."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What must have judged and what must have looked. Never empty."""

    packs: tuple[PolicyRef, ...]
    """Each of these must have judged, in exactly this version."""
    known: frozenset[str]
    """Digests of everything that may have judged: these packs, others that are installed here, licence facts."""
    prompt_checks: tuple[str, ...]
    """Names as manifests record them."""
    output_checks: tuple[str, ...]
    sound_checks: tuple[str, ...] = ()
    """Of sounds, in place of ``output_checks``; none: no sound is signed."""
    max_age_s: int = MAX_AGE_S
    elsewhere: bool = False
    """Sign pictures that were made elsewhere, too, with what people say of them as gathered assertions."""

    def __post_init__(self) -> None:
        """Refuse a floor through which anything would fall."""
        for name in ("packs", "prompt_checks", "output_checks"):
            if not getattr(self, name):
                raise ConfigurationError(
                    f"the signer would demand nothing of {name}: an empty list is not a floor",
                    code="signer.floor",
                    hint="Name at least one pack, one prompt check and one output check in the settings.",
                )


def floor_of(
    settings: Settings, packs: tuple[str, ...] = (), max_age_s: int = MAX_AGE_S, *, elsewhere: bool = False
) -> Floor:
    """Return the floor of the signer's own settings: their packs with ``packs``, and their checks.

    Raises:
        ConfigurationError: A pack does not load, or something is empty.
    """
    from sdsafe.api import judging_packs, open_policy

    chosen = replace(settings, policies=tuple(dict.fromkeys((*settings.policies, *packs))))
    refs = open_policy(chosen, judging_packs(chosen)).refs
    return Floor(
        packs=refs,
        known=frozenset(ref.digest for ref in (*refs, *_installed(settings))),
        prompt_checks=_names(settings, settings.prompt_checks),
        output_checks=_names(settings, settings.output_checks),
        sound_checks=_names(settings, settings.sound_checks),
        max_age_s=max_age_s,
        elsewhere=elsewhere,
    )


def _installed(settings: Settings) -> Iterator[PolicyRef]:
    """Yield every pack that the signer finds by name, and its licence facts. One that does not load is not known."""
    from sdsafe.gates.policy.loader import available_packs, load_policies
    from sdsafe.gates.registry.gate import LicenceGate
    from sdsafe.gates.registry.loading import load_registry, user_registry

    yield LicenceGate(load_registry(user=user_registry())).ref
    for name in available_packs(settings.policy_folders):
        try:
            yield from load_policies([name], settings.policy_folders).refs
        except ConfigurationError as error:
            _log.warning("the pack %s does not load, so nothing that it judged is signed: %s", name, error.code)


def _names(settings: Settings, plugins: tuple[str, ...]) -> tuple[str, ...]:
    """Return what checks are called in manifests: like their plug-in, unless an option names them."""
    return tuple(str(settings.options_for(name).get("name", name)) for name in plugins)
