from __future__ import annotations

import io
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms

from sdsafe._internal import images
from sdsafe.errors import AssetError

RNG = np.random.default_rng(7)
PICTURE = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def save(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int, idat: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", idat) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF"])
def test_sniff_names_what_pillow_wrote(kind: str) -> None:
    assert images.sniff(save(Image.fromarray(PICTURE), kind)) == f"image/{kind.lower()}"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PN",
        b"hello world, this is text",
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
        b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
        b"%PDF-1.7",
    ],
)
def test_sniff_does_not_guess(data: bytes) -> None:
    assert images.sniff(data) is None


def test_sniff_finds_avif_among_compatible_brands() -> None:
    assert images.sniff(b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avif") == "image/avif"
    # A brand beyond the box does not count.
    assert images.sniff(b"\x00\x00\x00\x14ftypmif1\x00\x00\x00\x00mif1avif") is None


def test_png_is_lossless_and_deterministic() -> None:
    data = images.encode(PICTURE)
    assert data == images.encode(PICTURE.copy())
    decoded = images.decode(data)
    assert np.array_equal(decoded, PICTURE)
    assert decoded.flags.writeable
    assert decoded.flags.c_contiguous


def test_png_holds_nothing_but_pixels() -> None:
    with Image.open(io.BytesIO(images.encode(PICTURE))) as image:
        assert image.info == {}


@pytest.mark.parametrize("media_type", sorted(images.ENCODABLE))
def test_every_encodable_type_comes_back_near(media_type: str) -> None:
    y, x = np.mgrid[0:64, 0:96]
    smooth = np.stack([x * 2, y * 3, x + y], axis=-1).astype(np.uint8)
    data = images.encode(smooth, media_type, quality=95)
    assert images.sniff(data) == media_type
    assert np.abs(images.decode(data).astype(int) - smooth).mean() < 3


def test_quality_changes_lossy_files() -> None:
    assert len(images.encode(PICTURE, "image/jpeg", quality=30)) < len(images.encode(PICTURE, "image/jpeg", quality=95))


def test_a_view_with_strides_encodes_like_its_copy() -> None:
    view = PICTURE[::2, ::-1]
    assert images.encode(view) == images.encode(np.ascontiguousarray(view))


def test_large_noise_encodes_as_jpeg() -> None:
    noise = RNG.integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    assert images.decode(images.encode(noise, "image/jpeg", quality=100)).shape == noise.shape


@pytest.mark.parametrize(
    "bad",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 3))],
)
def test_encode_refuses_what_is_not_pixels(bad: np.ndarray) -> None:
    with pytest.raises(AssetError) as caught:
        images.encode(bad)
    assert caught.value.code == "asset.not-pixels"


@pytest.mark.parametrize(("media_type", "quality"), [("image/bmp", 90), ("image/jpeg", 0), ("image/jpeg", 101)])
def test_encode_refuses_unknown_types_and_qualities(media_type: str, quality: int) -> None:
    with pytest.raises(AssetError) as caught:
        images.encode(PICTURE, media_type, quality=quality)
    assert caught.value.code == "asset.unsupported"


