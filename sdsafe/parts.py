"""What a pipeline is made of: one filled slot each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sdsafe.core.house import House
from sdsafe.core.request import PromptDisclosure
from sdsafe.errors import ConfigurationError
from sdsafe.provenance.manifest.envelope import no_recipient

if TYPE_CHECKING:
    from sdsafe.gates.hard.incidents import Incidents
    from sdsafe.gates.registry.gate import LicenceGate
    from sdsafe.protocols import (
        Fingerprinter,
        Generator,
        Ledger,
        ManifestRepository,
        OutputCheck,
        PolicyEngine,
        PromptCheck,
        Reviews,
        Signer,
        SoundCheck,
        TimeStamper,
        Watermarker,
    )
    from sdsafe.provenance.manifest.envelope import Recipient

__all__ = ["Parts", "UnsafeNoOutputCheck"]


@dataclass(frozen=True, slots=True)
class UnsafeNoOutputCheck:
    """Stands where output checks stand and looks at nothing; every asset says so in its manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a pipeline is made of: one filled slot each."""

    generator: Generator
    policy: PolicyEngine
    licences: LicenceGate
    prompt_checks: tuple[PromptCheck, ...]
    output_checks: tuple[OutputCheck, ...] | UnsafeNoOutputCheck
    watermarker: Watermarker
    fingerprinters: tuple[Fingerprinter, ...]
    signer: Signer
    ledger: Ledger
    repository: ManifestRepository
    sound_checks: tuple[SoundCheck, ...] = ()
    """What looks at sounds; without any, none is made."""
    reviews: Reviews | None = None
    """Where pictures wait for a person; without it, *review* refuses."""
    stamper: TimeStamper | None = None
    """Asks for time-stamps; without it nothing is time-stamped."""
    incidents: Incidents | None = None
    """Where refusals of the hard layer are noted; it refuses without, too."""
    disclosure: PromptDisclosure = PromptDisclosure.FULL
    recipient: Recipient | None = None
    """Whom prompts are sealed for, where they are encrypted."""
    house: House = field(default_factory=House)

    @property
    def looking(self) -> tuple[OutputCheck, ...]:
        """The output checks; none where they are switched off."""
        return () if isinstance(self.output_checks, UnsafeNoOutputCheck) else self.output_checks

    @property
    def listening(self) -> tuple[SoundCheck, ...]:
        """The checks of sounds; none where output checks are switched off."""
        return self.sound_checks if self.checked else ()

    @property
    def checked(self) -> bool:
        """Whether output checks look at what was made."""
        return not isinstance(self.output_checks, UnsafeNoOutputCheck)

    def __post_init__(self) -> None:
        """Refuse empty slots: no checks, no packs and no fingerprints are not a configuration."""
        empty = [
            name
            for name, value in (
                ("prompt_checks", self.prompt_checks),
                ("output_checks", self.output_checks),
                ("fingerprinters", self.fingerprinters),
                ("policies", self.policy.refs),
            )
            if value == ()
        ]
        if empty:
            msg = f"nothing is configured for {', '.join(empty)}: an empty list is not a pass"
            raise ConfigurationError(msg, hint="Name at least one in the settings.")
        if self.disclosure is PromptDisclosure.ENCRYPTED and self.recipient is None:
            raise no_recipient()
