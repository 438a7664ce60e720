"""The spine, top to bottom: admit, generate, clear, mark, encode, sign, record.

Refusals travel as exceptions inside and come out as outcomes.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from sdsafe import release
from sdsafe._internal import entropy, images
from sdsafe._internal.clock import rfc3339
from sdsafe._internal.versions import version
from sdsafe.core.decisions import Effect, unite
from sdsafe.core.findings import Stage
from sdsafe.core.house import House
from sdsafe.core.receipts import EntryKind
from sdsafe.core.request import PromptDisclosure, Size, require_plain
from sdsafe.core.reviews import CaseState
from sdsafe.core.softbinding import BindingKind, SoftBinding
from sdsafe.core.states import (
    Admitted,
    Asset,
    Cleared,
    Encoded,
    Generated,
    InReview,
    Marked,
    Outcome,
    PromptOpening,
    Recorded,
    Signed,
    without_pixels,
)
from sdsafe.errors import (
    AssetError,
    ConfigurationError,
    ObligationError,
    OutputRefusedError,
    RefusedError,
    RepositoryError,
    ReviewError,
    SdsafeError,
    WatermarkError,
)
from sdsafe.gates.guard import run_input_check, run_output_check, run_prompt_check
from sdsafe.gates.hard.gate import is_hard, require_permitted_output, require_permitted_request
from sdsafe.inputs import require_usable
from sdsafe.judgement import MEDIA_TYPE, Judges
from sdsafe.obligations import label
from sdsafe.obligations.blur import blur
from sdsafe.obligations.discharging import undone
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.definition import define
from sdsafe.provenance.manifest.input_check import InputProvenanceCheck
from sdsafe.recovery import settle, withdraw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sdsafe.core.decisions import Decision
    from sdsafe.core.findings import CheckResult
    from sdsafe.core.ids import AssetId
    from sdsafe.core.pixels import Pixels
    from sdsafe.core.plans import Plan
    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.reviews import Case
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
    licences: LicenceGate
    prompt_checks: tuple[PromptCheck, ...]
    output_checks: tuple[OutputCheck, ...] | UnsafeNoOutputCheck
    watermarker: Watermarker
    fingerprinters: tuple[Fingerprinter, ...]
    signer: Signer
    ledger: Ledger
    repository: ManifestRepository
    reviews: Reviews | None = None
    """Where pictures wait for a person; without it, *review* refuses."""
    incidents: Incidents | None = None
    """Where refusals of the hard layer are noted; it refuses without, too."""
    disclosure: PromptDisclosure = PromptDisclosure.FULL
    house: House = field(default_factory=House)

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


class Pipeline:
    """Makes released assets out of requests. What it is made of does not leave it."""

    __slots__ = ("__judges", "__parts")

    def __init__(self, parts: Parts) -> None:
        """Keep the parts; warn when output checks are switched off."""
        self.__parts = parts
        self.__judges = Judges(
            parts.policy, parts.licences, parts.house, checked=parts.checked, reviewed=parts.reviews is not None
        )
        if not parts.checked:
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
        except RefusedError as refusal:
            yield from [release.refused(refusal, Stage.PROMPT)] * request.count
            return
        for index, generated in enumerate(self.__parts.generator.generate(admitted, watch)):
            outcome = self._release(generated, deliver)
            del generated  # a generator that waits shows its frame: no unmarked pixels in it
            yield outcome
            if is_hard(outcome):  # no more of that is made
                yield from [outcome] * (admitted.request.count - index - 1)
                return

    def _release(self, generated: Generated, deliver: Callable[[Recorded], None] | None) -> Outcome:
        generated.pixels.setflags(write=False)  # what one check has seen, no later one changes
        try:
            cleared = self._clear(generated)
            if cleared.plan.people:
                return self._hold(cleared)
            return self._finish(cleared, deliver)
        except RefusedError as refusal:
            return release.refused(refusal, Stage.OUTPUT, generated)

    def _finish(self, cleared: Cleared, deliver: Callable[[Recorded], None] | None) -> Recorded:
        """Carry a cleared image to its caller; also where an approved review goes on."""
        marked = self._mark(cleared)
        encoded = self._encode(marked)
        signed = self._sign(encoded)
        return self._deliver(self._record(signed), deliver)

    def _hold(self, cleared: Cleared) -> InReview:
        """Seal an image that waits for people; nothing of it stays here."""
        generated, decision, reviews = cleared.generated, cleared.judgement, self.__parts.reviews
        if reviews is None:  # the plan asks for people only where they can be asked
            raise OutputRefusedError("there is no review queue", decision=decision, checks=cleared.checks)
        rules = tuple(dict.fromkeys(f"{rule.policy}.{rule.rule}" for rule in release.asking_people(decision)))
        case = reviews.put(
            generated.asset_id, cleared, rules=rules, people=cleared.plan.people, roles=cleared.plan.roles
        )
        return InReview(
            ticket=case.ticket,
            decision=decision,
            checks=cleared.checks,
            asset_id=generated.asset_id,
            seed=generated.seed,
        )

    def resume(self, ticket: str, *, deliver: Callable[[Recorded], None] | None = None) -> Recorded:
        """Release an image that enough people approved: it is marked, signed and recorded now.

        Args:
            ticket: Of the case.
            deliver: As in ``run``.

        Raises:
            ReviewError: There is no such case, or not enough people have approved it.
            SdsafeError: A stage failed; nothing was released, and the case stays approved.
        """
        reviews = self.__parts.reviews
        if reviews is None:
            raise ReviewError("there is no review queue", code="review.none", hint="Set `reviews` in the settings.")
        case = reviews.case(ticket)
        if case.state is not CaseState.APPROVED:
            raise ReviewError(
                f"case {case.ticket} is {case.state}: {len(case.approvals)} of {case.people} people approved",
                code="review.not-approved",
                hint="`sdsafe review show` says what is missing.",
            )
        held = reviews.open(ticket)
        if not isinstance(held, Cleared):
            raise ReviewError(f"case {case.ticket} holds no image", code="review.damaged")
        if self.__parts.repository.has(case.asset_id):
            held = self._under_another_id(held, case)
        recorded = self._finish(replace(held, opinions=case.approvals), deliver)
        reviews.released(ticket)
        return recorded

    def _under_another_id(self, held: Cleared, case: Case) -> Cleared:
        """Return the image under a fresh id: a release of it that could not be delivered keeps the first.

        Raises:
            ReviewError: It was released by a run that was cut off before it could say so.
        """
        parts = self.__parts
        receipt = parts.ledger.prove(case.ticket)
        if receipt is not None and receipt.entry.kind is EntryKind.RELEASED and parts.reviews is not None:
            parts.reviews.released(case.ticket)
            raise ReviewError(f"case {case.ticket} was released already", code="review.closed")
        return replace(held, generated=replace(held.generated, asset_id=self._mint()))

    def _admit(self, request: GenerationRequest) -> Admitted:
        parts, judges = self.__parts, self.__judges
        seed = entropy.mint_seed() if request.seed is None else request.seed
        use = request.intended_use or parts.house.intended_use
        resolved = parts.generator.resolve(replace(request, seed=seed, intended_use=use))
        require_plain(resolved)
        shows_person = judges.shows_person(resolved)
        require_permitted_request(resolved, (), parts.incidents, shows_person=shows_person)
        checks = tuple(run_prompt_check(check, resolved) for check in parts.prompt_checks)
        require_permitted_request(resolved, checks, parts.incidents, shows_person=shows_person)
        decision = judges.request(resolved, checks)
        if resolved.inputs:
            looked = self._look_at_inputs(resolved)
            checks = (*checks, *looked)
            require_permitted_request(resolved, checks, parts.incidents, shows_person=shows_person)
            decision = unite((decision, judges.inputs(resolved, looked)))
        ahead = judges.ahead(resolved, checks)
        release.require_room(parts.watermarker, resolved.size)
        plan = judges.plan((decision, ahead), resolved, resolved.size, parts.disclosure, checks)
        return Admitted(
            request=resolved,
            asset_ids=tuple(self._mint() for _ in range(resolved.count)),
            opening=PromptOpening(mode=plan.disclosure, salt=entropy.mint_salt()),
            decision=decision,
            checks=checks,
            admitted_at=rfc3339(),
        )

    def _look_at_inputs(self, request: GenerationRequest) -> tuple[CheckResult, ...]:
        """Let every check look at every picture that goes in, as it looks at those that come out, and at its manifest."""
        require_usable(request.inputs)
        looking: tuple[OutputCheck | InputProvenanceCheck, ...] = (*_looking(self.__parts), InputProvenanceCheck())
        return tuple(run_input_check(check, image) for image in request.inputs for check in looking)

    def _clear(self, generated: Generated) -> Cleared:
        parts, judges, admitted = self.__parts, self.__judges, generated.admitted
        request, opening = admitted.request, admitted.opening
        size = Size(width=generated.pixels.shape[1], height=generated.pixels.shape[0])
        checks = tuple(run_output_check(check, generated) for check in _looking(parts))
        seen = (*admitted.checks, *checks)
        require_permitted_output(generated, seen, parts.incidents, shows_person=judges.shows_person(request))
        decision = judges.output(request, size, checks)
        export = judges.export(request, size, seen)
        plan = judges.plan((admitted.decision, decision, export), request, size, opening.mode, checks)
        if plan.disclosure is not opening.mode:  # a rule about the output may ask to show less
            opening = replace(opening, mode=plan.disclosure)
            generated = replace(generated, admitted=replace(admitted, opening=opening))
        pixels = generated.pixels
        if plan.blur:
            pixels = self._hide(generated, plan, decision, checks)
        if plan.labels:
            pixels = label.draw(pixels, plan.labels, parts.house.label_font)
        done = (("blur", plan.blur), ("visible_label", plan.labels))
        return Cleared(
            generated=generated,
            pixels=pixels,
            decision=decision,
            export=export,
            plan=plan,
            checks=checks,
            unchecked=not parts.checked,
            actions=tuple(name for name, wanted in done if wanted),
        )

    def _hide(self, generated: Generated, plan: Plan, decision: Decision, checks: tuple[CheckResult, ...]) -> Pixels:
        """Return the picture with what was found hidden, after a second look that asks for nothing more."""
        parts, request = self.__parts, generated.admitted.request
        pixels = blur(generated.pixels, release.hidden_places(plan, decision, checks))
        pixels.setflags(write=False)
        hidden = replace(generated, pixels=pixels)
        again = tuple(run_output_check(check, hidden) for check in _looking(parts))
        size = Size(width=pixels.shape[1], height=pixels.shape[0])
        second = self.__judges.output(request, size, again)
        if any(rule.effect >= Effect.TRANSFORM for rule in release.hiding(second)):
            msg = "what a check saw is still seen after it was hidden"
            raise OutputRefusedError(msg, decision=second, checks=again)
        return pixels

    def _mark(self, cleared: Cleared) -> Marked:
        watermarker, asset_id = self.__parts.watermarker, cleared.generated.asset_id
        (pixels,) = watermarker.embed([cleared.pixels], [asset_id.value])
        if pixels.shape != cleared.pixels.shape:
            raise WatermarkError("the watermarker changed the size of the image")
        binding = SoftBinding(alg=watermarker.alg, value=asset_id.value, kind=BindingKind.WATERMARK)
        return Marked(cleared=cleared, pixels=pixels, watermark=binding, watermark_version=watermarker.version)

    def _encode(self, marked: Marked) -> Encoded:
        parts = self.__parts
        data = release.encode(marked, MEDIA_TYPE, parts.house, parts.licences)
        pixels = images.decode(data)
        if not np.array_equal(pixels, marked.pixels):
            raise AssetError("the encoded file does not decode to the marked pixels", code="asset.readback")
        (readback,) = parts.watermarker.detect([pixels])
        if readback.payload != marked.watermark.value:
            raise WatermarkError(
                "the watermark does not read back from the encoded file; nothing was released",
                code="watermark.readback",
                hint="Try another seed or a larger size; flat pictures carry little.",
            )
        fingerprints = tuple(
            SoftBinding(alg=each.alg, value=each.compute(pixels), kind=BindingKind.FINGERPRINT)
            for each in parts.fingerprinters
        )
        name = f"{marked.cleared.generated.asset_id}.png"
        asset = Asset(data=data, media_type=MEDIA_TYPE, name=name)
        encoded = Encoded(marked=marked, asset=asset, readback=readback, fingerprints=fingerprints)
        shown = release.discharged(encoded, asset, parts.house, parts.licences)
        return replace(encoded, discharges=shown)

    def _sign(self, encoded: Encoded) -> Signed:
        parts, cleared = self.__parts, encoded.marked.cleared
        shown = release.public_file(encoded, parts.licences)
        definition = define(
            shown, generator="sdsafe", version=version("sdsafe"), when=rfc3339(), title=encoded.asset.name
        )
        data, store = _c2pa.sign(encoded.asset, definition, parts.signer)
        asset = replace(encoded.asset, data=data)
        manifest = release.read_back(asset, encoded)
        discharges = release.discharged(encoded, asset, parts.house, parts.licences, manifest=manifest)
        if missing := undone(cleared.plan, discharges):
            msg = f"policy demands what the finished file does not show: {missing}"
            raise ObligationError(msg, decision=cleared.judgement, checks=cleared.checks)
        return Signed(
            encoded=encoded,
            asset=asset,
            manifest_store=store,
            manifest_label=manifest.label,
            discharges=discharges,
        )

    def _record(self, signed: Signed) -> Recorded:
        parts, asset_id = self.__parts, signed.encoded.marked.cleared.generated.asset_id
        record_sha256 = parts.repository.put(signed)
        try:
            receipt = parts.ledger.append(release.entry(EntryKind.RELEASED, signed, record_sha256))
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


def _looking(parts: Parts) -> tuple[OutputCheck, ...]:
    return () if isinstance(parts.output_checks, UnsafeNoOutputCheck) else parts.output_checks