def test_a_picture_too_wide_for_the_format_is_an_asset_error() -> None:
    with pytest.raises(AssetError) as caught:
        images.encode(np.zeros((1, 70_000, 3), np.uint8), "image/jpeg")
    assert caught.value.code == "asset.too-large"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    # What each value asks for, from the EXIF 2.32 table, written with numpy instead of Pillow.
    upright = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: a.transpose(1, 0, 2)[:, ::-1],
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: a.transpose(1, 0, 2)[::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {"PNG": {"exif": exif}, "WEBP": {"exif": exif, "lossless": True}}.get(
        kind, {"tiffinfo": {0x0112: orientation}}
    )
    assert np.array_equal(images.decode(save(Image.fromarray(PICTURE), kind, **options)), upright(PICTURE))


def test_a_damaged_exif_block_does_not_hide_the_picture() -> None:
    data = save(Image.fromarray(PICTURE), exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert np.array_equal(images.decode(data), PICTURE)


def test_alpha_is_composited_on_white() -> None:
    rgba = np.dstack([np.zeros((8, 8, 3), np.uint8), np.full((8, 8), 64, np.uint8)])
    assert np.unique(images.decode(save(Image.fromarray(rgba)))).tolist() == [191]


def test_a_transparent_palette_entry_becomes_white() -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([10, 20, 30])
    assert images.decode(save(image))[0, 0].tolist() == [10, 20, 30]
    assert images.decode(save(image, transparency=0))[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_the_upper_byte(kind: str) -> None:
    deep = RNG.integers(0, 1 << 16, (20, 30), dtype=np.uint16)
    decoded = images.decode(save(Image.fromarray(deep), kind))
    assert np.array_equal(decoded, np.repeat((deep >> 8).astype(np.uint8)[..., None], 3, axis=2))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    gradient = Image.linear_gradient("L").convert("RGB").convert(mode)
    decoded = images.decode(save(gradient, "TIFF" if mode == "CMYK" else "PNG"))
    assert decoded.shape == (256, 256, 3)
    assert decoded[:32].mean() < 40
    assert decoded[-32:].mean() > 215


@pytest.mark.parametrize("mode", ["I", "F"])
def test_samples_without_a_known_white_are_refused(mode: str) -> None:
    with pytest.raises(AssetError) as caught:
        images.decode(save(Image.new(mode, (8, 8), 1), "TIFF"))
    assert caught.value.code == "asset.unsupported"


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    for kind in ("GIF", "PNG", "WEBP"):
        data = save(frames[0], kind, save_all=True, append_images=frames[1:])
        red, _, blue = images.decode(data)[8, 8]
        assert red > 250
        assert blue < 5


def test_an_embedded_srgb_profile_changes_nothing_visible() -> None:
    decoded = images.decode(save(Image.fromarray(PICTURE), icc_profile=SRGB))
    assert np.abs(decoded.astype(int) - PICTURE).max() <= 1


def test_an_embedded_profile_is_converted() -> None:
    # A profile whose red and blue primaries are exchanged: pure red must come out as blue.
    swapped = bytearray(SRGB)
    count = int.from_bytes(swapped[128:132], "big")
    tags = {bytes(swapped[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    swapped[red : red + 4], swapped[blue : blue + 4] = b"bXYZ", b"rXYZ"
    data = save(Image.new("RGB", (8, 8), (255, 0, 0)), icc_profile=bytes(swapped))
    assert np.abs(images.decode(data)[0, 0].astype(int) - [0, 0, 255]).max() <= 3


@pytest.mark.parametrize("profile", [b"rubbish", SRGB[:100], SRGB[:-50]])
@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "P"])
def test_an_unusable_profile_means_srgb(profile: bytes, mode: str) -> None:
    image = Image.fromarray(PICTURE).convert(mode)
    with_profile, without = (images.decode(save(image, **extra)) for extra in ({"icc_profile": profile}, {}))
    assert np.abs(with_profile.astype(int) - without).max() <= 1


def test_too_many_pixels_are_refused_from_the_header() -> None:
    with pytest.raises(AssetError, match="60000x60000") as caught:
        images.decode(png_header(60_000, 60_000, zlib.compress(bytes(1 << 20))))
    assert caught.value.code == "asset.too-large"
    assert caught.value.hint


def test_the_pixel_limit_is_exact() -> None:
    data = images.encode(PICTURE)
    assert images.decode(data, max_pixels=2400).shape == PICTURE.shape
    with pytest.raises(AssetError):
        images.decode(data, max_pixels=2399)


def test_too_many_bytes_are_refused() -> None:
    data = images.encode(PICTURE)
    with pytest.raises(AssetError) as caught:
        images.decode(data, max_bytes=len(data) - 1)
    assert caught.value.code == "asset.too-large"


@pytest.mark.parametrize("media_type", sorted(images.ENCODABLE))
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_named_so(media_type: str, share: float) -> None:
    data = images.encode(PICTURE, media_type)
    with pytest.raises(AssetError) as caught:
        images.decode(data[: int(len(data) * share)])
    assert caught.value.code == "asset.truncated"


@pytest.mark.parametrize("data", [b"", b"text", b"%PDF-1.7", bytes(1000)])
def test_other_files_are_not_images(data: bytes) -> None:
    with pytest.raises(AssetError) as caught:
        images.decode(data)
    assert caught.value.code == "asset.not-an-image"


def test_a_picture_without_pixels_is_an_asset_error() -> None:
    with pytest.raises(AssetError):
        images.decode(png_header(0, 10))


def test_a_text_chunk_that_unpacks_to_gigabytes_is_an_asset_error() -> None:
    data = images.encode(PICTURE)
    body = b"zTXtk\x00\x00" + zlib.compress(bytes(80 << 20))
    bomb = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    with pytest.raises(AssetError):
        images.decode(data[:33] + bomb + data[33:])


def test_pillows_global_limits_are_neither_read_nor_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert np.array_equal(images.decode(images.encode(PICTURE)), PICTURE)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_many_threads_agree() -> None:
    kinds = sorted(images.ENCODABLE)
    expected = {kind: images.encode(PICTURE, kind) for kind in kinds}
    barrier = threading.Barrier(8)

    def work(index: int) -> bool:
        barrier.wait()
        kind = kinds[index % len(kinds)]
        return all(images.encode(images.decode(images.encode(PICTURE)), kind) == expected[kind] for _ in range(5))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
