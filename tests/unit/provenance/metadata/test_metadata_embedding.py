from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
import time
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageCms

from sdsafe._internal import images
from sdsafe.core.states import Asset
from sdsafe.errors import MetadataError
from sdsafe.provenance.metadata._found import MAX_PARTS
from sdsafe.provenance.metadata.aigc import AigcLabel
from sdsafe.provenance.metadata.embedding import EMBEDDABLE, Declaration, embed, read
from sdsafe.provenance.metadata.model import DataMining, DigitalSourceType, Metadata
from sdsafe.provenance.metadata.xmp import MAX_PACKET_BYTES, render

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = np.random.default_rng(5).integers(0, 256, (33, 47, 3), dtype=np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FULL = Metadata(
    digital_source_type=DigitalSourceType.TRAINED,
    ai_system="owner/model",
    ai_system_version="0123abcd",
    prompt="a <quiet> marsh & \u0645\u0631\u062d\u0628\u0627 🦊",
    prompt_writer="B. Writer",
    creators=("A. Person", "B. Person"),
    rights="© 2026 Example",
    credit="Powered by Stability AI",
    provider="Example GmbH",
    created="2026-11-23T06:00:00Z",
    identifier="0123456789abcdef",
    data_mining=DataMining.NO_TRAINING,
    aigc=AigcLabel(content_producer="某公司", produce_id="0123456789abcdef"),
)


def encoded(kind: str, picture: np.ndarray = PICTURE, **options: object) -> tuple[bytes, str]:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, **options)
    return buffer.getvalue(), f"image/{kind.lower()}"


FILES = [
    pytest.param(*encoded("PNG"), id="png"),
    pytest.param(*encoded("JPEG"), id="jpeg"),
    pytest.param(*encoded("JPEG", progressive=True, icc_profile=SRGB), id="jpeg-icc"),
    pytest.param(*encoded("WEBP"), id="webp-lossy"),
    pytest.param(*encoded("WEBP", lossless=True), id="webp-lossless"),
    pytest.param(*encoded("WEBP", PICTURE[:5, :5].repeat(4, 2)[..., :4], lossless=True), id="webp-alpha"),
    pytest.param(*encoded("WEBP", icc_profile=SRGB), id="webp-extended"),
    pytest.param(*encoded("TIFF"), id="tiff"),
    pytest.param(*encoded("TIFF", compression="tiff_lzw"), id="tiff-lzw"),
    pytest.param(*encoded("AVIF"), id="avif"),
    pytest.param(*encoded("AVIF", exif=Image.Exif().tobytes()), id="avif-exif"),
    pytest.param(*encoded("AVIF", PICTURE.repeat(2, 2)[..., :4]), id="avif-alpha"),
]
PLACES = {
    "image/png": ("PNG iTXt", "PNG tEXt"),
    "image/jpeg": ("JPEG APP1", "EXIF UserComment"),
    "image/webp": ("WebP XMP", "EXIF UserComment"),
    "image/tiff": ("TIFF tag 700",),
    "image/avif": ("AVIF item",),
}


@pytest.mark.parametrize(("data", "media_type"), FILES)
def test_metadata_comes_back_and_no_pixel_changes(data: bytes, media_type: str) -> None:
    marked = embed(data, media_type, FULL)
    assert marked == embed(data, media_type, FULL)
    assert read(Asset(data=marked, media_type=media_type)) == Declaration(metadata=FULL, places=PLACES[media_type])
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(marked)) as after:
        assert before.mode == after.mode
        assert np.array_equal(np.asarray(before), np.asarray(after))
        assert before.info.get("icc_profile") == after.info.get("icc_profile")
        # Somebody else's reader finds the very packet.
        assert after.info["xmp"].rstrip(b"\x00") == render(FULL)
    assert images.sniff(marked) == media_type


@pytest.mark.parametrize(("data", "media_type"), FILES)
def test_a_file_without_metadata_declares_nothing_and_one_with_is_not_written_again(
    data: bytes, media_type: str
) -> None:
    assert read(Asset(data=data, media_type=media_type)) == Declaration()
    once = embed(data, media_type, Metadata(credit="x"))
    with pytest.raises(MetadataError) as caught:
        embed(once, media_type, FULL)
    assert caught.value.code == "metadata.present"


