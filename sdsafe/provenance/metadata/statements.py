"""From an image and its plan to what the file declares, and from a finished file to the proof that it does.

The pipeline calls four functions, two before signing and two after::

    metadata = declare(generated, producer=plan.aigc and plan.aigc.stated, credits=plan.attributions, publisher=...)
    data = embed(images.encode(marked.pixels), "image/png", metadata)
    ...                                                       # sign
    declared = read(signed_asset)                             # from the finished bytes; never raises
    done = discharge(obligation, declared, metadata)          # for each obligation whose code is in OBLIGATIONS

- ``iptc``: source type, system, time and id are declared;
- ``aigc_label(provider, code)``: China's label, whose producer is the code, or the provider where there is no code;
- ``attribution(text)``: the text stands in the credit line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe.core.decisions import Discharge
from sdsafe.core.request import PromptDisclosure, Task
from sdsafe.errors import MetadataError
from sdsafe.provenance.metadata.aigc import AigcLabel
from sdsafe.provenance.metadata.model import DataMining, DigitalSourceType, Metadata, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sdsafe.core.decisions import Obligation
    from sdsafe.core.ids import AssetId
    from sdsafe.core.request import GenerationRequest, ModelRef
    from sdsafe.core.states import Generated
    from sdsafe.provenance.metadata.embedding import Declaration

__all__ = ["OBLIGATIONS", "Publisher", "california_gaps", "declare", "discharge"]

OBLIGATIONS = frozenset({"iptc", "aigc_label", "attribution"})
"""Codes that metadata can meet and that ``discharge`` judges."""

_IS_GENERATED = "1"
_BETWEEN = "; "  # of several credits in one credit line


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """What the operator states about itself and its pictures; everything may be left unsaid."""

    provider: str | None = None
    """Who provides the generating system; California's item A."""
    creators: tuple[str, ...] = ()
    rights: str | None = None
    """Copyright notice."""
    prompt_writer: str | None = None
    """Declared only where the prompt is."""
    data_mining: DataMining | None = None


def declare(
    generated: Generated,
    *,
    producer: str | None = None,
    credits: Iterable[str] = (),  # noqa: A002 - what they are; the builtin of that name is for the interactive prompt
    publisher: Publisher | None = None,
    model: ModelRef | None = None,
) -> Metadata:
    """Return what the file of one image is to declare. Pure: equal arguments give equal metadata.

    Source type, system, time and id are always there. Of the prompt, and of who wrote it, nothing is declared unless
    the disclosure mode is ``full``. Characters that XML cannot hold become U+FFFD.

    Args:
        generated: The image with its request, model, id, disclosure mode and time; its pixels are not looked at.
        producer: Code or name that China's label is to name; None leaves the label out.
        credits: Texts of the credit line, each written once.
        publisher: What the operator states.
        model: Named instead of the one that ran, where its name is private.

    Raises:
        MetadataError: ``metadata.value``: ``producer`` is empty. A label without a producer is none.
    """
    admitted, publisher = generated.admitted, publisher or Publisher()
    request, model = admitted.request, model or generated.execution.model
    full = admitted.opening.mode is PromptDisclosure.FULL
    return Metadata(
        digital_source_type=_source_type(request),
        ai_system=_system(request, model),
        ai_system_version=None if request.task is Task.SIGN else _plain(model.revision or model.digest),
        prompt=plain(_prompt(request)) if full else None,
        prompt_writer=_plain(publisher.prompt_writer) if full else None,
        creators=tuple(map(plain, publisher.creators)),
        rights=_plain(publisher.rights),
        credit=_plain(_BETWEEN.join(dict.fromkeys(filter(None, credits))) or None),
        provider=_plain(publisher.provider),
        created=admitted.admitted_at,
        identifier=str(generated.asset_id),
        data_mining=publisher.data_mining,
        aigc=None if producer is None else _label(producer, generated.asset_id),
    )


