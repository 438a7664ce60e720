"""Laws of metadata: what is written comes back, and nothing that is read raises anything but its own error."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sdsafe.core.states import Asset
from sdsafe.errors import MetadataError
from sdsafe.provenance.metadata.aigc import AigcLabel
from sdsafe.provenance.metadata.embedding import Declaration, embed, read
from sdsafe.provenance.metadata.model import DataMining, DigitalSourceType, Metadata, plain
from sdsafe.provenance.metadata.xmp import parse, render

ANYTHING = st.text(st.characters(codec=None), max_size=60)
TEXT = ANYTHING.map(plain)
LABELS = st.builds(
    AigcLabel,
    label=TEXT,
    content_producer=TEXT,
    produce_id=TEXT,
    reserved_code1=TEXT,
    content_propagator=TEXT,
    propagate_id=TEXT,
    reserved_code2=TEXT,
)
METADATA = st.builds(
    Metadata,
    digital_source_type=st.none() | st.sampled_from(DigitalSourceType),
    data_mining=st.none() | st.sampled_from(DataMining),
    creators=st.lists(TEXT, max_size=4).map(tuple),
    aigc=st.none() | LABELS,
    **dict.fromkeys(
        (
            "ai_system",
            "ai_system_version",
            "prompt",
            "prompt_writer",
            "rights",
            "credit",
            "provider",
            "created",
            "identifier",
        ),
        st.none() | TEXT,
    ),
)


def _file(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(9 * 7 * 3, dtype=np.uint8).reshape(9, 7, 3)).save(buffer, kind)
    return buffer.getvalue()


FILES = {f"image/{kind.lower()}": _file(kind) for kind in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF")}


@given(METADATA)
@settings(max_examples=300, deadline=None)
def test_parse_undoes_render(metadata: Metadata) -> None:
    packet = render(metadata)
    assert parse(packet) == metadata
    assert render(parse(packet)) == packet


@given(LABELS)
@settings(max_examples=200, deadline=None)
def test_both_forms_of_a_label_read_back(label: AigcLabel) -> None:
    assert AigcLabel.parse(label.render()) == label
    assert AigcLabel.parse(label.render_wrapped()) == label


@given(ANYTHING)
@settings(max_examples=200, deadline=None)
def test_plain_is_idempotent_and_always_fits(text: str) -> None:
    once = plain(text)
    assert plain(once) == once
    assert len(once) == len(text)
    assert parse(render(Metadata(prompt=once))).prompt == once


@given(st.sampled_from(sorted(FILES)), METADATA)
@settings(max_examples=120, deadline=None)
def test_read_undoes_embed(media_type: str, metadata: Metadata) -> None:
    declared = read(Asset(data=embed(FILES[media_type], media_type, metadata), media_type=media_type))
    assert declared.metadata == metadata
    assert declared.problems == ()


@given(METADATA, st.integers(0), st.binary(max_size=6))
@settings(max_examples=300, deadline=None)
def test_a_changed_packet_parses_or_is_refused(metadata: Metadata, at: int, new: bytes) -> None:
    packet = render(metadata)
    start = at % len(packet)
    changed = packet[:start] + new + packet[start + len(new) :]
    with suppress(MetadataError):
        assert isinstance(parse(changed), Metadata)


@given(st.sampled_from(sorted(FILES)), st.integers(0), st.binary(max_size=8), st.booleans())
@settings(max_examples=300, deadline=None)
def test_reading_a_changed_file_never_raises(media_type: str, at: int, new: bytes, insert: bool) -> None:
    whole = embed(FILES[media_type], media_type, Metadata(prompt="a calm sea", aigc=AigcLabel()))
    start = at % len(whole)
    changed = whole[:start] + new + whole[start if insert else start + len(new) :]
    assert isinstance(read(Asset(data=changed, media_type=media_type)), Declaration)


@given(st.sampled_from(sorted(FILES)), st.integers(0), st.binary(max_size=8), st.booleans())
@settings(max_examples=300, deadline=None)
def test_writing_into_a_changed_file_raises_only_our_error(media_type: str, at: int, new: bytes, insert: bool) -> None:
    whole = FILES[media_type]
    start = at % len(whole)
    changed = whole[:start] + new + whole[start if insert else start + len(new) :]
    with suppress(MetadataError):
        embed(changed, media_type, Metadata(prompt="a calm sea", aigc=AigcLabel()))


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_refused_with_our_error(data: bytes) -> None:
    with pytest.raises(MetadataError):
        parse(data)
    for media_type in FILES:
        assert read(Asset(data=data, media_type=media_type)).metadata is None
