"""The slots that a plug-in may fill.

At every slot an image is ``Pixels``: a ``uint8`` RGB array of shape (height, width, 3).
Files, modes, ICC profiles and EXIF are dealt with once, in ``_internal.images``.

A plug-in is a class behind an entry point. ``plugins.load`` makes an instance: with ``configure(places,
options)`` where the class has it, else by calling the class with the options as keyword arguments.
So the smallest plug-in is a class without arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from sdsafe.core.context import JudgementContext
    from sdsafe.core.decisions import Decision, PolicyRef
    from sdsafe.core.dossier import Dossier
    from sdsafe.core.findings import CheckResult, Finding, Stage
    from sdsafe.core.ids import AssetId
    from sdsafe.core.pixels import Pixels
    from sdsafe.core.places import Places
    from sdsafe.core.receipts import LedgerEntry, Receipt
    from sdsafe.core.report import Evidence
    from sdsafe.core.request import GenerationRequest, InputImage
    from sdsafe.core.reviews import Case, Opinion
    from sdsafe.core.softbinding import Detection, NoiseMatch, SoftBinding
    from sdsafe.core.states import Admitted, Asset, Generated, Signed

__all__ = [
    "Configurable",
    "Demanding",
    "Discriminating",
    "Fingerprinter",
    "Generator",
    "InputCheck",
    "Invertible",
    "Ledger",
    "Legible",
    "ManifestRepository",
    "Named",
    "NoiseMarker",
    "OutputCheck",
    "PolicyEngine",
    "Probe",
    "PromptCheck",
    "Reviews",
    "Signer",
    "Sized",
    "SoundCheck",
    "StoredManifest",
    "TimeStamper",
    "Unavailable",
    "Watch",
    "Watermarker",
]


class Unavailable(Exception):  # noqa: N818 - a state of the check, not a fault of the caller
    """Raised by a check that cannot run here (weights not pulled, wrong hash): status ``unavailable``.

    The message names what is missing and how to get it, and never a prompt or a path.
    """


@runtime_checkable
class Configurable(Protocol):
    """**Protocol:** a plug-in class that wants to know where things are kept."""

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Return an instance; ``PluginError`` for an option it does not know."""
        ...


class Watch(Protocol):
    """**Protocol:** how a caller follows generation, and stops it. It never sees pixels, latents or the pipe."""

    def step(self, image: int, step: int, total: int) -> None:
        """Be told that step ``step`` of ``total`` (both from 1) of image ``image`` (from 0) is done."""
        ...

    def cancelled(self) -> bool:
        """Say whether to stop; asked after every step."""
        ...


class PromptCheck(Protocol):
    """**Protocol:** looks at every text of a request and reports what it sees."""

    @property
    def name(self) -> str:
        """Stable name, recorded in the manifest."""
        ...

    @property
    def version(self) -> str:
        """Version of code and data together, recorded in the manifest."""
        ...

    def check(self, request: GenerationRequest, /) -> Iterable[Finding]:
        """Return findings; raise ``Unavailable`` when it cannot look."""
        ...


class OutputCheck(Protocol):
    """**Protocol:** looks at one generated image and reports scores. It never decides and never changes it."""

    @property
    def name(self) -> str:
        """Stable name, recorded in the manifest."""
        ...

    @property
    def version(self) -> str:
        """Version of code and weights together, recorded in the manifest."""
        ...

    def check(self, generated: Generated, /) -> Iterable[Finding]:
        """Return at least one scored finding; raise ``Unavailable`` when it cannot look.

        Returning nothing is an error, not a pass: a check that looked says what it measured.
        """
        ...


class SoundCheck(OutputCheck, Protocol):
    """**Protocol:** looks at one generated sound and reports scores, as an ``OutputCheck`` does at pictures.

    It is asked with ``generated.sound``; ``generated.pixels`` is empty. Checks of pictures are never asked about a
    sound, and the manifest says which they were.
    """