def discharge(obligation: Obligation, declared: Declaration, intended: Metadata) -> Discharge:
    """Show from what was read back that an obligation is met; one that is not ours is not met.

    Args:
        obligation: One whose code is in ``OBLIGATIONS``. Parameters that it names must be what the file says;
            those that it leaves open were settled by ``intended``.
        declared: What ``embedding.read`` found in the finished, signed bytes.
        intended: What was put in.
    """
    if declared.metadata is None or declared.problems:
        codes = ", ".join(code for code, _ in declared.problems) or "none found"
        return Discharge(obligation=obligation, evidence=f"no metadata read back: {codes}", ok=False)
    gaps = _gaps(obligation, declared.metadata, intended)
    if gaps:
        return Discharge(obligation=obligation, evidence=f"not declared: {', '.join(gaps)}", ok=False)
    evidence = f"{_SHOWN[obligation.code]} read back from {', '.join(declared.places)}"
    if obligation.code == "iptc":
        lacking = ", ".join(california_gaps(declared.metadata)) or "nothing"
        evidence += f"; California's latent disclosure lacks {lacking}"
    return Discharge(obligation=obligation, evidence=evidence, ok=True)


def california_gaps(metadata: Metadata) -> tuple[str, ...]:
    """Return which items of California's latent disclosure are not declared (Bus. & Prof. Code 22757.3(b)(1)).

    Names as in the registry: ``provider_name``, ``genai_system_name``, ``genai_system_version``,
    ``created_or_altered_time_and_date``, ``unique_identifier``.
    """
    items = {
        "provider_name": metadata.provider,
        "genai_system_name": metadata.ai_system,
        "genai_system_version": metadata.ai_system_version,
        "created_or_altered_time_and_date": metadata.created,
        "unique_identifier": metadata.identifier,
    }
    return tuple(name for name, value in items.items() if not value)


_SHOWN = {
    "iptc": "source type, system, time and id",
    "aigc_label": "AIGC label",
    "attribution": "credit line",
}


def _gaps(obligation: Obligation, found: Metadata, intended: Metadata) -> list[str]:
    match obligation.code:
        case "iptc":
            stated = {
                "source type": found.digital_source_type in set(DigitalSourceType),
                "system": bool(found.ai_system) and found.ai_system == intended.ai_system,
                "time": bool(found.created) and found.created == intended.created,
                "id": bool(found.identifier) and found.identifier == intended.identifier,
            }
        case "aigc_label":
            label = found.aigc or AigcLabel(label="")
            named = plain(_text(obligation, "code") or _text(obligation, "provider"))
            stated = {
                "Label": label.label == _IS_GENERATED,
                "ContentProducer": bool(label.content_producer) and named in {"", label.content_producer},
                "ProduceID": bool(label.produce_id) and label.produce_id == intended.identifier,
            }
        case "attribution":
            text = plain(_text(obligation, "text"))
            stated = {"credit": bool(text) and text in (found.credit or "")}
        case _:
            stated = {obligation.code: False}
    return [name for name, ok in stated.items() if not ok]


def _source_type(request: GenerationRequest) -> DigitalSourceType | None:
    """Return what IPTC calls it: from nothing, with a picture that went in, or that picture without a model.

    A picture that a model made stays one, whatever a fixed algorithm does to it afterwards.
    """
    if not request.by_model:
        said = next((each.made_by_ai for each in request.inputs if each.made_by_ai is not None), None)
        if request.task is Task.SIGN:
            word = None if request.statement is None else request.statement.source_uri
            return next((each for each in DigitalSourceType if each.value == (said or word)), None)
        return DigitalSourceType.ENHANCED if said is None else DigitalSourceType(said)
    if request.task in {Task.GENERATE, Task.AUDIO} and not request.inputs:
        return DigitalSourceType.TRAINED
    return DigitalSourceType.COMPOSITE_WITH_TRAINED


def _system(request: GenerationRequest, model: ModelRef) -> str | None:
    """Return what made it, with everything that was fitted onto it; nobody here knows what made a file of elsewhere."""
    if request.task is Task.SIGN:
        return None
    return plain(" + ".join((model.repo, *(each.repo for each in request.adapters))))


def _prompt(request: GenerationRequest) -> str:
    """Return the prompt; where there are further texts, each in a line of its own with its name."""
    first, *others = request.texts()
    return "\n".join((first[1], *(f"{name}: {text}" for name, text in others)))


def _label(producer: str, asset_id: AssetId) -> AigcLabel:
    if not producer.strip():
        raise MetadataError("the AIGC label needs the code or name of its producer", code="metadata.value")
    return AigcLabel(label=_IS_GENERATED, content_producer=plain(producer), produce_id=str(asset_id))


def _text(obligation: Obligation, name: str) -> str:
    return str(obligation.params.get(name, ""))


def _plain(text: str | None) -> str | None:
    return None if text is None else plain(text)
