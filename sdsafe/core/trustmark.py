"""What TrustMark's schema BCH_4 says of an asset id: the 68 payload bits, and the text of them in a manifest. Pure.

The schema (two of four; Adobe, ``trustmark`` 0.9.2, ``datalayer.py``) carries 68 bits: the 64 of the id, most
significant first, then the last four of its CRC-32. Those four say neither who wrote a mark nor that it is genuine;
they make chance fail fifteen times of sixteen, and notice most readings that error correction led to another id.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

from sdsafe.core.ids import ASSET_ID_BYTES

__all__ = ["CHECK_BITS", "DATA_BITS", "SCHEMA", "VARIANTS", "asset_id_of", "data_of", "value_of"]

SCHEMA: Final = 2
"""Number of the schema in the mark and in manifests: BCH_4."""

CHECK_BITS: Final = 4
"""Of the payload: what is left beside the id."""

DATA_BITS: Final = 8 * ASSET_ID_BYTES + CHECK_BITS
"""68: as many as the schema holds."""

VARIANTS: Final = ("C", "P", "Q")
"""Networks that stand on C2PA's list of soft-binding algorithms, as ``com.adobe.trustmark.P`` and so on."""


def data_of(asset_id: bytes) -> int:
    """Return the 68 bits that carry the eight bytes of an id."""
    return int.from_bytes(asset_id, "big") << CHECK_BITS | crc32(asset_id) % (1 << CHECK_BITS)


def asset_id_of(data: int) -> bytes | None:
    """Return the id that 68 bits carry, None when their check does not hold."""
    asset_id = (data >> CHECK_BITS).to_bytes(ASSET_ID_BYTES, "big")
    return asset_id if data_of(asset_id) == data else None


def value_of(alg: str, asset_id: bytes) -> str | None:
    """Return a mark's value in ``c2pa.soft-binding`` as Adobe's own manifests have it; None for other algorithms.

    That is the number of the schema, an asterisk, and the payload in ones and zeros (``c2pa/README.md`` of TrustMark).
    """
    if alg not in {f"com.adobe.trustmark.{variant}" for variant in VARIANTS} or len(asset_id) != ASSET_ID_BYTES:
        return None
    return f"{SCHEMA}*{data_of(asset_id):0{DATA_BITS}b}"
