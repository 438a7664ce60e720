"""A pipeline from settings: for pictures that are made here, with a pipe of your own, or for what was made elsewhere."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sdsafe.api.judging import judging_packs, open_policy, open_prompt_checks, required_packs
from sdsafe.api.signing import open_signing
from sdsafe.api.slots import check, mark_noise, open_generator, plugin
from sdsafe.errors import ConfigurationError
from sdsafe.settings import Settings

if TYPE_CHECKING:
    from sdsafe.core.request import ModelRef
    from sdsafe.pipeline import Pipeline, UnsafeNoOutputCheck
    from sdsafe.protocols import Generator
    from sdsafe.provenance.manifest.envelope import Recipient

__all__ = ["adopt", "open_keeper", "open_pipeline"]

_log = logging.getLogger(__name__)


def open_pipeline(settings: Settings | None = None, *, unsafe: UnsafeNoOutputCheck | None = None) -> Pipeline:
    """Return a pipeline made of what ``settings`` name; nothing is loaded onto a device yet.

    Args:
        settings: Default: ``Settings.load()``.
        unsafe: Release images that no classifier looked at; signed into every manifest.

    Raises:
        ConfigurationError: Something is missing, empty or broken; the hint says what to do.
        SigningError: The credential is missing, expired or locked.
    """
    return _assemble(settings or Settings.load(), unsafe)


def adopt(
    pipe: object,
    *,
    model: str | ModelRef,
    settings: Settings | None = None,
    unsafe: UnsafeNoOutputCheck | None = None,
) -> Pipeline:
    """Return a pipeline around a diffusers pipe that you have configured: quantised, compiled, offloaded.

    The pipe stays as it is; its own safety checker and watermark take no part. Its tensors are hashed in memory, and
    manifests say what they cannot vouch for. Requests need no model.

    Args:
        pipe: A pipeline of diffusers, with its weights in memory.
        model: What it is called in records, such as its hub id, or with its licence and a digest to insist on.
        settings: Default: ``Settings.load()``; its generator, device and dtype play no part.
        unsafe: Release images that no classifier looked at; signed into every manifest.

    Raises:
        RequestError: ``request.pipeline``: it cannot be taken over.
        ConfigurationError, SigningError: As ``open_pipeline``.
    """
    from sdsafe.core.request import ModelRef
    from sdsafe.generation._diffusers import DiffusersGenerator

    chosen = settings or Settings.load()
    generator = DiffusersGenerator.adopting(pipe, ModelRef(repo=model) if isinstance(model, str) else model)
    mark_noise(generator, chosen)
    return _assemble(chosen, unsafe, generator)


def open_keeper(settings: Settings | None = None, *, unsafe: UnsafeNoOutputCheck | None = None) -> Pipeline:
    """Return a pipeline that signs pictures which were made elsewhere (``Task.SIGN``), and makes none; needs no torch.

    Args and errors are those of ``open_pipeline``.
    """
    from sdsafe.generation.keeping import Keeper

    return _assemble(settings or Settings.load(), unsafe, Keeper())


def _assemble(chosen: Settings, unsafe: UnsafeNoOutputCheck | None, generator: Generator | None = None) -> Pipeline:
    """Put the parts together; ``generator`` in place of the one that the settings name."""
    from sdsafe.core.house import House
    from sdsafe.gates.hard.incidents import Incidents
    from sdsafe.gates.registry.gate import LicenceGate
    from sdsafe.gates.registry.loading import load_registry, user_registry
    from sdsafe.pipeline import Parts, Pipeline
    from sdsafe.provenance.signing.credentials import expiry_warning
    from sdsafe.recovery import sweep

    policies = judging_packs(chosen)
    signer, stamper = open_signing(chosen)
    if warning := expiry_warning(signer.certificate_chain[0]):
        _log.warning("%s", warning)
    ledger, repository = plugin("ledgers", chosen.ledger, chosen), plugin("repositories", chosen.repository, chosen)
    swept = sweep(ledger, repository)
    if swept.withdrawn:
        _log.warning("%d assets of a run that was cut off were withdrawn", len(swept.withdrawn))
    return Pipeline(
        Parts(
            generator=generator or open_generator(chosen),
            policy=open_policy(chosen, policies),
            licences=LicenceGate(load_registry(user=user_registry())),
            prompt_checks=open_prompt_checks(chosen, policies),
            output_checks=unsafe or tuple(check("output_checks", name, chosen) for name in chosen.output_checks),
            sound_checks=tuple(check("sound_checks", name, chosen) for name in chosen.sound_checks),
            watermarker=plugin("watermarkers", chosen.watermarker, chosen),
            fingerprinters=tuple(plugin("fingerprinters", name, chosen) for name in chosen.fingerprinters),
            signer=signer,
            stamper=stamper,
            ledger=ledger,
            repository=repository,
            reviews=plugin("reviews", chosen.reviews, chosen) if chosen.reviews else None,
            incidents=Incidents(chosen.places),
            disclosure=chosen.prompt_disclosure,
            recipient=_recipient(chosen),
            house=House(
                organisation=chosen.organisation,
                intended_use=chosen.intended_use,
                required=required_packs(chosen),
                label_font=chosen.label_font,
            ),
        )
    )


def _recipient(settings: Settings) -> Recipient | None:
    """Return whom prompts are sealed for, if anybody.

    Raises:
        ConfigurationError: ``disclosure.key``: it is no public key that something can be sealed for.
    """
    from sdsafe.provenance.manifest.envelope import read_recipient

    path = settings.disclosure_recipient
    if path is None:
        return None
    try:
        return read_recipient(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"{path}: the auditor's key cannot be read: {type(error).__name__}",
            code="disclosure.key",
            hint="`disclosure_recipient` names a PEM file with an X25519 or RSA public key.",
        ) from error
