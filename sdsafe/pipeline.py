"""The spine, top to bottom: admit, generate, clear, mark, encode, sign, record.

Refusals travel as exceptions inside and come out as outcomes.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from sdsafe._internal import entropy, images
from sdsafe._internal.clock import rfc3339
from sdsafe._internal.versions import version
from sdsafe.core.decisions import Decision, Discharge, Effect, FiredRule, Obligation, unite
from sdsafe.core.digests import sha256_hex
from sdsafe.core.findings import Stage
from sdsafe.core.receipts import EntryKind, LedgerEntry
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.request import PromptDisclosure, require_plain
from sdsafe.core.softbinding import BindingKind, SoftBinding
from sdsafe.core.states import (
    Admitted,
    Asset,
    Cleared,
    Encoded,
    Generated,
    Marked,
    Outcome,
    PromptOpening,
    Recorded,
    Refused,
    Signed,
    without_pixels,
)
from sdsafe.errors import (
    AssetError,
    ConfigurationError,
    ManifestError,
    OutputRefusedError,
    PromptRefusedError,
    RefusedError,
    RepositoryError,
    SdsafeError,
    WatermarkError,
)
from sdsafe.gates.guard import run_output_check, run_prompt_check
from sdsafe.provenance.manifest import _c2pa, container
from sdsafe.provenance.manifest.definition import define
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.recovery import settle, withdraw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sdsafe.core.ids import AssetId
    from sdsafe.core.request import GenerationRequest
    from sdsafe.protocols import (
        Fingerprinter,
        Generator,
        Ledger,
        ManifestRepository,
        OutputCheck,
        PolicyEngine,
        PromptCheck,
        Signer,
        Watch,
        Watermarker,
    )

__all__ = ["Parts", "Pipeline", "UnsafeNoOutputCheck"]

_log = logging.getLogger(__name__)

_MINT_ATTEMPTS = 8  # 64 random bits: a second attempt already means something is wrong


@dataclass(frozen=True, slots=True)
class UnsafeNoOutputCheck:
    """Stands where output checks stand and looks at nothing; every asset says so in its manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a pipeline is made of: one filled slot each."""

    generator: Generator
    policy: PolicyEngine
    prompt_checks: tuple[PromptCheck, ...]
    output_checks: tuple[OutputCheck, ...] | UnsafeNoOutputCheck
    watermarker: Watermarker
    fingerprinters: tuple[Fingerprinter, ...]
    signer: Signer
    ledger: Ledger
    repository: ManifestRepository
    disclosure: PromptDisclosure = PromptDisclosure.FULL

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


class Pipeline:
    """Makes released assets out of requests. What it is made of does not leave it."""

    __slots__ = ("__parts",)

    def __init__(self, parts: Parts) -> None:
        """Keep the parts; warn when output checks are switched off."""
        self.__parts = parts
        if isinstance(parts.output_checks, UnsafeNoOutputCheck):
            _log.warning("output checks are switched off; every manifest will say so")

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse to be copied or pickled: a copy would carry the key and the pipe outside."""
        msg = "a Pipeline can be neither copied nor pickled: open one per process"
        raise TypeError(msg)

    def run(
        self,
        request: GenerationRequest,
        *,
        deliver: Callable[[Recorded], None] | None = None,
        watch: Watch | None = None,
    ) -> tuple[Outcome, ...]:
        """Carry a request through and return one outcome per image.

        Args:
            request: What to make.
            deliver: Called with each recorded asset; if it raises, the asset is withdrawn and the error passed on.
            watch: Follows and stops generation.

        Raises:
            RequestError: The request cannot be carried out as asked.
            CancelledError: ``watch`` stopped it. Images released before that stay released.
            SdsafeError: A stage failed; nothing was released for that image.
        """
        return tuple(self.stream(request, deliver=deliver, watch=watch))

    def stream(
        self,
        request: GenerationRequest,
        *,
        deliver: Callable[[Recorded], None] | None = None,
        watch: Watch | None = None,
    ) -> Iterator[Outcome]:
        """Do what ``run`` does, one outcome at a time."""
        try:
            admitted = self._admit(request)
        except PromptRefusedError as refusal:
            yield from [_refused(refusal, Stage.PROMPT)] * request.count
            return
        for generated in self.__parts.generator.generate(admitted, watch):
            outcome = self._release(generated, deliver)
            del generated  # a generator that waits shows its frame: no unmarked pixels in it
            yield outcome

    def _release(self, generated: Generated, deliver: Callable[[Recorded], None] | None) -> Outcome:
        generated.pixels.setflags(write=False)  # what one check has seen, no later one changes
        try:
            cleared = self._clear(generated)
            marked = self._mark(cleared)
            encoded = self._encode(marked)
            signed = self._sign(encoded)
        except OutputRefusedError as refusal:
            return _refused(refusal, Stage.OUTPUT, generated)
        return self._deliver(self._record(signed), deliver)

    def _admit(self, request: GenerationRequest) -> Admitted:
        parts = self.__parts
        seed = entropy.mint_seed() if request.seed is None else request.seed
        resolved = parts.generator.resolve(replace(request, seed=seed))
        require_plain(resolved)
        checks = tuple(run_prompt_check(check, resolved) for check in parts.prompt_checks)
        decision = parts.policy.judge(Stage.PROMPT, resolved, checks)
        if not decision.allows:
            raise PromptRefusedError(_why(decision, "the request"), decision=decision, checks=checks)
        return Admitted(
            request=resolved,
            asset_ids=tuple(self._mint() for _ in range(resolved.count)),
            opening=PromptOpening(mode=parts.disclosure, salt=entropy.mint_salt()),
            decision=decision,
            checks=checks,
            admitted_at=rfc3339(),
        )

    def _clear(self, generated: Generated) -> Cleared:
        parts = self.__parts
        if isinstance(parts.output_checks, UnsafeNoOutputCheck):
            decision = _unchecked(parts.policy)
            return Cleared(generated=generated, pixels=generated.pixels, decision=decision, checks=(), unchecked=True)
        checks = tuple(run_output_check(check, generated) for check in parts.output_checks)
        decision = parts.policy.judge(Stage.OUTPUT, generated.admitted.request, checks)
        # TRANSFORM and REVIEW need somebody who carries them out; until one is configured they refuse.
        if decision.effect > Effect.ANNOTATE:
            raise OutputRefusedError(_why(decision, "the image"), decision=decision, checks=checks)
        return Cleared(generated=generated, pixels=generated.pixels, decision=decision, checks=checks)

    def _mark(self, cleared: Cleared) -> Marked:
        watermarker, asset_id = self.__parts.watermarker, cleared.generated.asset_id
        (pixels,) = watermarker.embed([cleared.pixels], [asset_id.value])
        if pixels.shape != cleared.pixels.shape:
            raise WatermarkError("the watermarker changed the size of the image")
        binding = SoftBinding(alg=watermarker.alg, value=asset_id.value, kind=BindingKind.WATERMARK)
        return Marked(cleared=cleared, pixels=pixels, watermark=binding, watermark_version=watermarker.version)

    def _encode(self, marked: Marked) -> Encoded:
        data = images.encode(marked.pixels)
        pixels = images.decode(data)
        if not np.array_equal(pixels, marked.pixels):
            raise AssetError("the encoded file does not decode to the marked pixels", code="asset.readback")
        (readback,) = self.__parts.watermarker.detect([pixels])
        if readback.payload != marked.watermark.value:
            raise WatermarkError(
                "the watermark does not read back from the encoded file; nothing was released",
                code="watermark.readback",
                hint="Try another seed or a larger size; flat pictures carry little.",
            )
        fingerprints = tuple(
            SoftBinding(alg=each.alg, value=each.compute(pixels), kind=BindingKind.FINGERPRINT)
            for each in self.__parts.fingerprinters
        )
        asset = Asset(data=data, media_type="image/png", name=f"{marked.cleared.generated.asset_id}.png")
        return Encoded(marked=marked, asset=asset, readback=readback, fingerprints=fingerprints)

    def _sign(self, encoded: Encoded) -> Signed:
        definition = define(
            encoded, generator="sdsafe", version=version("sdsafe"), when=rfc3339(), title=encoded.asset.name
        )
        data, store = _c2pa.sign(encoded.asset, definition, self.__parts.signer)
        asset = replace(encoded.asset, data=data)
        label = _read_back(asset, encoded)
        cleared = encoded.marked.cleared
        decision = unite((cleared.generated.admitted.decision, cleared.decision))
        discharges = tuple(_discharge(obligation, encoded, label) for obligation in decision.obligations)
        undone = [each.obligation.code for each in discharges if not each.ok]
        if undone:
            raise OutputRefusedError(
                f"policy demands what was not done: {', '.join(undone)}", decision=decision, checks=cleared.checks
            )
        return Signed(encoded=encoded, asset=asset, manifest_store=store, manifest_label=label, discharges=discharges)

    def _record(self, signed: Signed) -> Recorded:
        parts, asset_id = self.__parts, _asset_id(signed)
        record_sha256 = parts.repository.put(signed)
        try:
            receipt = parts.ledger.append(_entry(EntryKind.RELEASED, signed, record_sha256))
        except Exception:
            with _unfinished("take back the record of an asset"):
                settle(asset_id, parts.ledger, parts.repository)
            raise
        return Recorded(signed=without_pixels(signed), receipt=receipt)

    def _deliver(self, recorded: Recorded, deliver: Callable[[Recorded], None] | None) -> Recorded:
        parts = self.__parts
        if deliver is not None:
            try:
                deliver(recorded)
            except BaseException:
                with _unfinished("withdraw an asset"):
                    withdraw(recorded.asset_id, recorded.receipt.entry, parts.ledger, parts.repository)
                raise
        parts.repository.mark_delivered(recorded.asset_id)
        return recorded

    def _mint(self) -> AssetId:
        for _ in range(_MINT_ATTEMPTS):
            asset_id = entropy.mint_asset_id()
            if not self.__parts.repository.has(asset_id):
                return asset_id
        raise RepositoryError("no free asset id found in eight attempts: the random source is broken")