class Named(Protocol):
    """**Protocol:** what every check says of itself."""

    @property
    def name(self) -> str:
        """Stable name, recorded in the manifest."""
        ...

    @property
    def version(self) -> str:
        """Version of code and data together, recorded in the manifest."""
        ...


@runtime_checkable
class InputCheck(Protocol):
    """**Protocol:** what an output check offers besides where it can also look at pictures that go in.

    Without it, a request with pictures is refused: what nobody looked at is not a pass.
    """

    def check_input(self, image: InputImage, /) -> Iterable[Finding]:
        """Return at least one scored finding of stage ``INPUT``; raise ``Unavailable`` when it cannot look."""
        ...


class PolicyEngine(Protocol):
    """**Protocol:** turns findings into a decision."""

    @property
    def refs(self) -> tuple[PolicyRef, ...]:
        """The packs that judge; never empty."""
        ...

    def judge(self, stage: Stage, context: JudgementContext, results: Sequence[CheckResult], /) -> Decision:
        """Evaluate every rule of ``stage`` over the results and the context; the most severe effect wins.

        A check that is not ``ok``, and an empty list of results, are denied: unknown is not a pass.
        """
        ...

    def preview(self, stage: Stage, context: JudgementContext, results: Sequence[CheckResult], /) -> Decision:
        """Say what the rules of a later stage say already; those that cannot be answered yet are ``undecided``."""
        ...


class Generator(Protocol):
    """**Protocol:** owns a diffusion pipeline and makes images from admitted requests."""

    def resolve(self, request: GenerationRequest, /) -> GenerationRequest:
        """Fill in what the caller left open (size, steps, guidance, scheduler, model identity) and validate.

        Cheap: no weights are downloaded or loaded; of a hub model that is not in the cache, its description is
        fetched (a few KB of JSON). The seed is resolved by the pipeline, not here.

        Raises:
            RequestError: An argument is unknown, out of range or not allowed for this model's family.
        """
        ...

    def generate(self, admitted: Admitted, /, watch: Watch | None = None) -> Iterator[Generated]:
        """Yield one ``Generated`` per asset id, in order, each from its own seed.

        Raises:
            CancelledError: ``watch.cancelled()`` said so; the image under way is dropped.
            GenerationError: The model could not be loaded, or produced no finite image.
        """
        ...


class Watermarker(Protocol):
    """**Protocol:** writes a payload into pixels and reads it back, blind."""

    @property
    def alg(self) -> str:
        """Name of the algorithm, as it appears in manifests."""
        ...

    @property
    def version(self) -> str:
        """Version of the implementation."""
        ...

    @property
    def capacity_bits(self) -> int:
        """Payload size in bits, a multiple of 8."""
        ...

    def embed(self, images: Sequence[Pixels], payloads: Sequence[bytes], /) -> list[Pixels]:
        """Return marked copies; never an unmarked one.

        Args:
            images: Pictures, each (H, W, 3) ``uint8``; not changed.
            payloads: One per picture, ``capacity_bits // 8`` bytes each.

        Raises:
            WatermarkError: A picture cannot carry the mark (too small, or it does not read back).
        """
        ...

    def detect(self, images: Sequence[Pixels], /) -> list[Detection]:
        """Return one detection per image; an unmarked image gives ``payload=None``."""
        ...


@runtime_checkable
class Sized(Protocol):
    """**Protocol:** what a watermarker may offer besides: it knows before generation which sizes have room."""

    def check_size(self, width: int, height: int, /) -> None:
        """Return if a picture of this size in pixels has room for the mark; else raise what ``embed`` would.

        Raises:
            WatermarkError: ``watermark.too-small``.
        """
        ...


@runtime_checkable
class Legible(Protocol):
    """**Protocol:** what a watermarker may offer besides: it knows which sizes are too small to look for a mark in."""

    def check_legible(self, width: int, height: int, /) -> None:
        """Return if a picture of this size can be read; else ``detect`` says nothing about it.

        Raises:
            WatermarkError: ``watermark.too-small``.
        """
        ...


