"""Convenience: a ``Pipeline`` or a ``Validator`` from ``Settings``, and files in and out."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

from sdsafe import plugins
from sdsafe._internal import atomic, images, wav
from sdsafe.core.states import Asset
from sdsafe.core.trust import ListKind, Require, TrustPolicy
from sdsafe.errors import AssetError, ConfigurationError, PluginError
from sdsafe.protocols import Invertible
from sdsafe.settings import Settings
from sdsafe.verification import Validator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from sdsafe.core.report import Report
    from sdsafe.core.request import InputImage, ModelRef
    from sdsafe.core.states import Recorded
    from sdsafe.core.thresholds import Thresholds
    from sdsafe.gates.policy.loader import LoadedPolicies
    from sdsafe.pipeline import Pipeline, UnsafeNoOutputCheck
    from sdsafe.protocols import (
        Fingerprinter,
        Generator,
        ManifestRepository,
        PolicyEngine,
        Probe,
        PromptCheck,
        Signer,
        TimeStamper,
    )
    from sdsafe.provenance.manifest.envelope import Recipient

__all__ = [
    "SIDECAR",
    "adopt",
    "inspect",
    "judging_packs",
    "open_generator",
    "open_keeper",
    "open_pipeline",
    "open_policy",
    "open_prompt_checks",
    "open_signing",
    "open_stamper",
    "open_validator",
    "read_asset",
    "read_input",
    "save_to",
    "verify",
]

_log = logging.getLogger(__name__)

_ASKING = frozenset({"vlm-judge"})  # built-in checks that wait for somebody else

_EARLIER_MARKS = ("dwtDctSvd",)  # once the default: files in the world carry them

_CHECK_DEADLINE_S = 120.0
"""Seconds that one question to an isolated check may take; its own time-outs are shorter."""

SIDECAR = ".c2pa"
"""Ending of a file that holds the manifest store of the file beside it, as c2patool has it."""

_MAX_STORE_BYTES = 1 << 26
_MAX_FILE_BYTES = 1 << 30  # larger than any picture we make; a limit against mistakes, not a format rule


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
    _mark_noise(generator, chosen)
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
    from sdsafe.provenance.signing.uri import parse_signer_uri
    from sdsafe.recovery import sweep

    policies = judging_packs(chosen)
    scheme, signer_options = parse_signer_uri(chosen.signer)
    signer = _plugin("signers", scheme, chosen, signer_options)
    if warning := expiry_warning(signer.certificate_chain[0]):
        _log.warning("%s", warning)
    ledger, repository = _plugin("ledgers", chosen.ledger, chosen), _plugin("repositories", chosen.repository, chosen)
    swept = sweep(ledger, repository)
    if swept.withdrawn:
        _log.warning("%d assets of a run that was cut off were withdrawn", len(swept.withdrawn))
    return Pipeline(
        Parts(
            generator=generator or open_generator(chosen),
            policy=open_policy(chosen, policies),
            licences=LicenceGate(load_registry(user=user_registry())),
            prompt_checks=open_prompt_checks(chosen, policies),
            output_checks=unsafe or tuple(_check("output_checks", name, chosen) for name in chosen.output_checks),
            sound_checks=tuple(_check("sound_checks", name, chosen) for name in chosen.sound_checks),
            watermarker=_plugin("watermarkers", chosen.watermarker, chosen),
            fingerprinters=tuple(_plugin("fingerprinters", name, chosen) for name in chosen.fingerprinters),
            signer=signer,
            stamper=_stamper(chosen),
            ledger=ledger,
            repository=repository,
            reviews=_plugin("reviews", chosen.reviews, chosen) if chosen.reviews else None,
            incidents=Incidents(chosen.places),
            disclosure=chosen.prompt_disclosure,
            recipient=_recipient(chosen),
            house=House(
                organisation=chosen.organisation,
                intended_use=chosen.intended_use,
                required=_required(chosen),
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


def open_signing(settings: Settings) -> tuple[Signer, TimeStamper | None]:
    """Return the signer that ``settings`` name, and what asks the time-stamp authorities, if there are any.

    Raises:
        ConfigurationError, SigningError: As ``open_pipeline``.
    """
    from sdsafe.provenance.signing.uri import parse_signer_uri

    scheme, options = parse_signer_uri(settings.signer)
    return _plugin("signers", scheme, settings, options), _stamper(settings)


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


def open_generator(settings: Settings, *, offline: bool | None = None) -> Generator:
    """Return the generator that ``settings`` name; ``offline`` overrides theirs. Nothing is loaded onto a device yet."""
    alone = settings.offline if offline is None else offline
    runtime: dict[str, object] = {"device": settings.device, "dtype": settings.dtype, "offline": alone}
    if settings.vram_budget is not None:
        runtime["vram_budget"] = settings.vram_budget
    generator: Generator = _plugin("generators", settings.generator, settings, runtime)
    _mark_noise(generator, settings)
    return generator


def _mark_noise(generator: Generator, settings: Settings) -> None:
    """Have ``generator`` begin with noise that carries ids, where the settings ask for it."""
    if not settings.noise_marker:
        return
    if not isinstance(generator, Invertible):
        raise PluginError(
            f"the generator {settings.generator!r} cannot begin with the noise of {settings.noise_marker!r}",
            hint="Leave `noise_marker` out of the settings, or use a generator that offers mark_noise and invert.",
        )
    generator.mark_noise(_plugin("noise_markers", settings.noise_marker, settings))


def open_prompt_checks(settings: Settings, policies: LoadedPolicies) -> tuple[PromptCheck, ...]:
    """Return the prompt checks that ``settings`` name; the lexicon looks for the terms of the very packs that judge.

    Raises:
        PluginError: One is unknown, or was given an option that it does not know.
    """
    from sdsafe.gates.policy.check import LexiconCheck

    if settings.options_for("lexicon"):
        raise PluginError(
            "lexicon: takes no options", hint="Its terms are those of the packs: name them in `policies`."
        )
    return tuple(
        LexiconCheck(policies) if name == "lexicon" else _check("prompt_checks", name, settings)
        for name in settings.prompt_checks
    )


def open_policy(settings: Settings, policies: LoadedPolicies) -> PolicyEngine:
    """Return the engine that judges with these packs, and with the thresholds that ``settings`` name."""
    from sdsafe.gates.policy.judge import PackPolicy

    return PackPolicy(policies, _thresholds(settings))


def judging_packs(settings: Settings) -> LoadedPolicies:
    """Return the packs that judge, signed by those who may sign them where settings demand it.

    Raises:
        ConfigurationError: A pack does not load, or is not signed by a trusted key.
    """
    from sdsafe.gates.policy.loader import load_policies

    loaded = load_policies(settings.effective_policies, settings.policy_folders)
    if settings.require_signed_packs:
        from sdsafe.gates.policy.signing import read_public_keys, verify_policies

        verify_policies(loaded, read_public_keys(settings.trusted_pack_keys))
    return loaded


def _required(settings: Settings) -> frozenset[str]:
    """Return the ids of all packs that the organisation requires, with those that they extend."""
    from sdsafe.gates.policy.loader import load_policies

    if not settings.required_policies:
        return frozenset()
    try:
        return frozenset(ref.id for ref in load_policies(settings.required_policies, settings.policy_folders).refs)
    except ConfigurationError as error:
        if error.code != "policy.none":
            raise
        return frozenset()  # lists of terms alone: no rule of theirs needs a look at the output


def open_validator(  # noqa: PLR0913 - all that an auditor may bring along, each by its name
    settings: Settings | None = None,
    *,
    trust: Iterable[Path] = (),
    require: Require | None = None,
    check_watermark: bool = False,
    trust_tsa: Iterable[Path] = (),
    at: datetime | None = None,
    crl: Iterable[Path] = (),
) -> Validator:
    """Return a validator; needs no torch and creates nothing on disk.

    Args:
        settings: Default: ``Settings.load()``. Its repository and ledger are used where they exist.
        trust: Lists of trust anchors for signers (files or folders), besides those of the settings and those that
            `sdsafe trust update` keeps.
        require: The least verdict that ``verify`` accepts.
        check_watermark: Look for the mark even when the manifest is intact.
        trust_tsa: PEM files with trust anchors for time-stamps, besides those of the settings.
        crl: Revocation lists (PEM or DER) of the authorities that issue signers' certificates.
        at: Time of validation (aware), where no time-stamp proves when it was signed; default: now.
    """
    from sdsafe.bindings.fingerprint.probe import FingerprintProbe
    from sdsafe.bindings.watermark.probe import WatermarkProbe
    from sdsafe.provenance.manifest.probe import ManifestProbe, RecoveryProbe
    from sdsafe.provenance.metadata.probe import MetadataProbe
    from sdsafe.provenance.trust.lists import load_anchors
    from sdsafe.provenance.trust.probe import TrustProbe
    from sdsafe.provenance.trust.revocation import load_crl
    from sdsafe.provenance.trust.store import TrustStore
    from sdsafe.records.ledger.log import SqliteLedger
    from sdsafe.records.ledger.probe import LedgerProbe
    from sdsafe.records.repository.sqlite import SqliteRepository

    chosen = settings or Settings.load()
    lists = {
        ListKind.MANIFEST: (*chosen.trust_manifest, *trust),
        ListKind.TSA: (*chosen.trust_tsa, *trust_tsa),
        ListKind.CAWG: chosen.trust_cawg,
    }
    kept = TrustStore(chosen.places).anchors()
    anchors = {
        kind: (*kept[kind], *(pem for path in paths for pem in load_anchors(path))) for kind, paths in lists.items()
    }
    policy = TrustPolicy(anchors=anchors, require=require, check_watermark=check_watermark)
    repository: ManifestRepository | None = SqliteRepository.open_existing(chosen.places)
    fingerprinters: tuple[Fingerprinter, ...] = tuple(
        _plugin("fingerprinters", name, chosen) for name in chosen.fingerprinters
    )
    readers = [
        functools.partial(_plugin, "watermarkers", name, chosen)
        for name in dict.fromkeys((chosen.watermarker, *_EARLIER_MARKS))
    ]
    probes: tuple[Probe, ...] = (
        ManifestProbe(time_anchors=anchors[ListKind.TSA], at=at),
        TrustProbe(policy, at=at, revoked=[load_crl(each) for each in crl]),
        MetadataProbe(),
        WatermarkProbe(readers, repository, fingerprinters, always=check_watermark),
        FingerprintProbe(fingerprinters, repository),
        RecoveryProbe(),
        LedgerProbe(SqliteLedger.open_existing(chosen.places)),
    )
    return Validator(probes=probes, policy=policy)


def inspect(path: Path, *, settings: Settings | None = None, trust: Iterable[Path] = ()) -> Report:
    """Report everything that the picture at ``path`` carries; see ``sdsafe.verification.inspect``."""
    return open_validator(settings, trust=trust).inspect(read_asset(path))


def verify(
    path: Path, *, settings: Settings | None = None, trust: Iterable[Path] = (), require: Require | None = None
) -> Report:
    """Return the report of the picture at ``path`` or raise; see ``sdsafe.verification.verify``."""
    return open_validator(settings, trust=trust, require=require).verify(read_asset(path))


def read_asset(path: Path, manifest: Path | None = None) -> Asset:
    """Read the file of a picture or of a sound, and the manifest store beside it, if there is one.

    Args:
        path: The file.
        manifest: Where the store is; default: the file's name ending in ``.c2pa``.

    Raises:
        AssetError: The file cannot be read, is too large, or is neither.
    """
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise AssetError(f"{path.name}: larger than {_MAX_FILE_BYTES >> 20} MiB", code="asset.too-large")
        data = path.read_bytes()
    except OSError as error:
        raise AssetError(
            f"{path.name}: cannot be read: {error.strerror}", code="asset.unreadable", hint="Check the path and rights."
        ) from error
    media_type = images.sniff(data) or wav.sniff(data)
    if media_type is None:
        raise AssetError(
            f"{path.name}: not a picture or a sound in a format we know",
            code="asset.not-an-image",
            hint="PNG, JPEG, WebP, AVIF, TIFF, GIF and WAV are recognised by their first bytes.",
        )
    return Asset(data=data, media_type=media_type, name=path.name, sidecar=_sidecar(path, manifest))


def _sidecar(path: Path, named: Path | None) -> bytes | None:
    """Return the manifest store beside a file; one that was named has to be there."""
    beside = named or path.with_suffix(SIDECAR)
    if named is None and (not beside.is_file() or beside == path):
        return None
    try:
        if beside.stat().st_size > _MAX_STORE_BYTES:
            raise AssetError(f"{beside.name}: larger than {_MAX_STORE_BYTES >> 20} MiB", code="asset.too-large")
        return beside.read_bytes()
    except OSError as error:
        raise AssetError(
            f"{beside.name}: cannot be read: {error.strerror}",
            code="asset.unreadable",
            hint="Check the path and rights.",
        ) from error


def read_input(path: Path, role: str = "image") -> InputImage:
    """Read a picture that goes into generation, or a mask (``role="mask"``).

    Raises:
        AssetError: The file cannot be read, is too large, or is no picture.
    """
    from sdsafe.inputs import as_input

    return as_input(read_asset(path), role)


def save_to(path: Path, *, force: bool = False) -> Callable[[Recorded], None]:
    """Return a delivery that writes the asset to ``path`` in one step: complete or not at all.

    A manifest store that stands beside the file goes first, to the same name ending in ``.c2pa``. The delivery raises
    ``AssetError`` when the file exists (and ``force`` is false) or cannot be written; the pipeline then withdraws the
    asset.
    """

    def deliver(recorded: Recorded) -> None:
        write = atomic.replace if force else atomic.write_new
        beside, store = path.with_suffix(SIDECAR), recorded.asset.sidecar
        if store is not None:
            write(beside, store)
        try:
            write(path, recorded.asset.data)
        except BaseException:
            if store is not None and not force:
                beside.unlink(missing_ok=True)  # nobody else's: it was new
            raise

    return deliver


def _thresholds(settings: Settings) -> Thresholds:
    """Return the thresholds of all files that the settings name."""
    from sdsafe.core import thresholds

    given = []
    for path in settings.thresholds:
        try:
            given.append(thresholds.parse(path.read_bytes(), path.name))
        except OSError as error:
            raise ConfigurationError(
                f"{path.name}: the threshold file cannot be read: {error.strerror}",
                code="thresholds.unreadable",
                hint="Correct `thresholds` in the settings.",
            ) from error
    return thresholds.unite(tuple(given))


def _check(group: str, name: str, settings: Settings) -> Any:
    """Return a check; one of somebody else, or one that asks an endpoint, runs in a process that can be killed."""
    from sdsafe.gates.isolation import IsolatedCheck

    found = [info for info in plugins.installed(f"sdsafe.{group}") if info.name == name]
    if not found or (all(info.builtin for info in found) and name not in _ASKING):
        return _plugin(group, name, settings)
    options = dict(settings.options_for(name))
    make = functools.partial(plugins.load, f"sdsafe.{group}", name, settings.places, options)
    return IsolatedCheck(make, name=name, deadline=_CHECK_DEADLINE_S)


def _plugin(group: str, name: str, settings: Settings, options: Mapping[str, object] | None = None) -> Any:
    merged = {**(options or {}), **settings.options_for(name)}
    return plugins.load(f"sdsafe.{group}", name, settings.places, merged)