def test_every_format_is_tried() -> None:
    assert set(PLACES) == EMBEDDABLE
    with pytest.raises(MetadataError) as caught:
        embed(encoded("GIF")[0], "image/gif", FULL)
    assert caught.value.code == "metadata.unsupported"
    declared = read(Asset(data=encoded("GIF")[0], media_type="image/gif"))
    assert [code for code, _ in declared.problems] == ["metadata.unsupported"]


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_label_does_not_push_out_an_exif_block(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    data, media_type = encoded(kind, exif=exif.tobytes())
    with pytest.raises(MetadataError, match="EXIF") as caught:
        embed(data, media_type, FULL)
    assert caught.value.code == "metadata.present"
    assert read(Asset(data=embed(data, media_type, Metadata(credit="x")), media_type=media_type)).metadata


def test_jpeg_has_room_for_one_segment() -> None:
    data, media_type = encoded("JPEG")
    fits = Metadata(prompt="界" * 21_000)
    assert read(Asset(data=embed(data, media_type, fits), media_type=media_type)).metadata == fits
    with pytest.raises(MetadataError) as caught:
        embed(data, media_type, Metadata(prompt="界" * 22_000))
    assert caught.value.code == "metadata.too-large"
    png = embed(encoded("PNG")[0], "image/png", Metadata(prompt="界" * 22_000))
    assert read(Asset(data=png, media_type="image/png")).problems == ()


@pytest.mark.parametrize(("data", "media_type"), FILES)
def test_damaged_files_are_refused_or_reported_and_nothing_else(data: bytes, media_type: str) -> None:
    whole = embed(data, media_type, FULL)
    for end in [*range(64), *range(64, len(whole), 97)]:
        cut = whole[:end]
        declared = read(Asset(data=cut, media_type=media_type))
        assert declared.metadata in {None, FULL} or declared.problems
        with suppress(MetadataError):  # a picture cut off in its pixels may still take metadata
            embed(data[: min(end, len(data) - 1)], media_type, FULL)


@pytest.mark.parametrize(("data", "media_type"), FILES)
def test_flipped_bytes_never_raise(data: bytes, media_type: str) -> None:
    whole = bytearray(embed(data, media_type, FULL))
    for at in range(0, len(whole), 11):
        whole[at] ^= 0xFF
        read(Asset(data=bytes(whole), media_type=media_type))
        whole[at] ^= 0xFF


def chunk(type_: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + type_ + body + struct.pack(">I", zlib.crc32(type_ + body))


def png_with(*chunks: bytes) -> Asset:
    data, media_type = encoded("PNG")
    return Asset(data=data[:33] + b"".join(chunks) + data[33:], media_type=media_type)


def itxt(text: bytes, *, packed: bool = False) -> bytes:
    return chunk(b"iTXt", b"XML:com.adobe.xmp\x00" + bytes((packed, 0)) + b"\x00\x00" + text)


def codes(declared: Declaration) -> set[str]:
    return {code for code, _ in declared.problems}


def test_of_two_packets_none_counts() -> None:
    declared = read(png_with(itxt(render(FULL)), itxt(render(Metadata(credit="other")))))
    assert declared.metadata is None
    assert codes(declared) == {"metadata.several-packets"}


def test_packed_packets_are_read_and_bombs_are_not() -> None:
    assert read(png_with(itxt(zlib.compress(render(FULL)), packed=True))).metadata == FULL
    start = time.monotonic()
    bomb = itxt(zlib.compress(bytes(100 * MAX_PACKET_BYTES), 9), packed=True)
    assert codes(read(png_with(bomb))) == {"metadata.container.text"}
    flood = [itxt(zlib.compress(bytes(MAX_PACKET_BYTES)), packed=True)] * 1_000
    assert "metadata.container.flood" in codes(read(png_with(*flood)))
    assert codes(read(png_with(itxt(b"not zlib", packed=True)))) == {"metadata.container.text"}
    assert time.monotonic() - start < 3


def test_a_flood_of_parts_ends_early() -> None:
    start = time.monotonic()
    declared = read(png_with(chunk(b"tEXt", b"a\x00b") * (5 * MAX_PARTS)))
    assert codes(declared) == {"metadata.container.parts"}
    assert time.monotonic() - start < 3


def test_a_packet_that_does_not_read_is_reported_not_raised() -> None:
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha">]><x>&a;</x>'
    assert codes(read(png_with(itxt(laughs)))) == {"metadata.unsafe"}
    assert codes(read(png_with(itxt(b"\xff\xfe")))) == {"metadata.encoding"}
    assert codes(read(png_with(itxt(b" " * (MAX_PACKET_BYTES + 1))))) == {"metadata.too-large"}


def text_chunk(label: str, type_: bytes = b"tEXt") -> bytes:
    body = label.encode()
    packed = b"\x00" + zlib.compress(body) if type_ == b"zTXt" else body
    return chunk(type_, b"AIGC\x00" + packed)


def test_labels_outside_xmp_count_where_they_agree() -> None:
    label = AigcLabel(content_producer="P", produce_id="1")
    assert read(png_with(text_chunk(label.render()))).metadata == Metadata(aigc=label)
    assert read(png_with(text_chunk(label.render_wrapped(), b"zTXt"))).metadata == Metadata(aigc=label)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\x00\x00\x00" + label.render_wrapped().encode()
    assert read(png_with(chunk(b"eXIf", exif.tobytes()[6:]))).metadata == Metadata(aigc=label)
    same = read(png_with(itxt(render(Metadata(aigc=label))), text_chunk(label.render())))
    assert (same.metadata, same.problems) == (Metadata(aigc=label), ())
    other = AigcLabel(content_producer="Q", produce_id="1").render()
    declared = read(png_with(itxt(render(Metadata(aigc=label))), text_chunk(other)))
    assert codes(declared) == {"metadata.aigc.disagree"}
    assert codes(read(png_with(text_chunk(label.render()), text_chunk(other)))) == {"metadata.aigc.disagree"}


def test_labels_outside_xmp_that_do_not_read_are_reported() -> None:
    assert codes(read(png_with(text_chunk("{")))) == {"metadata.aigc"}
    assert codes(read(png_with(chunk(b"tEXt", b"AIGC\x00\xff")))) == {"metadata.aigc"}
    assert codes(read(png_with(text_chunk('{"Label":"\\u0000"}')))) == {"metadata.value"}


def test_other_user_comments_are_no_labels() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\x00\x00\x00shot on a fine day"
    data, media_type = encoded("JPEG", exif=exif.tobytes())
    assert read(Asset(data=data, media_type=media_type)) == Declaration()


def test_extended_xmp_of_jpeg_is_reported() -> None:
    data, media_type = encoded("JPEG")
    body = b"http://ns.adobe.com/xmp/extension/\x00" + bytes(40)
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    declared = read(Asset(data=data[:2] + segment + data[2:], media_type=media_type))
    assert codes(declared) == {"metadata.container.extended"}


@pytest.mark.parametrize(
    ("header", "size"),
    [(b"VP8 ", b"\x00\x00"), (b"VP8 ", b""), (b"VP8X", b""), (b"VP8L", b"")],
    ids=["no-width", "no-size", "short-header", "short-lossless"],
)
def test_a_webp_whose_header_says_nothing_is_damaged(header: bytes, size: bytes) -> None:
    body = b"abc\x9d\x01\x2a" + size + b"\x00" * 6 if size else b"\x2f"
    inner = b"WEBP" + header + struct.pack("<I", len(body)) + body + bytes(len(body) & 1)
    with pytest.raises(MetadataError) as caught:
        embed(b"RIFF" + struct.pack("<I", len(inner)) + inner, "image/webp", FULL)
    assert caught.value.code == "metadata.container"


def test_an_animation_is_not_written_to() -> None:
    buffer = io.BytesIO()
    frames = [Image.fromarray(PICTURE), Image.fromarray(PICTURE[::-1].copy())]
    frames[0].save(buffer, "AVIF", save_all=True, append_images=frames[1:])
    with pytest.raises(MetadataError) as caught:
        embed(buffer.getvalue(), "image/avif", FULL)
    assert caught.value.code == "metadata.container"


@pytest.mark.parametrize("table", [b"iinf", b"iref"])
def test_an_item_table_that_is_empty_is_damaged(table: bytes) -> None:
    """Found by fuzzing: a box of eight bytes has not even a version."""
    data, _ = encoded("AVIF", PICTURE.repeat(2, 2)[..., :4])  # with transparency, so that there are references
    at = data.index(table) - 4
    size = int.from_bytes(data[at : at + 4], "big")
    empty = struct.pack(">I4s", 8, table) + struct.pack(">I4s", size - 8, b"free") + data[at + 16 : at + size]
    with pytest.raises(MetadataError) as caught:
        embed(data[:at] + empty + data[at + size :], "image/avif", FULL)
    assert caught.value.code == "metadata.container"


EXPECTED = {
    "XMP-iptcExt:DigitalSourceType": FULL.digital_source_type,
    "XMP-iptcExt:DigitalImageGUID": FULL.identifier,
    "XMP-dc:Creator": list(FULL.creators),
    "XMP-dc:Rights": FULL.rights,
    "XMP-photoshop:Credit": FULL.credit,
    "XMP-photoshop:Source": FULL.provider,
    "XMP-xmp:CreateDate": "2026:11:23 06:00:00Z",
    "XMP-plus:DataMining": FULL.data_mining,
    # Debian's ExifTool is older than IPTC 2025.1 and TC260: it names these after their XMP names.
    "XMP-iptcExt:AISystemUsed": FULL.ai_system,
    "XMP-iptcExt:AISystemVersionUsed": FULL.ai_system_version,
    "XMP-iptcExt:AIPromptInformation": FULL.prompt,
    "XMP-iptcExt:AIPromptWriterName": FULL.prompt_writer,
}


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="ExifTool is not installed (make system-packages)")
@pytest.mark.parametrize(("data", "media_type"), FILES)
def test_exiftool_reads_the_same(data: bytes, media_type: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture.{media_type.removeprefix('image/')}"
    path.write_bytes(embed(data, media_type, FULL))
    # Numbers as they are (-n), so that ids of digits stay texts in our comparison.
    command = ["exiftool", "-j", "-G1", "-n", "-struct", str(path)]
    (found,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert {name: found.get(name) for name in EXPECTED} == EXPECTED
    assert not [name for name in found if name.endswith((":Warning", ":Error"))]
    (aigc,) = [value for name, value in found.items() if name.lower() == "xmp-tc260:aigc"]
    assert aigc == json.loads(FULL.aigc.render()) or aigc == FULL.aigc.render()  # type: ignore[union-attr]
    wrapped = found.get("PNG:AIGC", found.get("ExifIFD:UserComment"))
    assert ("UserComment" in str(PLACES[media_type]) or media_type == "image/png") == (wrapped is not None)
