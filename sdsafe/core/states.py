"""The states an image or a sound goes through. Each noun proves what happened before it.

``mark()`` takes a ``Cleared``, not an array: the wrong order does not type-check.
A sound goes the same way: ``Generated.sound`` holds it, and every array of pixels beside it is empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from sdsafe.core.decisions import unite
from sdsafe.core.pixels import nothing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.decisions import Decision, Discharge
    from sdsafe.core.findings import CheckResult, Stage
    from sdsafe.core.ids import AssetId
    from sdsafe.core.pixels import Pixels
    from sdsafe.core.placement import MemoryPeak, Placement
    from sdsafe.core.plans import Plan
    from sdsafe.core.receipts import Receipt
    from sdsafe.core.request import AdapterRef, GenerationRequest, ModelRef, PromptDisclosure
    from sdsafe.core.reviews import Opinion
    from sdsafe.core.softbinding import Detection, SoftBinding
    from sdsafe.core.sound import Sound

__all__ = [
    "Admitted",
    "Asset",
    "Cleared",
    "Encoded",
    "EncodedText",
    "Execution",
    "Generated",
    "InReview",
    "Marked",
    "NoiseMark",
    "Outcome",
    "PromptOpening",
    "Recorded",
    "Refused",
    "Signed",
    "without_pixels",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """File bytes with their media type; ``name`` is for people and may be empty."""

    data: bytes = field(repr=False)
    media_type: str
    name: str = ""
    sidecar: bytes | None = field(default=None, repr=False)
    """Manifest store that stands beside the file, where none is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptOpening:
    """How the prompt is disclosed, and the salt that opens the commitment."""

    mode: PromptDisclosure
    salt: bytes = field(repr=False)
    """32 random bytes, kept in the private record only."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Admitted:
    """A request that policy let pass, with everything resolved that must be known before the first step."""

    request: GenerationRequest
    """Seed, size, steps, guidance and scheduler are no longer None."""
    asset_ids: tuple[AssetId, ...]
    """One per image, minted here because an in-generation mark needs it before the first step."""
    opening: PromptOpening = field(repr=False)
    decision: Decision
    checks: tuple[CheckResult, ...]
    admitted_at: str
    """RFC 3339, UTC, whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedText:
    """What one text encoder read of one text of the request. It is as secret as the text itself."""

    name: str
    """Of the request's field."""
    encoder: str
    """Name of the pipeline's component that cuts it into tokens."""
    tokens: int
    """Of the whole text, without those that mark begin and end."""
    limit: int
    """How many of them the encoder reads."""
    text: str = field(repr=False)
    """The text up to the last token that is read, which may end within a word; spelt as it was given."""

    @property
    def cut(self) -> bool:
        """Say whether the encoder did not read all of it."""
        return self.tokens > self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseMark:
    """What became of the mark in the initial noise of a picture, where one is asked for."""

    alg: str
    version: str
    key_id: str = ""
    """Names the key of the mark and says nothing else about it; empty where there is no mark."""
    shape: tuple[int, ...] = ()
    """Of the noise that carries the id of the picture; empty: there is no such mark in it."""
    why_not: str = ""
    """In words, where there is none."""
    asset_id: AssetId | None = None
    """The id that it carries, where the picture was released under a later one; None: that of the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What actually ran: enough to repeat it."""

    model: ModelRef
    device: str
    dtype: str
    scheduler: str
    scheduler_digest: str
    """SHA-256 of the scheduler's configuration as canonical JSON."""
    libraries: Mapping[str, str]
    """Name to version."""
    threads: int
    ms: float
    encoded: tuple[EncodedText, ...] = ()
    """The effective prompt, for encoders whose limit is known."""
    placement: Placement | None = None
    """How the model was laid out over the memory; None: nobody says."""
    peak: MemoryPeak | None = None
    """The memory that was used, where the device says."""
    adapters: tuple[AdapterRef, ...] = ()
    """Complete, as ``model`` is."""
    unvouched: tuple[str, ...] = ()
    """What this record cannot vouch for, in words: of a pipeline that somebody else had configured."""
    noise_mark: NoiseMark | None = None
    """None: nobody asked for one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Generated:
    """One image or sound as the model made it. It has not been looked at and must not leave."""

    admitted: Admitted
    index: int
    asset_id: AssetId
    seed: int
    pixels: Pixels = field(repr=False)
    pixels_sha256: str
    """Of these pixels, before marking: what a replay compares. Empty where there is a sound, which has its own."""
    execution: Execution
    sound: Sound | None = None
    """What was made where that is no picture; ``pixels`` is empty then."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cleared:
    """An image that was looked at and that policy lets out (possibly changed, then ``actions`` says how)."""

    generated: Generated
    pixels: Pixels = field(repr=False)
    decision: Decision
    """Of the output gate."""
    export: Decision
    """Of the rules about the file and what it is for."""
    plan: Plan
    """How every obligation of all decisions is met; what changes the picture is done already."""
    checks: tuple[CheckResult, ...]
    """Output checks; the prompt checks are in ``generated.admitted``."""
    unchecked: bool = False
    """True only under ``UnsafeNoOutputCheck``; it is signed into the manifest."""
    actions: tuple[str, ...] = ()
    opinions: tuple[Opinion, ...] = ()
    """Of the people who approved it, where it had to wait for them."""
    not_applicable: tuple[str, ...] = ()
    """Output checks that look at pictures only, where there is none: they said nothing about this."""

    @property
    def judgement(self) -> Decision:
        """All decisions about this image, united."""
        return unite((self.generated.admitted.decision, self.decision, self.export))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Marked:
    """An image that carries its asset id as an invisible watermark; a sound, which carries none."""

    cleared: Cleared
    pixels: Pixels = field(repr=False)
    watermark: SoftBinding | None
    """None: it is a sound, which nothing here marks."""
    watermark_version: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """File bytes. From here on nothing may touch the pixels."""

    marked: Marked
    asset: Asset
    readback: Detection | None
    """What the detector read from the decoded bytes; None where there is no mark to read."""
    fingerprints: tuple[SoftBinding, ...]
    """Computed from the decoded bytes; none of a sound."""
    discharges: tuple[Discharge, ...] = ()
    """What these bytes show already; the manifest repeats it."""
    sealed: Mapping[str, object] | None = None
    """The envelope with the prompt, where that is sealed for an auditor."""

    @property
    def soft_bindings(self) -> tuple[SoftBinding, ...]:
        """What leads back to the manifest once it is gone: the mark, then the fingerprints."""
        mark = self.marked.watermark
        return ((mark,) if mark is not None else ()) + self.fingerprints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signed:
    """File bytes with a C2PA manifest that was read back and found intact."""

    encoded: Encoded
    asset: Asset
    manifest_store: bytes = field(repr=False)
    """The C2PA manifest store inside ``asset`` (JUMBF), as the repository keeps it."""
    manifest_label: str
    """Label of the active manifest, ``urn:c2pa:...``."""
    discharges: tuple[Discharge, ...] = ()
    """Of every obligation, from the signed bytes."""


