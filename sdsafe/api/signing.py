"""Who signs, and who is asked for the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.api.slots import plugin
from sdsafe.errors import ConfigurationError

if TYPE_CHECKING:
    from sdsafe.protocols import Signer, TimeStamper
    from sdsafe.settings import Settings

__all__ = ["open_signing", "open_stamper"]


def open_signing(settings: Settings) -> tuple[Signer, TimeStamper | None]:
    """Return the signer that ``settings`` name, and what asks the time-stamp authorities, if there are any.

    Raises:
        ConfigurationError, SigningError: As ``open_pipeline``.
    """
    from sdsafe.provenance.signing.uri import parse_signer_uri

    scheme, options = parse_signer_uri(settings.signer)
    return plugin("signers", scheme, settings, options), _stamper(settings)


def _stamper(settings: Settings) -> TimeStamper | None:
    """Return what asks the time-stamp authorities that the settings name, if there are any.

    Raises:
        ConfigurationError: An address or the policy is wrong, or nothing may be asked over the network.
    """
    if not settings.timestamp_authorities:
        return None
    from sdsafe.provenance.signing.timestamp import HttpStamper, StampPolicy

    stamper = HttpStamper.of(
        settings.timestamp_authorities, settings.timestamp_policy, timeout_s=settings.timestamp_timeout
    )
    if stamper.policy is StampPolicy.LATER:
        return None
    if settings.offline:
        if stamper.required:
            raise ConfigurationError(
                "a time-stamp is required and the network must not be used",
                code="timestamp.offline",
                hint='Set timestamp_policy to "best_effort", or leave `offline` out.',
            )
        return None
    return stamper


def open_stamper(settings: Settings) -> TimeStamper:
    """Return what asks the time-stamp authorities that ``settings`` name, whatever their policy for signing is.

    Raises:
        ConfigurationError: None is named, or nothing may be asked over the network.
    """
    from sdsafe.provenance.signing.timestamp import HttpStamper, StampPolicy

    stamper = HttpStamper.of(settings.timestamp_authorities, StampPolicy.REQUIRE, timeout_s=settings.timestamp_timeout)
    if settings.offline:
        raise ConfigurationError(
            "a time-stamp is asked for and the network must not be used",
            code="timestamp.offline",
            hint="Leave `offline` out of the settings, or unset SDSAFE_OFFLINE.",
        )
    return stamper
