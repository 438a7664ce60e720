"""A keeper from settings: its key, its floor, its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe import plugins
from sdsafe.core.places import Places
from sdsafe.errors import ConfigurationError
from sdsafe.protocols import Demanding
from sdsafe.provenance.signing.uri import parse_signer_uri
from sdsafe.records.ledger.log import SqliteLedger
from sdsafe.signer.floor import MAX_AGE_S, floor_of
from sdsafe.signer.keeper import Keeper

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.settings import Settings

__all__ = ["PER_MINUTE", "log_in", "log_of", "open_keeper"]

PER_MINUTE = 60
"""Signatures a minute by default: more than one machine draws."""


def open_keeper(  # noqa: PLR0913 - one argument per flag
    settings: Settings,
    key: str,
    folder: Path,
    *,
    packs: tuple[str, ...] = (),
    per_minute: int = PER_MINUTE,
    max_age_s: int = MAX_AGE_S,
    elsewhere: bool = False,
) -> Keeper:
    """Return a keeper that has its key.

    Args:
        settings: The signer's own: their packs and checks are its floor.
        key: A signer URI.
        folder: Where its log lies.
        packs: Further packs of the floor.
        per_minute: Signatures at most.
        max_age_s: How old receipts may be.
        elsewhere: Sign pictures that were made elsewhere, too.

    Raises:
        ConfigurationError: The floor is empty, or the key would itself be in another process.
        SigningError: The credential is missing, expired or locked.
    """
    scheme, options = parse_signer_uri(key)
    if scheme == "socket":
        raise ConfigurationError(
            "a signer cannot keep a key that is in yet another process",
            code="signer.key",
            hint="Give the key itself: --key file:FOLDER, or another scheme.",
        )
    signer = plugins.load("sdsafe.signers", scheme, settings.places, {**options, **settings.options_for(scheme)})
    if isinstance(signer, Demanding):
        raise ConfigurationError(
            "this plug-in writes manifests itself; the signer needs a plain key", code="signer.key"
        )
    floor = floor_of(settings, packs, max_age_s, elsewhere=elsewhere)
    return Keeper(signer, floor, log_in(folder), per_minute)


def log_in(folder: Path) -> SqliteLedger:
    """Return the log that lies, or will lie, in ``folder``."""
    return SqliteLedger(Places(state=folder, cache=folder))


def log_of(folder: Path) -> SqliteLedger | None:
    """Return the log in ``folder`` for reading; None when there is none."""
    return SqliteLedger.open_existing(Places(state=folder, cache=folder))
