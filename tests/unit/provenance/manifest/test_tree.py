"""The manifests of a file as a tree: all of them read, and what the active one's state hides is found."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe._internal import images
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.request import InputImage, Task
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.definition import define
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.manifest.tree import grow, walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.states import Asset, Encoded
    from sdsafe.protocols import Signer
    from sdsafe.provenance.manifest.tree import Node


@pytest.fixture
def child(
    make_encoded: Callable[..., Encoded], request_: GenerationRequest, signer: Signer
) -> Callable[[bytes], Asset]:
    """Return a function from the bytes of a parent to a signed picture that was made of it."""

    def make(parent: bytes) -> Asset:
        given = InputImage(
            role="image",
            pixels=images.decode(parent),
            sha256=hashlib.sha256(parent).hexdigest(),
            media_type="image/png",
            data=parent,
        )
        encoded = make_encoded(request=replace(request_, task=Task.TRANSFORM, inputs=(given,)))
        definition = define(encoded, generator="sdsafe", version="0.1.0", when="2026-11-23T07:00:00Z", title="x.png")
        return replace(encoded.asset, data=_c2pa.sign(encoded.asset, definition, signer)[0])

    return make


def tree(asset: Asset) -> Node:
    reading = _c2pa.read(asset)
    return grow(reading.store, reading.label)


def with_remark(data: bytes) -> bytes:
    """Add a text chunk behind the signature: the pixels are the same, the hash of the file is not."""
    body = b"tEXt" + b"Comment\0later"
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:-12] + chunk + data[-12:]


def unsound(asset: Asset) -> list[str]:
    seen = ManifestProbe().examine(asset, Evidence())
    assert seen.manifest is ManifestState.VALID
    return [each.explanation for each in seen.findings if each.code == "org.sdsafe.ingredient.unsound"]


def test_a_chain_is_read_to_its_first_picture(signed: Asset, child: Callable[[bytes], Asset]) -> None:
    asset = signed
    for _ in range(3):
        asset = child(asset.data)
    nodes = list(walk(tree(asset)))
    assert [node.relationship for node in nodes] == ["", "parentOf", "parentOf", "parentOf"]
    assert all(node.sound for node in nodes)
    assert all(node.summary is not None and node.summary.asset_id for node in nodes)
    assert [node.summary.actions[0] for node in nodes if node.summary] == [*["c2pa.opened"] * 3, "c2pa.created"]
    assert {each.title for each in nodes[-1].plain} >= {"prompt"}
    assert unsound(asset) == []


def test_a_parent_that_was_broken_is_named_under_a_child_that_is_not(
    signed: Asset, child: Callable[[bytes], Asset]
) -> None:
    asset = child(child(with_remark(signed.data)).data)
    active, middle, first = walk(tree(asset))
    assert active.sound
    assert middle.sound
    assert first.intact
    assert first.recorded == ("assertion.dataHash.mismatch",)
    assert not first.sound
    (says,) = unsound(asset)
    assert "did not hold when it went in: assertion.dataHash.mismatch" in says


def test_a_manifest_that_was_changed_inside_the_store_does_not_hold(
    signed: Asset, child: Callable[[bytes], Asset]
) -> None:
    reading = _c2pa.read(child(signed.data))
    store = bytearray(reading.store)
    at = store.index(b"waves") if b"waves" in store else store.index(b"trainedAlgorithmicMedia")
    store[at] ^= 1
    nodes = list(walk(grow(bytes(store), reading.label)))
    assert any(not node.intact and node.failures for node in nodes)


@pytest.mark.parametrize("store", [b"", b"\0" * 40, b"not a store"])
def test_what_is_no_store_raises_nothing(store: bytes) -> None:
    node = grow(store, "urn:c2pa:x")
    assert not node.intact
    assert node.failures == ("ingredient.manifest.missing",)


def test_a_label_that_is_not_there_is_missing(signed: Asset) -> None:
    assert grow(_c2pa.read(signed).store, "urn:c2pa:none").failures == ("ingredient.manifest.missing",)


def test_every_node_says_what_it_is(signed: Asset, child: Callable[[bytes], Asset]) -> None:
    root: Any = tree(child(signed.data))
    assert root.nodes[0].title
    assert {each.relationship for each in root.plain} == {"inputTo"}