def without_pixels(signed: Signed) -> Signed:
    """Return the state without any picture or sound but the signed file itself.

    What is released goes to the caller with its whole history; the unmarked and the unsigned picture must not be
    part of it. Their arrays are empty afterwards, their file has no bytes.
    """
    encoded = signed.encoded
    marked = encoded.marked
    cleared = marked.cleared
    none, sound = nothing(), cleared.generated.sound
    generated = replace(cleared.generated, pixels=none, sound=None if sound is None else sound.emptied())
    marked = replace(marked, cleared=replace(cleared, generated=generated, pixels=none), pixels=none)
    return replace(signed, encoded=replace(encoded, marked=marked, asset=replace(encoded.asset, data=b"")))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recorded:
    """A released asset: recorded in repository and ledger, receipt in hand; its states hold no pixels any more."""

    signed: Signed
    receipt: Receipt

    @property
    def asset(self) -> Asset:
        """The released file."""
        return self.signed.asset

    @property
    def generated(self) -> Generated:
        """The state it was generated in."""
        return self.signed.encoded.marked.cleared.generated

    @property
    def asset_id(self) -> AssetId:
        """The id that its watermark carries."""
        return self.generated.asset_id

    @property
    def seed(self) -> int:
        """The seed that this very image was generated from."""
        return self.generated.seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An image, or a whole request, that policy did not let out. There is no picture, not even a black one."""

    stage: Stage
    decision: Decision
    checks: tuple[CheckResult, ...]
    reason: str
    """Stable code: ``refused.prompt``, ``refused.input``, ``refused.output``, ``refused.export``, ``refused.obligation``,
    ``refused.review``, or ``hard.`` and a category: then there are no findings, and neither seed nor asset id."""
    message: str
    hint: str = ""
    """What to do about it, where there is something."""
    asset_id: AssetId | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InReview:
    """An image that waits for a person."""

    ticket: str
    decision: Decision
    checks: tuple[CheckResult, ...]
    asset_id: AssetId
    seed: int


Outcome: TypeAlias = Recorded | Refused | InReview
"""What became of one image."""