class NoiseMarker(Protocol):
    """**Protocol:** draws a diffusion model's initial noise so that it carries an asset id, and reads it back. Pure."""

    @property
    def alg(self) -> str:
        """Name of the algorithm, as it appears in manifests."""
        ...

    @property
    def version(self) -> str:
        """Version of the implementation."""
        ...

    @property
    def key_id(self) -> str:
        """Short name of the key in manifests, which says nothing else about it."""
        ...

    def noise(self, asset_id: bytes, shape: tuple[int, ...], /) -> npt.NDArray[np.float32]:
        """Return noise of that shape, standard normal, the same for the same id and shape.

        Raises:
            WatermarkError: The shape has no room for the mark, or the id has not 8 bytes.
        """
        ...

    def read(self, noise: npt.NDArray[np.float32], /) -> Detection:
        """Return what a noise carries that was recovered by inverting the model; never raises for unmarked noise."""
        ...

    def match(self, noise: npt.NDArray[np.float32], asset_id: bytes, /) -> NoiseMatch:
        """Return how well a recovered noise fits a candidate id; needs much less of it than ``read``."""
        ...


@runtime_checkable
class Invertible(Protocol):
    """**Protocol:** what a generator may offer besides: noise that somebody else draws, and the way back to it."""

    def mark_noise(self, marker: NoiseMarker, /) -> None:
        """Take the initial noise of every picture from ``marker``, where its way begins with noise alone.

        What was done, or why not, stands in ``Execution.noise_mark`` of every picture.
        """
        ...

    def invert(self, image: Pixels, request: GenerationRequest, /) -> npt.NDArray[np.float32]:
        """Return the initial noise from which ``request`` would have made ``image``, as well as that can be told.

        Args:
            image: Measures what ``request.size`` says, where that is given.
            request: Model, prompt, steps and guidance; a prompt may be empty, guidance that is open is left out.

        Raises:
            RequestError: The model cannot be run backwards here, or the picture does not fit it.
            GenerationError: It could not be run.
        """
        ...


class Fingerprinter(Protocol):
    """**Protocol:** computes a robust digest of what a picture looks like."""

    @property
    def alg(self) -> str:
        """Name of the algorithm, as it appears in manifests."""
        ...

    @property
    def threshold(self) -> float:
        """Largest distance, 0 to 1, at which two pictures count as the same."""
        ...

    def compute(self, image: Pixels, /) -> bytes:
        """Return the fingerprint."""
        ...

    def distance(self, a: bytes, b: bytes, /) -> float:
        """Return the normalised distance, 0 (equal) to 1."""
        ...


@runtime_checkable
class Discriminating(Protocol):
    """**Protocol:** what a fingerprinter may offer besides: it knows the pictures on which it says nothing.

    Flat pictures and plain gradients share fingerprints, and noise decides theirs. Probes neither match nor
    contradict on them. A fingerprinter without this method vouches for every picture.
    """

    def discriminates(self, image: Pixels, /) -> bool:
        """Say whether the fingerprint of ``image`` tells it from others and stays under small changes."""
        ...


class Signer(Protocol):
    """**Protocol:** signs claims with a credential whose private key it alone can reach."""

    @property
    def alg(self) -> str:
        """One of es256, es384, es512, ps256, ps384, ps512, ed25519."""
        ...

    @property
    def certificate_chain(self) -> tuple[bytes, ...]:
        """DER certificates, leaf first, root left out."""
        ...

    def sign(self, data: bytes, /) -> bytes:
        """Return the raw signature (ECDSA: IEEE P1363) over ``data``; ``SigningError`` when it cannot."""
        ...


