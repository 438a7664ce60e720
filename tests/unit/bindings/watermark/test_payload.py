from __future__ import annotations

from sdsafe.bindings.watermark.payload import FALSE_POSITIVE, FRAME_BITS, pack, unpack
from sdsafe.core.ids import AssetId


def test_the_frame_is_the_id_and_its_crc_32() -> None:
    # Compare: printf 12345678 | gzip | tail -c 8 | xxd ends in the same check, little-endian.
    assert pack(AssetId(b"12345678")) == b"12345678" + bytes.fromhex("9ae0daaf")


def test_a_read_of_noise_passes_with_the_stated_probability() -> None:
    assert FRAME_BITS == 96
    assert FALSE_POSITIVE == 2.0**-32


def test_anybody_can_frame_an_id() -> None:
    # The check has no key: it is a bound against noise, never against forgers.
    assert unpack(pack(AssetId(bytes(8)))) == AssetId(bytes(8))
