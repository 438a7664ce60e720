"""What a caller asks for, and which model answers."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from sdsafe.core.statement import Statement
from sdsafe.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.pixels import Pixels

__all__ = [
    "ADAPTER_PICTURES",
    "AS_IS",
    "LANCZOS",
    "TEXT_FIELDS",
    "AdapterRef",
    "FileDigest",
    "GenerationRequest",
    "InputImage",
    "ModelRef",
    "Origin",
    "PromptDisclosure",
    "Scalar",
    "Size",
    "Task",
    "require_plain",
]

Scalar = str | int | float | bool
"""Values that ``GenerationRequest.parameters`` may hold."""

TEXT_FIELDS = ("prompt", "prompt_2", "prompt_3", "negative_prompt")
"""Every field of a request that reaches a text encoder: each goes through every prompt check."""


ADAPTER_PICTURES: Mapping[str, str] = MappingProxyType({"controlnet": "control", "ip-adapter": "reference"})
"""Kinds of adapters that read a picture, to the role of that picture among the inputs."""

LANCZOS = "builtin:lanczos"
"""Stands where a model's name stands when a picture is enlarged by interpolation: there are no weights."""


AS_IS = "builtin:as-is"
"""Stands where a model's name stands when a picture that was made elsewhere is signed."""


class Task(StrEnum):
    """What is being made out of what."""

    GENERATE = "generate"
    TRANSFORM = "transform"
    VARY = "vary"
    INPAINT = "inpaint"
    OUTPAINT = "outpaint"
    UPSCALE = "upscale"
    RESTORE = "restore"
    AUDIO = "audio"
    SIGN = "sign"


