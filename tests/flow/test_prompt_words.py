"""Released files are searched for the words of their prompt: in every mode but ``full`` there are none, in no spelling."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sdsafe import plugins
from sdsafe.core.places import Places
from sdsafe.core.report import Evidence
from sdsafe.core.request import GenerationRequest, PromptDisclosure, Size, Task
from sdsafe.core.states import Asset, Recorded
from sdsafe.gates.policy.check import LexiconCheck
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import load_policies
from sdsafe.inputs import as_input
from sdsafe.opening import check, unsealed
from sdsafe.provenance.manifest.envelope import Opener
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.metadata.embedding import read
from sdsafe.testing.pipeline import fake_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORDS = ("zebrafinch", "quillwort", "pangolin", "marzipan")
TEXTS = {"prompt": "zebrafinch on a quillwort", "negative_prompt": "pangolin made of marzipan"}
FORMATS = ("image/png", "image/jpeg", "image/webp", "image/avif", "image/tiff")
PACK = """
format: sdsafe.policy/1
id: declaring
version: 1.0.0
title: Declaring
description: Has the metadata written.
rules:
  - {id: note, stage: export, when: "true", effect: annotate, because: it is declared, obligations: [{code: iptc}]}
"""
SECRET = (PromptDisclosure.ENCRYPTED, PromptDisclosure.COMMIT, PromptDisclosure.OMIT)
AUDITOR = Opener(X25519PrivateKey.from_private_bytes(bytes(range(32))))


def spellings(word: str) -> Iterator[bytes]:
    """Yield what a word looks like in text, in Windows' EXIF fields, in hex, and inside base64 at any offset."""
    for each in (word, word.upper(), word.title()):
        yield from (each.encode(), each.encode("utf-16-le"), each.encode("utf-16-be"), each.encode().hex().encode())
        for before in range(3):
            coded = base64.b64encode(b"\0" * before + each.encode())
            # Characters at either end that say something of the neighbours, too, are left out, and no more: four
            # characters stand in a picture's bytes by chance, once in a thousand files; ten do not.
            yield coded[-(-8 * before // 6) : 8 * (before + len(each)) // 6]


def layers(data: bytes) -> Iterator[bytes]:
    """Yield a file, and whatever in it is compressed, taken out."""
    yield data
    for found in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", data):
        engine = zlib.decompressobj()
        try:
            yield engine.decompress(data[found.start() :], 1 << 20)
        except zlib.error:
            continue


def told(data: bytes) -> set[str]:
    return {word for layer in layers(data) for word in WORDS if any(each in layer for each in spellings(word))}


@pytest.mark.parametrize("before", range(3))
def test_the_search_finds_words_in_base64_and_nothing_by_chance(before: int) -> None:
    for word in WORDS:
        assert told(base64.b64encode(b"x" * before + word.encode() + b" and more")) == {word}
        assert min(map(len, spellings(word))) >= 8


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("words")
    (folder / "pack").mkdir()
    (folder / "pack" / "policy.yaml").write_text(PACK, encoding="utf-8")
    places = Places(state=folder / "state", cache=folder / "cache")
    packs = load_policies(["baseline", str(folder / "pack")])
    parts = {"policy": PackPolicy(packs), "prompt_checks": (LexiconCheck(packs),), "recipient": AUDITOR.recipient}

    def run(mode: PromptDisclosure, **asked: Any) -> Asset:
        # What is written with losses needs a mark that lives through them, whatever the id.
        mark = plugins.load("sdsafe.watermarkers", "lattice", places)
        pipeline = fake_pipeline(places, disclosure=mode, watermarker=mark, **parts)
        given = {"size": Size(width=256, height=256), "seed": 7, "steps": 2, **TEXTS, **asked}
        (made,) = pipeline.run(GenerationRequest(**given))
        assert isinstance(made, Recorded), made
        return made.asset

    return run


@pytest.mark.parametrize("media_type", FORMATS)
def test_full_is_found_so_that_the_search_is_one(release: Any, media_type: str) -> None:
    asset = release(PromptDisclosure.FULL, media_type=media_type)
    assert told(asset.data) == set(WORDS)
    declared = read(asset).metadata
    assert declared is not None
    assert "zebrafinch" in str(declared.prompt)


@pytest.mark.parametrize("mode", SECRET)
@pytest.mark.parametrize("media_type", FORMATS)
def test_no_other_mode_tells_a_word(release: Any, media_type: str, mode: PromptDisclosure) -> None:
    asset = release(mode, media_type=media_type)
    assert told(asset.data) == set()
    declared = read(asset).metadata
    assert declared is not None  # XMP is there, and says nothing of the prompt
    assert declared.prompt is None


@pytest.mark.parametrize("mode", SECRET)
def test_neither_do_a_sidecar_an_edit_and_exiftool(release: Any, mode: PromptDisclosure, tmp_path: Path) -> None:
    beside = release(mode, sidecar=True)
    assert beside.sidecar is not None
    assert told(beside.sidecar) | told(beside.data) == set()
    edited = release(mode, task=Task.TRANSFORM, size=None, inputs=(as_input(beside, "image"),))
    assert told(edited.data) == set()
    if exiftool := shutil.which("exiftool"):
        (tmp_path / "a.png").write_bytes(edited.data)
        shown = subprocess.run(
            [exiftool, "-a", "-u", "-g1", "-ee", tmp_path / "a.png"], capture_output=True, check=True
        )
        assert told(shown.stdout) == set()


def test_the_auditor_reads_it_all_the_same(release: Any) -> None:
    asset = release(PromptDisclosure.ENCRYPTED, media_type="image/jpeg")
    summary = ManifestProbe().examine(asset, Evidence()).summary
    assert summary is not None
    document = unsealed(summary, AUDITOR)
    assert check(json.dumps(document).encode(), summary) == TEXTS
