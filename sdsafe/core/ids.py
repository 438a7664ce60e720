"""Asset ids: 64 random bits that a watermark can carry and a ledger can be searched by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

__all__ = ["ASSET_ID_BYTES", "AssetId"]

ASSET_ID_BYTES = 8
"""Length of an asset id: what the watermark payload has room for."""


@dataclass(frozen=True, slots=True, order=True)
class AssetId:
    """The identity of one released asset: 8 bytes, minted at random in ``admit``.

    It is not derived from the content: the manifest's hard binding hashes the *marked* pixels, so its hash
    cannot be what the mark carries.
    """

    value: bytes
    """Exactly 8 bytes."""

    def __post_init__(self) -> None:
        """Refuse any other length."""
        if len(self.value) != ASSET_ID_BYTES:
            msg = f"an asset id has {ASSET_ID_BYTES} bytes, found {len(self.value)}"
            raise ValueError(msg)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the 16 hex digits that ``str()`` writes; ``ValueError`` for anything else."""
        if len(text) != 2 * ASSET_ID_BYTES or not all(c in "0123456789abcdef" for c in text.lower()):
            msg = "an asset id is written as 16 hex digits"
            raise ValueError(msg)
        return cls(bytes.fromhex(text))

    def __str__(self) -> str:
        """Return 16 lower-case hex digits."""
        return self.value.hex()
