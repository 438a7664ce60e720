"""WAV files, recognised by their first bytes."""

from __future__ import annotations

__all__ = ["MEDIA_TYPE", "sniff"]

MEDIA_TYPE = "audio/wav"
"""Media type of WAV files, by the name that C2PA has for it."""


def sniff(data: bytes) -> str | None:
    """Return the media type if the first bytes announce a WAV file, else None; a result does not mean it decodes."""
    return MEDIA_TYPE if data[:4] == b"RIFF" and data[8:12] == b"WAVE" else None