@contextmanager
def _unfinished(what: str) -> Iterator[None]:
    """Let the error under way be the one that is told; the next start finishes what cannot be done now."""
    try:
        yield
    except SdsafeError as error:
        _log.warning("could not %s (%s); the next start will", what, error.code)


def _asset_id(signed: Signed) -> AssetId:
    return signed.encoded.marked.cleared.generated.asset_id


def _why(decision: Decision, what: str) -> str:
    rules = ", ".join(f"{rule.rule} ({rule.because})" for rule in decision.leading) or "an error while judging"
    return f"policy refuses {what} [{decision.effect.label}]: {rules}"


def _refused(refusal: RefusedError, stage: Stage, generated: Generated | None = None) -> Refused:
    return Refused(
        stage=stage,
        decision=refusal.decision,
        checks=refusal.checks,
        reason=refusal.code,
        message=str(refusal),
        asset_id=generated.asset_id if generated else None,
        seed=generated.seed if generated else None,
    )


def _unchecked(policy: PolicyEngine) -> Decision:
    rule = FiredRule(
        rule="builtin.unsafe-unchecked",
        policy="builtin",
        effect=Effect.ANNOTATE,
        because="output checks were switched off with UnsafeNoOutputCheck",
    )
    return Decision(effect=Effect.ANNOTATE, policy=policy.refs, fired=(rule,))


