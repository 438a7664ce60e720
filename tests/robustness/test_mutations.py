"""Law: whatever is done to a signed file, *trusted* or *valid* means that nothing that matters has changed.

Five thousand random mutations: bit flips (anywhere, and inside the manifest with the checksum repaired), bytes,
truncations, splices, chunks removed, duplicated, swapped or inserted.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sdsafe._internal import images
from sdsafe.api import open_validator
from sdsafe.core.report import Verdict
from sdsafe.core.states import Asset
from sdsafe.errors import SdsafeError
from sdsafe.provenance.manifest import jumbf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.settings import Settings

pytestmark = pytest.mark.slow

COUNT = 5_000
Rng = np.random.Generator


def _chunks(data: bytes) -> list[bytes]:
    found, position = [], 8
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        found.append(data[position : position + 12 + length])
        position += 12 + length
    return found


def _join(data: bytes, chunks: list[bytes]) -> bytes:
    return data[:8] + b"".join(chunks)


def _flip(data: bytes, rng: Rng) -> bytes:
    mutated = bytearray(data)
    mutated[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    return bytes(mutated)


def _flip_in_store_with_good_checksum(data: bytes, rng: Rng) -> bytes:
    chunks = _chunks(data)
    index = next(i for i, chunk in enumerate(chunks) if chunk[4:8] == b"caBX")
    body = bytearray(chunks[index][8:-4])
    body[int(rng.integers(len(body)))] ^= 1 << int(rng.integers(8))
    chunks[index] = _chunk(b"caBX", bytes(body))
    return _join(data, chunks)


def _chunk(type_: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + type_ + body + struct.pack(">I", zlib.crc32(type_ + body))


def _several_bytes(data: bytes, rng: Rng) -> bytes:
    mutated = bytearray(data)
    for position in rng.integers(len(data), size=int(rng.integers(2, 9))):
        mutated[int(position)] = int(rng.integers(256))
    return bytes(mutated)


def _truncate(data: bytes, rng: Rng) -> bytes:
    return data[: int(rng.integers(9, len(data)))]


def _append(data: bytes, rng: Rng) -> bytes:
    return data + rng.bytes(int(rng.integers(1, 64)))


def _splice(data: bytes, rng: Rng) -> bytes:
    start, length = int(rng.integers(len(data))), int(rng.integers(1, 200))
    target = int(rng.integers(len(data)))
    piece = data[start : start + length]
    return data[:target] + piece + data[target + (length if rng.random() < 0.5 else 0) :]


def _remove_chunk(data: bytes, rng: Rng) -> bytes:
    chunks = _chunks(data)
    del chunks[int(rng.integers(len(chunks)))]
    return _join(data, chunks)


def _duplicate_chunk(data: bytes, rng: Rng) -> bytes:
    chunks = _chunks(data)
    index = int(rng.integers(len(chunks)))
    chunks.insert(int(rng.integers(len(chunks) + 1)), chunks[index])
    return _join(data, chunks)


def _swap_chunks(data: bytes, rng: Rng) -> bytes:
    chunks = _chunks(data)
    i, j = rng.choice(len(chunks), 2, replace=False)
    chunks[i], chunks[j] = chunks[j], chunks[i]
    return _join(data, chunks)


def _insert_chunk(data: bytes, rng: Rng) -> bytes:
    chunks = _chunks(data)
    type_ = [b"tEXt", b"caBX", b"IEND", b"iTXt"][int(rng.integers(4))]
    chunks.insert(int(rng.integers(len(chunks) + 1)), _chunk(type_, rng.bytes(int(rng.integers(40)))))
    return _join(data, chunks)


MUTATIONS: list[Callable[[bytes, Rng], bytes]] = [
    _flip,
    _flip_in_store_with_good_checksum,
    _flip_in_store_with_good_checksum,
    _several_bytes,
    _truncate,
    _append,
    _splice,
    _remove_chunk,
    _duplicate_chunk,
    _swap_chunks,
    _insert_chunk,
]


def _meaning(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """What must not change under an accepting verdict: the pixels, the claim and every assertion."""
    store = next(chunk[8:-4] for chunk in _chunks(data) if chunk[4:8] == b"caBX")
    manifest = jumbf.parse(store).children[1]
    parts = {}
    for section in manifest.children[1:]:
        if section.kind == b"c2as":
            parts.update({assertion.label: assertion.content for assertion in section.children[1:]})
        elif section.kind == b"c2cl":
            parts["claim"] = section.content
    return images.decode(data).tobytes(), parts


@pytest.mark.parametrize("part", range(5))
def test_an_accepting_verdict_means_nothing_changed(
    part: int, signed_png: Path, auditor: Settings, signed_root: Path
) -> None:
    original = signed_png.read_bytes()
    meaning = _meaning(original)
    validator = open_validator(auditor, trust=[signed_root])
    assert validator.inspect(Asset(data=original, media_type="image/png")).verdict is Verdict.TRUSTED
    rng = np.random.default_rng(part)
    verdicts: Counter[Verdict] = Counter()
    slowest = 0.0
    for _ in range(COUNT // 5):
        mutate = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        mutated = mutate(original, rng)
        if mutated == original or images.sniff(mutated) is None:
            continue
        started = time.perf_counter()
        try:
            verdict = validator.inspect(Asset(data=mutated, media_type="image/png")).verdict
        except SdsafeError as error:
            pytest.fail(f"{mutate.__name__}: inspect() raised {error!r}")
        slowest = max(slowest, time.perf_counter() - started)
        verdicts[verdict] += 1
        if verdict in (Verdict.TRUSTED, Verdict.VALID):
            assert _meaning(mutated) == meaning, mutate.__name__
    assert verdicts[Verdict.INVALID] > 0.6 * verdicts.total()
    assert slowest < 2


_INSPECT_ALL = """
import re, sys
from pathlib import Path
from sdsafe.api import open_validator
from sdsafe.core.states import Asset
validator = open_validator(trust=[Path(sys.argv[1])])
count = 0
for path in sorted(Path(sys.argv[2]).iterdir()):
    validator.inspect(Asset(data=path.read_bytes(), media_type="image/png"))
    count += 1
# Not ru_maxrss: a child inherits that of whoever started it.
print(count, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def test_no_mutated_file_makes_a_validator_large(signed_png: Path, signed_root: Path, tmp_path: Path) -> None:
    original = signed_png.read_bytes()
    rng = np.random.default_rng(99)
    folder = tmp_path / "mutated"
    folder.mkdir()
    for index in range(400):
        mutated = MUTATIONS[index % len(MUTATIONS)](original, rng)
        if images.sniff(mutated) is not None:
            (folder / f"{index:03}.png").write_bytes(mutated)
    done = subprocess.run(  # our own interpreter, a fixed script
        [sys.executable, "-c", _INSPECT_ALL, str(signed_root), str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env={"SDSAFE_HOME": str(tmp_path / "state"), "PATH": ""},
    )
    count, peak_mib = map(int, done.stdout.split())
    assert count > 300
    assert peak_mib < 500
