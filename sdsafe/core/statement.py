"""What somebody says of a file that was made elsewhere: nobody here saw it made, and manifests say whose word it is."""

from __future__ import annotations

from dataclasses import dataclass

from sdsafe.errors import RequestError

__all__ = ["SOURCE_TYPES", "Statement"]

_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"

SOURCE_TYPES = (
    "algorithmicMedia",
    "algorithmicallyEnhanced",
    "composite",
    "compositeCapture",
    "compositeSynthetic",
    "compositeWithTrainedAlgorithmicMedia",
    "computationalCapture",
    "dataDrivenMedia",
    "digitalCapture",
    "digitalCreation",
    "humanEdits",
    "negativeFilm",
    "positiveFilm",
    "print",
    "screenCapture",
    "trainedAlgorithmicMedia",
    "virtualRecording",
)
"""Terms of the IPTC vocabulary for how something came to be; https://cv.iptc.org/newscodes/digitalsourcetype/."""

_MAX_TEXT = 300
_MAX_CREATORS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The word of whoever has a file signed.

    Raises:
        RequestError: ``request.statement``: an unknown source type, or a text that is empty, too long or has control
            characters.
    """

    source_type: str | None = None
    """One of ``SOURCE_TYPES``; None: nothing is said."""
    title: str | None = None
    creators: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be said."""
        if self.source_type is not None and self.source_type not in SOURCE_TYPES:
            raise _refused(f"no source type {str(self.source_type)[:60]!r}", f"Known: {', '.join(SOURCE_TYPES)}.")
        if len(self.creators) > _MAX_CREATORS:
            raise _refused(f"{len(self.creators)} creators", f"At most {_MAX_CREATORS} can be named.")
        for text in (*self.creators, *([] if self.title is None else [self.title])):
            if not text.strip() or len(text) > _MAX_TEXT or not text.isprintable():
                raise _refused("title and creators are texts of one line", f"Use 1 to {_MAX_TEXT} characters.")

    @property
    def source_uri(self) -> str | None:
        """The source type as manifests write it."""
        return None if self.source_type is None else _IPTC + self.source_type

    @property
    def says_something(self) -> bool:
        """Whether there is anything to write down."""
        return bool(self.source_type or self.title or self.creators)


def _refused(what: str, hint: str) -> RequestError:
    return RequestError(what, code="request.statement", hint=hint)
