"""One duty for each code: what stands in its way before generation, and what of the finished file shows it done.

An answer from ``show`` is evidence; an empty one means that nothing was shown, and nothing is released.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from sdsafe.core.findings import CheckStatus
from sdsafe.core.obligations import CORNERS, LABEL_TEXT
from sdsafe.core.plans import AigcProvider, Label
from sdsafe.core.request import PromptDisclosure
from sdsafe.obligations import label
from sdsafe.obligations.blur import is_blurred
from sdsafe.obligations.means import attested_form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sdsafe.obligations.means import Finished, Means

    Params: TypeAlias = Mapping[str, str | int | bool]

__all__ = ["DISCLOSURES", "DUTIES", "Duty", "Obstacle", "aigc_provider", "label_of", "people_of", "roles_of"]

DISCLOSURES = (
    PromptDisclosure.FULL,
    PromptDisclosure.ENCRYPTED,
    PromptDisclosure.COMMIT,
    PromptDisclosure.OMIT,
)
"""From what shows most of the prompt to what shows least."""

_TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why an obligation cannot be met here, and what to do about it."""

    says: str
    hint: str
    review: bool = False
    """True: a person is needed, whom nothing here can ask yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """How one kind of obligation is planned and shown."""

    obstacle: Callable[[Params, Means], Obstacle | None]
    show: Callable[[Params, Finished], str]
    signed: bool = False
    """True: only the signed file shows it."""
    declared: bool = False
    """True: the file's metadata show it, and who reads metadata answers."""
    pictures: bool = False
    """True: only a picture can meet it, so that a sound is refused where it is demanded."""


def label_of(params: Params) -> Label:
    """Return the label that ``visible_label`` asks for."""
    return Label(text=str(params.get("text", LABEL_TEXT)), corner=str(params.get("corner", CORNERS[0])))


def aigc_provider(params: Params, means: Means) -> AigcProvider:
    """Return whom ``aigc_label`` names: what the rule says, else what the organisation says about itself."""
    own = means.organisation
    name, code = params.get("provider", own.name or ""), params.get("code", own.code or "")
    return AigcProvider(name=str(name), code=str(code))


def people_of(params: Params) -> int:
    """Return how many people ``human_review`` asks for."""
    return int(params.get("count", 1))


def roles_of(params: Params) -> tuple[str, ...]:
    """Return the roles that ``human_review`` asks for; none: anybody."""
    return tuple(role.strip() for role in str(params.get("roles", "")).split(",") if role.strip())


def _nothing(_params: Params, _means: Means) -> None:
    return None


def _watermark(_params: Params, finished: Finished) -> str:
    read, written = finished.readback, finished.watermark
    if read is None or written is None or read.payload != written:
        return ""
    return f"{read.alg} read back from the decoded file"


def _no_timestamp(params: Params, means: Means) -> Obstacle | None:
    if means.stamped or not params.get("timestamp"):
        return None
    return Obstacle(
        says="no time-stamp authority is configured",
        hint="Set `timestamp_authorities` in the settings, or leave the pack out.",
    )


def _signed(params: Params, finished: Finished) -> str:
    manifest = finished.manifest
    if manifest is None:
        return ""
    shown = f"manifest {manifest.label} read back as valid"
    if not params.get("timestamp"):
        return shown
    return f"{shown}, time-stamped {manifest.stamped_at}" if manifest.stamped_at else ""


def _no_provider(params: Params, means: Means) -> Obstacle | None:
    if aigc_provider(params, means).stated:
        return None
    return Obstacle(
        says="nobody has said who provides the service",
        hint="Set `code` or `name` in the table [organisation] of the settings.",
    )


def _no_label(params: Params, means: Means) -> Obstacle | None:
    wanted = label_of(params)
    if missing := label.unwritable(wanted.text, means.label_font):
        return Obstacle(
            says=f"the {'built-in ' if means.label_font is None else ''}font has no sign for {missing!r}",
            hint="Set label_font in the settings to a font that has, such as Noto Sans CJK.",
        )
    if means.size and (why := label.misfit([wanted], means.size.width, means.size.height, means.label_font)):
        return Obstacle(says=f"the label does not fit: {why}", hint="Ask for a larger --size.")
    return None


def _label(params: Params, finished: Finished) -> str:
    return label.legible(finished.pixels, label_of(params), finished.labels, finished.label_font)


def _no_person(_params: Params, means: Means) -> Obstacle | None:
    if means.reviewed:
        return None
    return Obstacle(
        says="a person has to look first, and there is no review queue here",
        hint="Leave the pack out, or have the picture made where people review.",
        review=True,
    )


def _approved(params: Params, finished: Finished) -> str:
    wanted, roles = people_of(params), roles_of(params)
    fitting = [each for each in finished.opinions if each.approves and (not roles or each.role in roles)]
    # Names stay in the private record; the ledger has a digest of what was said.
    return f"approved by {len(fitting)} of {wanted} people, last at {fitting[-1].at}" if len(fitting) >= wanted else ""