@runtime_checkable
class Demanding(Protocol):
    """**Protocol:** what a signer may offer besides: it writes and signs the manifest itself, once it is shown why.

    Its ``sign`` refuses: nobody gets a signature for bare bytes.
    """

    def sign_shown(self, dossier: Dossier, stamper: TimeStamper | None, /) -> tuple[bytes, bytes]:
        """Return (file bytes, manifest store); ``SigningError`` when it refuses or cannot.

        Args:
            dossier: The file and what its manifest says.
            stamper: Asked for a time-stamp over the signature.
        """
        ...


class TimeStamper(Protocol):
    """**Protocol:** asks a time-stamp authority."""

    @property
    def required(self) -> bool:
        """Whether nothing may be signed without its answer."""
        ...

    def stamp(self, query: bytes, /) -> bytes:
        """Return the reply (RFC 3161, DER) to a query; ``SigningError`` when there is none."""
        ...


class Ledger(Protocol):
    """**Protocol:** an append-only log that can prove what it holds."""

    def append(self, entry: LedgerEntry, /) -> Receipt:
        """Append durably and return the receipt; ``LedgerError`` when it cannot."""
        ...

    def prove(self, digest: str, /) -> Receipt | None:
        """Return a receipt for the newest entry whose asset id, asset or manifest digest is ``digest``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredManifest:
    """A manifest store that the repository kept, and what leads to it."""

    asset_id: AssetId
    manifest_store: bytes
    asset_sha256: str
    media_type: str
    bindings: tuple[SoftBinding, ...]
    recorded_at: str
    distance: float | None = None
    """Normalised fingerprint distance of the query, 0 to 1; None for exact matches."""


class ManifestRepository(Protocol):
    """**Protocol:** keeps manifests and private records, found by id and by soft binding."""

    def put(self, signed: Signed, /) -> str:
        """Store durably; return the SHA-256 of the encrypted private record (for the ledger entry)."""
        ...

    def discard(self, asset_id: AssetId, /) -> None:
        """Take back a ``put`` whose ledger entry was never made; a no-op for unknown ids."""
        ...

    def mark_delivered(self, asset_id: AssetId, /) -> None:
        """Note that the asset has reached its caller; what a crash leaves unmarked is withdrawn at start-up."""
        ...

    def undelivered(self) -> tuple[AssetId, ...]:
        """Return assets that were stored by a process that did not live to deliver them, oldest first."""
        ...

    def has(self, asset_id: AssetId, /) -> bool:
        """Say whether the id is taken."""
        ...

    def find(self, binding: SoftBinding, /, *, within: float = 0.0) -> Iterable[StoredManifest]:
        """Yield stored manifests: watermarks by equality, fingerprints within a normalised Hamming distance.

        Nearest first.
        """
        ...


class Reviews(Protocol):
    """**Protocol:** keeps pictures that wait for a person, unreadable to anybody else, and what people decide."""

    def put(
        self, asset_id: AssetId, held: object, *, rules: tuple[str, ...], people: int, roles: tuple[str, ...]
    ) -> Case:
        """Keep ``held`` durably and return its case."""
        ...

    def case(self, ticket: str, /) -> Case:
        """Return one case; ``ReviewError`` for an unknown one."""
        ...

    def cases(self) -> tuple[Case, ...]:
        """Return all cases, oldest first."""
        ...

    def open(self, ticket: str, /) -> object:
        """Return what was held; ``ReviewError`` once the case is closed."""
        ...

    def say(self, ticket: str, opinion: Opinion, /) -> Case:
        """Add a person's opinion and return the case as it then stands."""
        ...

    def released(self, ticket: str, /) -> None:
        """Note that the asset was released, and forget what was held."""
        ...


class Probe(Protocol):
    """**Protocol:** one step of verification. Returns what it was given, plus what it saw."""

    @property
    def name(self) -> str:
        """Stable name, used as the source of its findings."""
        ...

    def examine(self, asset: Asset, seen: Evidence, /) -> Evidence:
        """Add findings and set the state it is responsible for. Never raises on bad evidence."""
        ...