class PromptDisclosure(StrEnum):
    """How much of the prompt the public manifest shows."""

    FULL = "full"
    ENCRYPTED = "encrypted"
    """A commitment, and beside it what opens it, sealed for one auditor."""
    COMMIT = "commit"
    OMIT = "omit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        """Return ``WIDTHxHEIGHT``."""
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDigest:
    """One file of a model: its path inside the model folder, its size in bytes and its SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """Which model, exactly.

    Before loading only ``repo`` (and perhaps ``revision``) is known; after loading every field is.
    """

    repo: str
    """``builtin:NAME``, a hub id ``owner/name``, or ``local:FOLDER-NAME`` (never a full path)."""
    revision: str | None = None
    """Commit of the hub repository; for built-in and local models the digest of the files."""
    digest: str | None = None
    """SHA-256 over the canonical list of weight files: the identity that a replay compares."""
    license: str | None = None
    """SPDX or registry id of the licence, where one is known."""
    pipeline: str | None = None
    """Name of the pipeline class that was loaded."""
    files: tuple[FileDigest, ...] = ()
    """Every weight file with its SHA-256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterRef:
    """A LoRA, ControlNet or similar that changes what the base model does."""

    kind: str
    """``lora``, ``controlnet`` or ``ip-adapter``."""
    repo: str
    """A hub id, or ``local:FOLDER-NAME``."""
    file: str | None = None
    """Which file of it, where it has several."""
    weight: float = 1.0
    revision: str | None = None
    digest: str | None = None
    license: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The released asset that a picture is, and how that was found out."""

    asset_id: str
    """16 hexadecimal digits."""
    found_by: str
    """``manifest``, or the algorithm of the soft binding that led to it."""
    manifest_store: bytes | None = field(default=None, repr=False)
    """The manifest store that the repository kept, where the file has none any more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InputImage:
    """A picture that goes into generation, and the role it plays (``image``, ``mask``, ``control``, ...)."""

    role: str
    pixels: Pixels
    sha256: str
    """SHA-256 of the file bytes it was decoded from."""
    media_type: str
    data: bytes = field(repr=False)
    """The file bytes themselves: they may carry a manifest of their own."""
    sidecar: bytes | None = field(default=None, repr=False)
    """Manifest store that stood beside the file, where none is in it."""
    origin: Origin | None = None
    """Set at admission, whatever the caller says."""
    made_by_ai: str | None = None
    """Set at admission, where no model takes part: the IPTC source type by which the picture says that one made it."""


def _frozen(values: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
    return MappingProxyType(dict(values))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GenerationRequest:
    """One request for one or more images, as the caller states it.

    ``None`` means "not said": ``Generator.resolve`` fills it in from the model's defaults, and what it chose
    is what the manifest records.
    """

    prompt: str = field(repr=False)
    task: Task = Task.GENERATE
    prompt_2: str | None = field(default=None, repr=False)
    prompt_3: str | None = field(default=None, repr=False)
    negative_prompt: str | None = field(default=None, repr=False)
    model: ModelRef = field(default_factory=lambda: ModelRef(repo="builtin:scenes"))
    adapters: tuple[AdapterRef, ...] = ()
    count: int = 1
    """How many images; image ``i`` is generated on its own, from ``seed + i``."""
    seed: int | None = None
    """0 up to 2**53 - 1 (exact in every JSON reader)."""
    size: Size | None = None
    """None for sounds, always."""
    seconds: float | None = None
    """How long a sound is to be; None for pictures, always."""
    steps: int | None = None
    guidance: float | None = None
    scheduler: str | None = None
    inputs: tuple[InputImage, ...] = ()
    media_type: str = "image/png"
    """Of the file that a picture is written to: PNG, JPEG, WebP, AVIF or TIFF."""
    quality: int | None = None
    """1 to 100, of formats that lose something; None: 95."""
    sidecar: bool = False
    """Whether the manifest store goes beside the file instead of into it."""
    statement: Statement | None = None
    """What is said of a picture that was made elsewhere; of a task that makes one, nothing."""
    marked: bool = True
    """Whether the id is written into the pixels; only what is signed as it is may do without."""
    intended_use: str | None = None
    """``private``, ``internal``, ``commercial`` or ``marketplace:<id>``; None is *not declared*."""
    attestations: tuple[str, ...] = ()
    """What the caller vouches for: ``release_form=ID``, ``registration:LICENCE``, ``licence:LICENCE``."""
    parameters: Mapping[str, Scalar] = field(default_factory=lambda: _frozen({}))
    """Further call arguments of the pipeline; the family's allow-list decides which are accepted."""

    def __post_init__(self) -> None:
        """Freeze the parameters."""
        object.__setattr__(self, "parameters", _frozen(self.parameters))

    @property
    def is_sound(self) -> bool:
        """Say whether a sound is asked for: then nothing about pictures applies."""
        return self.task is Task.AUDIO

    @property
    def by_model(self) -> bool:
        """Say whether a model takes part; of a request that is resolved."""
        return self.model.repo not in {LANCZOS, AS_IS}

    def texts(self) -> tuple[tuple[str, str], ...]:
        """Return ``(field name, text)`` for every text field that was given, in a fixed order."""
        pairs = ((name, getattr(self, name)) for name in TEXT_FIELDS)
        return tuple((name, text) for name, text in pairs if text is not None)

    def roles(self, own: tuple[str, ...]) -> list[str]:
        """Return the roles that its pictures must have, sorted: those of its task, and those of its adapters."""
        steering = (ADAPTER_PICTURES[each.kind] for each in self.adapters if each.kind in ADAPTER_PICTURES)
        return sorted((*own, *steering))


def require_plain(request: object) -> None:
    """Make sure that a request says the same whenever it is asked: no subclass stands where a plain value belongs.

    A subclass of ``str`` or of the request itself could show one prompt to the checks and another to the model.

    Raises:
        RequestError: ``request.type``, with the name of the field.
    """
    if type(request) is not GenerationRequest:
        raise _odd("the request", request, "GenerationRequest")
    for item in fields(request):
        _require_plain(item.name, getattr(request, item.name))


_PLAIN = (str, int, bool, float, type(None), Task)
_RECORDS = (ModelRef, AdapterRef, FileDigest, Size, Statement)


def _require_plain(name: str, value: object) -> None:
    if type(value) is tuple:
        for item in value:
            _require_plain(name, item)
    elif type(value) is MappingProxyType:
        for key, item in value.items():
            _require_plain("the name of a parameter", key)
            _require_plain(f"parameter {key}", item)
    elif type(value) in _RECORDS:
        for part in fields(value):  # type: ignore[arg-type]  # every one of them is a dataclass
            _require_plain(f"{name}.{part.name}", getattr(value, part.name))
    elif type(value) not in {*_PLAIN, InputImage}:
        raise _odd(name, value, "a plain value")


def _odd(name: str, value: object, expected: str) -> RequestError:
    return RequestError(
        f"{name} must be {expected}, found {type(value).__name__}",
        code="request.type",
        hint="Convert it first, as in str(value): checks and model must read the very same.",
    )