def _read_back(asset: Asset, encoded: Encoded) -> str:
    """Read the signed bytes as a stranger would and return the manifest's label; anything amiss is an error."""
    seen = ManifestProbe().examine(asset, Evidence())
    if seen.manifest is not ManifestState.VALID or seen.summary is None:
        codes = ", ".join(f.code for f in seen.findings if f.severity == "failure") or "no manifest found"
        raise ManifestError(f"the signed file does not read back as valid: {codes}", code="manifest.readback")
    if seen.summary.asset_id != str(encoded.marked.cleared.generated.asset_id):
        raise ManifestError("the signed file reads back with another asset id", code="manifest.readback")
    # Equal bytes decode to equal pixels, and those were compared when the file was encoded.
    if container.without_store(asset.data) != encoded.asset.data:
        raise ManifestError("signing changed more than the manifest", code="manifest.readback")
    return seen.summary.label


def _discharge(obligation: Obligation, encoded: Encoded, label: str) -> Discharge:
    """Show from what was read back that an obligation is met; one we do not know is not met."""
    match obligation.code:
        case "watermark":
            evidence = f"{encoded.readback.alg} read back from the final bytes"
            ok = encoded.readback.payload == encoded.marked.watermark.value
        case "sign_c2pa" if not obligation.params:
            evidence, ok = f"manifest {label} read back as valid", True
        case _:
            evidence, ok = "nothing here can meet this obligation", False
    return Discharge(obligation=obligation, evidence=evidence, ok=ok)


def _entry(kind: EntryKind, signed: Signed, record_sha256: str) -> LedgerEntry:
    cleared = signed.encoded.marked.cleared
    decision = unite((cleared.generated.admitted.decision, cleared.decision))
    return LedgerEntry(
        kind=kind,
        asset_id=str(_asset_id(signed)),
        asset_sha256=sha256_hex(signed.asset.data),
        manifest_sha256=sha256_hex(signed.manifest_store),
        policy_digests=tuple(ref.digest for ref in decision.policy),
        effect=decision.effect.label,
        record_sha256=record_sha256,
        recorded_at=rfc3339(),
    )
