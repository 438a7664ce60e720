"""Three readers of the same files: the C2PA library, encypher-c2pa, and ours, which must accept least.

Sixty-odd mutations of a picture that was made of another one. What one of the two libraries accepts and the other does
not is named here with who is right; nothing that either of them calls invalid is *valid* to us.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import encypher_c2pa
import pytest

from sdsafe.core.places import Places
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.request import GenerationRequest, Size, Task
from sdsafe.core.states import Asset, Recorded
from sdsafe.inputs import as_input
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.testing.pipeline import fake_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Mutation = Callable[[bytes, bytes], bytes]

Chunk = tuple[bytes, bytes]

PADDING = (0.75, 0.81, 0.87)  # shares of the store that lie in the zeros behind the COSE signature

LENIENT = {
    "crc of the store": ("the CRC of the C2PA chunk does not fit (ISO 15948, 5.3)", True, True),
    "length of the store box": ("the outer length of the store is not looked at", True, False),
    **{
        f"store, bit {bit} at {share:.2f}": (
            "no signature covers the padding in the unprotected COSE header",
            True,
            True,
        )
        for bit in (0, 6)
        for share in PADDING
    },
}
"""Where a library accepts a file that is not what was signed: why, and which (c2pa, encypher). Ours never does."""


def chunks(data: bytes) -> list[Chunk]:
    found, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def joined(parts: list[Chunk]) -> bytes:
    body = b"".join(
        struct.pack(">I", len(each)) + kind + each + struct.pack(">I", zlib.crc32(kind + each)) for kind, each in parts
    )
    return b"\x89PNG\r\n\x1a\n" + body


def of_store(change: Callable[[bytes], bytes]) -> Mutation:
    def run(data: bytes, _other: bytes) -> bytes:
        return joined([(kind, change(body) if kind == b"caBX" else body) for kind, body in chunks(data)])

    return run


def flipped(share: float, bit: int = 0) -> Callable[[bytes], bytes]:
    def run(body: bytes) -> bytes:
        at = min(int(share * len(body)), len(body) - 1)
        return body[:at] + bytes([body[at] ^ 1 << bit]) + body[at + 1 :]

    return run


def of_pixels(share: float) -> Mutation:
    def run(data: bytes, _other: bytes) -> bytes:
        return joined([(kind, flipped(share)(body) if kind == b"IDAT" else body) for kind, body in chunks(data)])

    return run


def of_word(word: bytes) -> Mutation:
    def change(body: bytes) -> bytes:
        assert word in body
        return body.replace(word, word[:-1] + bytes([word[-1] ^ 1]), 1)

    return of_store(change)


def cut(share: float) -> Mutation:
    return lambda data, _other: data[: int(share * len(data))]


def with_chunk(index: int, chunk: Chunk) -> Mutation:
    def run(data: bytes, _other: bytes) -> bytes:
        parts = chunks(data)
        at = index if index >= 0 else len(parts) + index
        return joined([*parts[:at], chunk, *parts[at:]])

    return run


def transplanted(data: bytes, other: bytes) -> bytes:
    theirs = next(body for kind, body in chunks(other) if kind == b"caBX")
    return joined([(kind, theirs if kind == b"caBX" else body) for kind, body in chunks(data)])


def doubled(data: bytes, _other: bytes) -> bytes:
    parts = chunks(data)
    store = next(each for each in parts if each[0] == b"caBX")
    return joined([*parts[:-1], store, parts[-1]])


def moved(data: bytes, _other: bytes) -> bytes:
    parts = chunks(data)
    store = next(each for each in parts if each[0] == b"caBX")
    rest = [each for each in parts if each is not store]
    return joined([*rest[:-1], store, rest[-1]])


def bad_crc(data: bytes, _other: bytes) -> bytes:
    at = data.index(b"caBX")
    end = at + 4 + int.from_bytes(data[at - 4 : at])
    return data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :]


MUTATIONS: Mapping[str, Mutation] = {
    **{f"store, bit {bit} at {share:.2f}": of_store(flipped(share, bit)) for bit in (0, 6) for share in
       (0.03, 0.09, 0.15, 0.21, 0.27, 0.33, 0.39, 0.45, 0.51, 0.57, 0.63, 0.69, 0.75, 0.81, 0.87)},
    **{f"pixels at {share:.1f}": of_pixels(share) for share in (0.1, 0.3, 0.5, 0.7, 0.9)},
    **{f"cut at {share:.2f}": cut(share) for share in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)},
    **{f"the word {word.decode()}": of_word(word) for word in
       (b"c2pa.created", b"parentOf", b"c2pa.actions.v2", b"trainedAlgorithmicMedia", b"urn:c2pa", b"pixels_sha256",
        b"asset_id", b"c2pa.hash.data", b"sdsafe", b"inputTo")},
    "a text behind the signature": with_chunk(-1, (b"tEXt", b"Comment\0later")),
    "a text before the store": with_chunk(1, (b"tEXt", b"Comment\0first")),
    "another time": with_chunk(-1, (b"tIME", b"\x07\xea\x0b\x17\0\0\0")),
    "transplanted": transplanted,
    "two stores": doubled,
    "the store at the end": moved,
    "length of the store box": of_store(lambda body: struct.pack(">I", len(body) + 8) + body[4:]),
    "store cut in half": of_store(lambda body: body[: len(body) // 2]),
    "empty store": of_store(lambda _body: b""),
    "bytes behind the store": of_store(lambda body: body + b"\0" * 16),
    "crc of the store": bad_crc,
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, Path]:
    """A picture that was made of another, and that other one."""
    folder = tmp_path_factory.mktemp("agree")
    places = Places(state=folder / "state", cache=folder / "cache")
    pipeline = fake_pipeline(places)
    (first,) = pipeline.run(GenerationRequest(prompt="waves", seed=1, size=Size(width=256, height=256), steps=2))
    assert isinstance(first, Recorded)
    given = as_input(first.asset, "image")
    (second,) = pipeline.run(GenerationRequest(prompt="tides", seed=2, task=Task.TRANSFORM, inputs=(given,), steps=2))
    assert isinstance(second, Recorded)
    return second.asset.data, first.asset.data, places.keys / "root.pem"


def accepted(data: bytes) -> dict[str, bool]:
    asset = Asset(data=data, media_type="image/png")
    try:
        theirs = encypher_c2pa.verify(data, "image/png", no_default_trust=True, telemetry=False)
    except ValueError:  # it raises where there is no whole file
        theirs = {}
    library = _c2pa.read(asset)
    ours = ManifestProbe().examine(asset, Evidence()).manifest
    return {
        "c2pa": library.library_state in {"Valid", "Trusted"},
        "encypher": theirs.get("validation_state") in {"Valid", "Trusted"},
        "sdsafe": ours in {ManifestState.VALID, ManifestState.TRUSTED},
    }


def test_all_three_accept_what_was_released(files: tuple[bytes, bytes, Path]) -> None:
    for data in files[:2]:
        assert accepted(data) == {"c2pa": True, "encypher": True, "sdsafe": True}


def test_there_are_at_least_sixty() -> None:
    assert len(MUTATIONS) >= 60


@pytest.mark.parametrize("name", MUTATIONS)
def test_no_mutation_is_valid_to_us_and_the_libraries_agree(files: tuple[bytes, bytes, Path], name: str) -> None:
    data, other, _ = files
    mutated = MUTATIONS[name](data, other)
    assert mutated != data
    found = accepted(mutated)
    assert not found["sdsafe"]
    _, library, second = LENIENT.get(name, ("", False, False))
    assert found == {"c2pa": library, "encypher": second, "sdsafe": False}