def _blurred(_params: Params, finished: Finished) -> str:
    if finished.blurred is None or not is_blurred(finished.pixels, finished.blurred):
        return ""
    return "the decoded pixels are those that were hidden; a second look asked for nothing more"


def _not_shown(_params: Params, _finished: Finished) -> str:
    return ""


def _no_classifier(_params: Params, means: Means) -> Obstacle | None:
    if means.checked or means.reviewed:
        return None
    return Obstacle(says="no classifier will look", hint="Leave --unsafe-unchecked out.", review=True)


def _classified(_params: Params, finished: Finished) -> str:
    measured = [
        f"{each.check} {each.version}"
        for each in finished.checks
        if each.status is CheckStatus.OK and any(found.score is not None for found in each.findings)
    ]
    if measured:
        return f"measured by {', '.join(measured)}"
    return _approved({}, finished)


def _too_few_pixels(params: Params, means: Means) -> Obstacle | None:
    if means.size is None or means.size.width * means.size.height >= _pixels(params):
        return None
    return Obstacle(
        says=f"{means.size} has {means.size.width * means.size.height / 1e6:.2f} megapixels, {params['value']} are asked for",
        hint="Ask for a larger --size; pictures that were enlarged afterwards may not count.",
    )


def _enough_pixels(params: Params, finished: Finished) -> str:
    height, width = finished.pixels.shape[:2]
    return f"the decoded file has {width}x{height} pixels" if width * height >= _pixels(params) else ""


def _pixels(params: Params) -> int:
    return int(params["value"]) * 1_000_000


def _shows_too_little(params: Params, means: Means) -> Obstacle | None:
    asked = PromptDisclosure(str(params["mode"]))
    if asked is PromptDisclosure.ENCRYPTED and not means.sealed:
        return Obstacle(
            says="the prompt would have to be encrypted, and no auditor's key is configured",
            hint="Set `disclosure_recipient` to the PEM file of an X25519 or RSA public key, or give --disclose-to.",
        )
    if asked in DISCLOSURES[DISCLOSURES.index(means.disclosure) :]:
        return None  # less is shown than the caller would: that is done without asking
    return Obstacle(
        says=f"the prompt would have to be shown ({asked.value}), and you chose {means.disclosure.value}",
        hint=f"Choose --prompt-disclosure {asked.value}, or leave the pack out.",
    )


def _disclosed(params: Params, finished: Finished) -> str:
    prompt = finished.manifest.generation.get("prompt") if finished.manifest else None
    mode = prompt.get("disclosure") if isinstance(prompt, dict) else None
    return f"the manifest shows the prompt as {mode}" if mode == params["mode"] else ""


def _no_form(params: Params, means: Means) -> Obstacle | None:
    kind = str(params.get("kind", ""))
    if attested_form(kind, means.attestations):
        return None
    return Obstacle(
        says=f"nobody vouches for a signed {kind} release".replace("  ", " "),
        hint=f"Vouch for it with --attest release_form{':' + kind if kind else ''}=ID, the ID being that of your form.",
    )


def _form(params: Params, finished: Finished) -> str:
    # The id stays in the private record: it may name a person.
    return "attested by the caller" if attested_form(str(params.get("kind", "")), finished.attestations) else ""


def _says_so(_params: Params, finished: Finished) -> str:
    types = finished.manifest.source_types if finished.manifest else ()
    return "the manifest names trainedAlgorithmicMedia" if _TRAINED in types else ""


DUTIES: Mapping[str, Duty] = MappingProxyType(
    {
        "watermark": Duty(obstacle=_nothing, show=_watermark, pictures=True),
        "sign_c2pa": Duty(obstacle=_no_timestamp, show=_signed, signed=True),
        "iptc": Duty(obstacle=_nothing, show=_not_shown, declared=True, pictures=True),
        "aigc_label": Duty(obstacle=_no_provider, show=_not_shown, declared=True, pictures=True),
        "visible_label": Duty(obstacle=_no_label, show=_label, pictures=True),
        "human_review": Duty(obstacle=_no_person, show=_approved),
        "blur": Duty(obstacle=_nothing, show=_blurred, pictures=True),
        "classifier_or_review": Duty(obstacle=_no_classifier, show=_classified, pictures=True),
        "attribution": Duty(obstacle=_nothing, show=_not_shown, declared=True, pictures=True),
        "min_megapixels": Duty(obstacle=_too_few_pixels, show=_enough_pixels, pictures=True),
        "prompt_disclosure": Duty(obstacle=_shows_too_little, show=_disclosed, signed=True),
        "release_form": Duty(obstacle=_no_form, show=_form),
        "disclosure": Duty(obstacle=_nothing, show=_says_so, signed=True),
    }
)
"""Every obligation that can be planned, by its code."""
