"""Metadata under a manifest: signing keeps it, and the manifest answers for it."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sdsafe.core.report import Evidence, ManifestState
from sdsafe.core.states import Asset
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.provenance.metadata.aigc import AigcLabel
from sdsafe.provenance.metadata.embedding import EMBEDDABLE, embed, read
from sdsafe.provenance.metadata.model import DigitalSourceType, Metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.states import Encoded

FULL = Metadata(
    digital_source_type=DigitalSourceType.TRAINED,
    ai_system="owner/model",
    credit="Powered by Stability AI",
    aigc=AigcLabel(content_producer="001191110000", produce_id="0001020304050607"),
)


@pytest.mark.parametrize("media_type", sorted(EMBEDDABLE))
def test_signing_keeps_metadata_and_covers_it(
    media_type: str, sign: Callable[[Encoded], tuple[Asset, bytes]], encoded: Encoded
) -> None:
    buffer = io.BytesIO()
    picture = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(picture).save(buffer, media_type.removeprefix("image/"))
    data = embed(buffer.getvalue(), media_type, FULL)
    signed, _ = sign(replace(encoded, asset=Asset(data=data, media_type=media_type, name="picture")))
    declared = read(signed)
    assert (declared.metadata, declared.problems) == (FULL, ())
    assert ManifestProbe().examine(signed, Evidence()).manifest is ManifestState.VALID
    changed = replace(signed, data=signed.data.replace(b"Powered by Stability AI", b"Powered by Somebody Els"))
    declared = read(changed)
    assert declared.metadata is not None
    assert declared.metadata.credit == "Powered by Somebody Els"
    state = ManifestProbe().examine(changed, Evidence()).manifest
    assert state in {ManifestState.INVALID, ManifestState.WELL_FORMED}


def test_whoever_reads_no_xmp_does_not_pay_for_a_parser() -> None:
    code = "import sys, sdsafe.provenance.metadata.statements, sdsafe.provenance.metadata.embedding as e\n"
    code += "from sdsafe.core.states import Asset\n"
    code += "e.read(Asset(data=b'', media_type='image/png'))\n"
    code += "assert not {'defusedxml', 'pyexpat', 'PIL', 'c2pa'} & set(sys.modules), sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)
