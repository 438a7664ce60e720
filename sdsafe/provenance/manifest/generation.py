"""The assertion ``org.sdsafe.generation``: everything needed to repeat a generation and to judge how it was judged.

Its value is canonical JSON in the sense of ``core.canonical``: no floats, so that its digest is the same everywhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sdsafe.core.disclosure import COMMITMENT_ALGORITHM, prompt_commitment
from sdsafe.core.request import PromptDisclosure
from sdsafe.provenance.manifest.envelope import no_recipient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sdsafe.core.decisions import Decision, Discharge, PolicyRef
    from sdsafe.core.findings import CheckResult, Finding
    from sdsafe.core.plans import Demand
    from sdsafe.core.request import AdapterRef, GenerationRequest, InputImage, ModelRef, Scalar
    from sdsafe.core.states import Encoded, EncodedText, Execution, Generated, Marked, NoiseMark

__all__ = ["FORMAT_VERSION", "generation_assertion", "scalar"]

FORMAT_VERSION = 1
"""Raised when a key changes its meaning; new keys do not raise it."""

_FIGURES, _PLAIN = frozenset({"boxes", "range"}), re.compile(r"[-0-9.,;]*")  # parameters that are written as texts


def generation_assertion(encoded: Encoded) -> dict[str, object]:
    """Return the value of ``org.sdsafe.generation`` for an encoded asset.

    What it shows of the prompt follows the disclosure mode; see ``definition``.
    """
    marked = encoded.marked
    cleared = marked.cleared
    generated = cleared.generated
    admitted = generated.admitted
    full = admitted.opening.mode is PromptDisclosure.FULL
    value: dict[str, object] = {
        "version": FORMAT_VERSION,
        "asset_id": str(generated.asset_id),
        "admitted_at": admitted.admitted_at,
        **_content(generated),
        "seed": generated.seed,
        **_asked(admitted.request, full=full),
        **_fitted(generated.execution),
        **_ran(generated.execution, admitted.request.scheduler),
        "prompt": _prompt(encoded),
        "policies": [_policy(ref) for ref in cleared.judgement.policy],
        "decisions": {
            "prompt": _decision(admitted.decision, full=full),
            "output": _decision(cleared.decision, full=full),
            "export": _decision(cleared.export, full=full),
        },
        "obligations": [_obligation(demand, encoded.discharges) for demand in cleared.plan.demands],
        "checks": [_check(result, full=full) for result in (*admitted.checks, *cleared.checks)],
        "watermark": _watermark(marked),
        "fingerprints": [{"alg": each.alg, "value": each.value.hex()} for each in encoded.fingerprints],
    }
    if cleared.not_applicable:
        value["checks_not_applicable"] = list(cleared.not_applicable)
    if generated.execution.noise_mark is not None:
        value["noise_mark"] = _noise_mark(generated.execution.noise_mark)
    if cleared.actions:
        value["edits"] = list(cleared.actions)  # not "actions": validators take every such key for an actions assertion
    if cleared.opinions:
        value["review"] = {"approvals": len(cleared.opinions), "last_at": cleared.opinions[-1].at}
    if cleared.unchecked:
        value["unchecked"] = True
    return value


def scalar(value: Scalar | None) -> str | int | bool | None:
    """Return a value as the manifest holds it: floats as ``repr``, everything else as it is."""
    return repr(float(value)) if isinstance(value, float) else value  # float(): numpy's repr names its type


def _content(generated: Generated) -> dict[str, object]:
    """Return what was made: its digest before anything was done to it, and how large it is."""
    sound = generated.sound
    if sound is not None:
        measures = {"rate": sound.rate, "channels": sound.channels, "samples": len(sound.samples)}
        return {"sound_sha256": sound.sha256, "sound": {**measures, "seconds": scalar(sound.seconds)}}
    height, width = generated.pixels.shape[:2]
    return {"pixels_sha256": generated.pixels_sha256, "size": {"width": width, "height": height}}


def _watermark(marked: Marked) -> dict[str, object]:
    if marked.watermark is None:
        why = "nothing here marks sounds" if marked.cleared.generated.sound is not None else "that was asked for"
        what = "no audio watermark" if marked.cleared.generated.sound is not None else "no watermark"
        return {"not_applied": f"{what} was applied: {why}"}
    return {"alg": marked.watermark.alg, "version": marked.watermark_version}


def _noise_mark(mark: NoiseMark) -> dict[str, object]:
    """Return what the initial noise carries, or why it carries nothing although that was asked for."""
    named: dict[str, object] = {"alg": mark.alg, "version": mark.version}
    if not mark.shape:
        return {**named, "not_applied": mark.why_not}
    shape = "x".join(map(str, mark.shape))  # no list: those come back as base64
    carried = None if mark.asset_id is None else str(mark.asset_id)
    return {**named, "key_id": mark.key_id, "shape": shape, **_given(asset_id=carried)}


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _asked(request: GenerationRequest, *, full: bool) -> dict[str, object]:
    asked = _given(
        task=request.task.value,
        steps=request.steps,
        guidance=scalar(request.guidance),
        intended_use=request.intended_use,
        seconds=scalar(request.seconds),
    )
    # A string parameter may be a text that some pipeline encodes: only its name is public unless the prompt is.
    shown = {name: scalar(each) for name, each in request.parameters.items() if full or not _may_be_text(name, each)}
    withheld = sorted(set(request.parameters) - set(shown))
    asked["parameters"] = dict(sorted(shown.items()))
    if withheld:
        asked["parameters_withheld"] = withheld
    if request.inputs:
        asked["inputs"] = [_input(each) for each in request.inputs]
    return asked


def _may_be_text(name: str, value: Scalar) -> bool:
    return isinstance(value, str) and not (name in _FIGURES and _PLAIN.fullmatch(value))


def _fitted(execution: Execution) -> dict[str, object]:
    return {"adapters": [_adapter(each) for each in execution.adapters]} if execution.adapters else {}


def _ran(execution: Execution, asked: str | None) -> dict[str, object]:
    return {
        "model": _model(execution.model),
        **({"unvouched": list(execution.unvouched)} if execution.unvouched else {}),
        "scheduler": _given(name=execution.scheduler, asked=asked, config_sha256=execution.scheduler_digest),
        "environment": {
            "libraries": dict(sorted(execution.libraries.items())),
            "device": execution.device,
            "dtype": execution.dtype,
            "threads": execution.threads,
            **_memory(execution),
        },
    }


def _memory(execution: Execution) -> dict[str, object]:
    """Return how the model was laid out over the memory, and how much was used; the estimate stands beside it."""
    placement, peak = execution.placement, execution.peak
    stated: dict[str, object] = {}
    if placement is not None:
        stated["placement"] = _given(
            offload=placement.offload.value,
            attention_slicing=placement.attention_slicing or None,
            tiling=placement.tiling or None,
            budget=placement.budget,
            expected=placement.expected,
            reason=placement.reason or None,
        )
    if peak is not None:
        stated["peak_memory"] = {"bytes": peak.used, "before": peak.before, "of": peak.of}
    return stated


def _model(model: ModelRef) -> dict[str, object]:
    files = [{"name": each.name, "size": each.size, "sha256": each.sha256} for each in model.files]
    described = _given(
        id=model.repo,
        revision=model.revision,
        digest=model.digest,
        pipeline=model.pipeline,
        license=model.license,
    )
    return {**described, "files": files}


def _input(image: InputImage) -> dict[str, object]:
    height, width = image.pixels.shape[:2]
    size = {"width": width, "height": height}
    stated: dict[str, object] = {
        "role": image.role,
        "sha256": image.sha256,
        "media_type": image.media_type,
        "size": size,
    }
    if image.origin is None:
        return stated
    origin = {"asset_id": image.origin.asset_id, "found_by": image.origin.found_by}
    if image.origin.manifest_store is not None:
        origin["manifest"] = "recovered"  # the file had none any more
    return {**stated, "origin": origin}


def _adapter(adapter: AdapterRef) -> dict[str, object]:
    return _given(
        kind=adapter.kind,
        id=adapter.repo,
        file=adapter.file,
        weight=scalar(adapter.weight),
        revision=adapter.revision,
        digest=adapter.digest,
        license=adapter.license,
    )


def _prompt(encoded: Encoded) -> dict[str, object]:
    generated = encoded.marked.cleared.generated
    admitted = generated.admitted
    opening = admitted.opening
    match opening.mode:
        case PromptDisclosure.FULL:
            shown: dict[str, object] = {"disclosure": "full", "texts": dict(admitted.request.texts())}
            if cuts := [_cut(each) for each in generated.execution.encoded if each.cut]:
                shown["cut"] = cuts  # what the model read of it; as secret as the prompt, so only here
            return shown
        case PromptDisclosure.COMMIT:
            commitment = prompt_commitment(admitted.request, opening.salt)
            return {"disclosure": "commit", "algorithm": COMMITMENT_ALGORITHM, "commitment": commitment}
        case PromptDisclosure.ENCRYPTED:
            if encoded.sealed is None:
                raise no_recipient()
            commitment = prompt_commitment(admitted.request, opening.salt)
            stated = {"disclosure": "encrypted", "algorithm": COMMITMENT_ALGORITHM, "commitment": commitment}
            return {**stated, "envelope": dict(encoded.sealed)}
        case PromptDisclosure.OMIT:
            return {"disclosure": "omit"}


def _cut(encoded: EncodedText) -> dict[str, object]:
    return {
        "text": encoded.name,
        "encoder": encoded.encoder,
        "tokens": encoded.tokens,
        "limit": encoded.limit,
        "read": encoded.text,
    }


def _policy(ref: PolicyRef) -> dict[str, object]:
    return {"id": ref.id, "version": ref.version, "digest": ref.digest}


def _decision(decision: Decision, *, full: bool) -> dict[str, object]:
    rules = [
        _given(
            rule=rule.rule,
            policy=rule.policy,
            effect=rule.effect.label,
            citation=rule.citation or None,
            because=(rule.because or None) if full else None,
            obligations=[each.code for each in rule.obligations] or None,
        )
        for rule in decision.fired
    ]
    stated: dict[str, object] = {"effect": decision.effect.label, "rules": rules}
    if decision.obligations:
        stated["obligations"] = [each.code for each in decision.obligations]
    if decision.errors:
        stated["errors"] = len(decision.errors)  # their texts are for the private record
    return stated


def _obligation(demand: Demand, discharges: Iterable[Discharge]) -> dict[str, object]:
    """Return an obligation with who demands it and what of the file shows it; without evidence the manifest itself does."""
    obligation = demand.obligation
    shown = next((each.evidence for each in discharges if each.obligation == obligation and each.ok), None)
    return _given(
        code=obligation.code,
        parameters=dict(sorted(obligation.params.items())) or None,
        demanded_by=list(dict.fromkeys(f"{rule.policy}/{rule.rule}" for rule in demand.rules)),
        evidence=shown,
    )


def _check(result: CheckResult, *, full: bool) -> Mapping[str, object]:
    return {
        "name": result.check,
        "version": result.version,
        "stage": result.stage.value,
        "status": result.status.value,
        "findings": list(_findings(result.findings, full=full)),
    }


def _findings(findings: Iterable[Finding], *, full: bool) -> Iterator[Mapping[str, object]]:
    for finding in findings:
        # Span and data are never shown: where a term stood, and which one it was, is the prompt by other means.
        yield _given(
            code=finding.code,
            severity=finding.severity.value,
            category=finding.category,
            score=scalar(finding.score),
            explanation=(finding.explanation or None) if full else None,
        )
