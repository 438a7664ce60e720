"""A request says the same whenever it is asked; what is released carries no picture but the signed file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sdsafe.core.request import AdapterRef, GenerationRequest, ModelRef, Size, require_plain
from sdsafe.core.states import without_pixels
from sdsafe.errors import RequestError
from sdsafe.testing.samples import sample_signed

REQUEST = GenerationRequest(
    prompt="waves",
    seed=1,
    size=Size(width=64, height=64),
    guidance=7.5,
    adapters=(AdapterRef(kind="lora", repo="owner/name"),),
    parameters={"eta": 0.5, "clip_skip": 1},
)


class Text(str):
    """A text that may say something else the next time."""

    __slots__ = ()


class Number(int):
    """A number that may be another one the next time."""


class OtherRequest(GenerationRequest):
    """A request whose fields may be properties."""


class OtherModel(ModelRef):
    """A model whose name may be a property."""


def test_an_ordinary_request_is_plain() -> None:
    require_plain(REQUEST)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"prompt": Text("waves")}, "prompt"),
        ({"negative_prompt": Text("waves")}, "negative_prompt"),
        ({"seed": Number(1)}, "seed"),
        ({"model": OtherModel(repo="builtin:tiny")}, "model"),
        ({"model": ModelRef(repo=Text("builtin:tiny"))}, "model.repo"),
        ({"adapters": (AdapterRef(kind="lora", repo=Text("owner/name")),)}, "adapters.repo"),
        ({"parameters": {"eta": Text("0.5")}}, "parameter eta"),
        ({"parameters": {Text("eta"): 0.5}}, "name of a parameter"),
        ({"size": [64, 64]}, "size"),
    ],
)
def test_whatever_could_change_its_mind_is_refused(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(RequestError, match=where) as caught:
        require_plain(replace(REQUEST, **changes))
    assert caught.value.code == "request.type"
    assert "waves" not in str(caught.value)


def test_a_subclass_of_the_request_is_refused() -> None:
    with pytest.raises(RequestError, match="OtherRequest"):
        require_plain(OtherRequest(prompt="waves"))


def test_without_pixels_keeps_the_history_and_the_signed_file_alone() -> None:
    signed = sample_signed()
    kept = without_pixels(signed)
    marked = kept.encoded.marked
    for pixels in (marked.pixels, marked.cleared.pixels, marked.cleared.generated.pixels):
        assert pixels.shape == (0, 0, 3)
    assert kept.encoded.asset.data == b""
    assert kept.asset == signed.asset
    assert kept.manifest_store == signed.manifest_store
    assert marked.cleared.generated.pixels_sha256 == signed.encoded.marked.cleared.generated.pixels_sha256
    assert marked.cleared.generated.admitted is signed.encoded.marked.cleared.generated.admitted
    assert np.any(signed.encoded.marked.pixels)  # what it was made from is left alone
