from __future__ import annotations

import numpy as np
import pytest

from sdsafe.bindings.watermark.lattice import LatticeWatermarker
from sdsafe.testing.samples import sample_picture

torch = pytest.importorskip("torch")

KEY = bytes(range(32))
PAYLOADS = [bytes([n]) * 8 for n in range(1, 4)]


@pytest.fixture(scope="module")
def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


@pytest.mark.parametrize("shape", [(512, 512), (600, 440), (300, 300)])
def test_both_paths_agree(shape: tuple[int, int], device: str) -> None:
    from sdsafe.bindings.watermark._torch import BatchEmbedder

    pictures = [sample_picture(n, height=shape[0], width=shape[1]) for n in range(3)]
    numpy_path = LatticeWatermarker(KEY, quality="standard")
    ours = BatchEmbedder(KEY, device).embed(pictures, PAYLOADS)
    theirs = numpy_path.embed(pictures, PAYLOADS)
    for a, b in zip(ours, theirs, strict=True):
        off = np.abs(a.astype(int) - b)
        assert off.max() <= 2
        assert (off <= 1).mean() > 0.99
    assert [each.payload for each in numpy_path.detect(ours)] == PAYLOADS


def test_a_batch_equals_its_singles_and_itself(device: str) -> None:
    from sdsafe.bindings.watermark._torch import BatchEmbedder

    embedder = BatchEmbedder(KEY, device)
    pictures = [sample_picture(n, height=320, width=288) for n in range(3)]
    batch, again = embedder.embed(pictures, PAYLOADS), embedder.embed(pictures, PAYLOADS)
    for index, (first, second) in enumerate(zip(batch, again, strict=True)):
        assert np.array_equal(first, second)
        (single,) = embedder.embed([pictures[index]], [PAYLOADS[index]])
        assert np.abs(single.astype(int) - first).max() <= 1
        assert (single == first).mean() > 0.999


def test_mixed_sizes_and_panoramas_are_refused() -> None:
    from sdsafe.bindings.watermark._torch import BatchEmbedder

    embedder = BatchEmbedder(KEY)
    assert embedder.embed([], []) == []
    with pytest.raises(ValueError, match="one size"):
        embedder.embed([sample_picture(), sample_picture(height=300)], PAYLOADS[:2])
    with pytest.raises(ValueError, match="one by one"):
        embedder.embed([sample_picture(height=256, width=1100)], PAYLOADS[:1])
