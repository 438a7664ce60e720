"""What a file may declare about itself: one frozen record, whatever the format of the file."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from enum import StrEnum

from sdsafe.errors import MetadataError
from sdsafe.provenance.metadata.aigc import AigcLabel

__all__ = ["DataMining", "DigitalSourceType", "Metadata", "plain"]

# XML 1.0, production 2 (Char): what no XML document can hold, not even escaped. Lone surrogates are among it.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class DigitalSourceType(StrEnum):
    """Terms of the IPTC NewsCodes vocabulary that a generator has use for, as full URIs.

    Source: https://cv.iptc.org/newscodes/digitalsourcetype/
    """

    TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    """Made by a model that was trained on sampled content."""
    COMPOSITE_WITH_TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    """A picture from elsewhere with parts made by such a model: inpainting, outpainting, image to image."""
    COMPOSITE_SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"
    """A composite of which at least one part is synthetic."""
    ALGORITHMIC = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"
    """Made by an algorithm that was not trained."""
    ENHANCED = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
    """Changed by an algorithm that does not generate."""


class DataMining(StrEnum):
    """The PLUS vocabulary for text and data mining, as full URIs (IPTC Photo Metadata 2023.1, ``plus:DataMining``)."""

    UNSPECIFIED = "http://ns.useplus.org/ldf/vocab/DMI-UNSPECIFIED"
    ALLOWED = "http://ns.useplus.org/ldf/vocab/DMI-ALLOWED"
    NO_TRAINING = "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING"
    NO_GENERATIVE_TRAINING = "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-GENAIMLTRAINING"
    SEARCH_ONLY = "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING"
    PROHIBITED = "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED"
    SEE_CONSTRAINT = "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-SEECONSTRAINT"
    SEE_EMBEDDED_RIGHTS = "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-SEEEMBEDDEDRIGHTSEXPR"
    SEE_LINKED_RIGHTS = "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-SEELINKEDRIGHTSEXPR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a file declares about itself. None, and an empty ``creators``, mean *not stated*.

    A record that exists can be written as XML. Reading takes values as they are, so that a file from elsewhere may
    hold a source type that is no URI; ``xmp.render`` refuses to write such a thing.

    Raises:
        MetadataError: ``metadata.value``: a text holds characters that XML cannot (most control characters, half
            a surrogate pair); ``plain`` replaces them.
    """

    digital_source_type: str | None = None
    """``Iptc4xmpExt:DigitalSourceType``: a URI, see ``DigitalSourceType``."""
    ai_system: str | None = None
    """``Iptc4xmpExt:AISystemUsed`` (IPTC 2025.1): the name of the system; California's item B."""
    ai_system_version: str | None = None
    """``Iptc4xmpExt:AISystemVersionUsed``: its version; California's item B."""
    prompt: str | None = None
    """``Iptc4xmpExt:AIPromptInformation``: only where the prompt is disclosed in full."""
    prompt_writer: str | None = None
    """``Iptc4xmpExt:AIPromptWriterName``: not to be taken for the creator, says IPTC."""
    creators: tuple[str, ...] = ()
    """``dc:creator``, in order."""
    rights: str | None = None
    """``dc:rights``: the copyright notice."""
    credit: str | None = None
    """``photoshop:Credit``: the credit line, where licences demand attribution."""
    provider: str | None = None
    """``photoshop:Source``: who provides the generating system; California's item A."""
    created: str | None = None
    """``xmp:CreateDate``: RFC 3339; California's item C."""
    identifier: str | None = None
    """``Iptc4xmpExt:DigImageGUID``: the asset id, 16 hex digits; California's item D."""
    data_mining: str | None = None
    """``plus:DataMining``: a URI, see ``DataMining``."""
    aigc: AigcLabel | None = None
    """``TC260:AIGC``: China's implicit label (GB 45438-2025)."""

    def __post_init__(self) -> None:
        """Refuse what XML cannot hold."""
        for item in fields(self):
            if any(map(_NOT_XML.search, _texts(getattr(self, item.name)))):
                raise MetadataError(
                    f"the metadata field {item.name!r} holds a character that XML cannot",
                    code="metadata.value",
                    hint="Remove control characters from it.",
                )


def plain(text: str) -> str:
    """Return ``text`` with every character that XML cannot hold replaced by U+FFFD; the rest stays as it is."""
    return _NOT_XML.sub("\ufffd", text)


def _texts(value: str | tuple[str, ...] | AigcLabel | None) -> tuple[str, ...]:
    if isinstance(value, AigcLabel):
        return value.texts()
    return value if isinstance(value, tuple) else () if value is None else (value,)
