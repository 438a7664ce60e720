from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sdsafe.errors import RequestError
from sdsafe.generation.headers import Weights, read_weights

if TYPE_CHECKING:
    from pathlib import Path


def _file(header: object) -> bytes:
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(data).to_bytes(8, "little") + data


def _tensor(dtype: str, shape: list[int], size: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}


def test_shards_add_up_and_what_is_no_float_keeps_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "a.safetensors").write_bytes(
        _file({"__metadata__": {"format": "pt"}, "x": _tensor("F16", [2, 3], 12), "q": _tensor("U8", [100], 100)})
    )
    (tmp_path / "unet" / "b.safetensors").write_bytes(
        _file({"y": _tensor("F32", [5, 5], 100), "s": _tensor("F32", [], 4)})
    )
    found = read_weights(tmp_path, ["unet/a.safetensors", "unet/b.safetensors"])
    assert found == {"unet": Weights(elements=6 + 25 + 1, fixed=100, largest=25)}


def test_a_real_model_is_as_large_as_its_files(tiny_folder: Path) -> None:
    files = sorted(path.relative_to(tiny_folder).as_posix() for path in tiny_folder.rglob("*.safetensors"))
    found = read_weights(tiny_folder, files)
    assert set(found) == {"text_encoder", "unet", "vae"}
    for name, weights in found.items():
        stored = sum((tiny_folder / each).stat().st_size for each in files if each.startswith(f"{name}/"))
        assert weights.elements * 4 + weights.fixed <= stored < (weights.elements * 4 + weights.fixed) * 1.5
        assert 0 < weights.largest < weights.elements


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 8,
        b"\xff" * 8,
        _file(b"{not json"),
        _file([1]),
        _file({"x": {"dtype": "F32"}}),
        _file({"x": {"dtype": "F32", "shape": ["2"], "data_offsets": [0, 8]}}),
        _file({"x": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}),
        _file({"x": _tensor("F32", [2], -8)}),
    ],
)
def test_what_is_no_header_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "m.safetensors").write_bytes(data)
    with pytest.raises(RequestError, match=r"vae/m\.safetensors") as caught:
        read_weights(tmp_path, ["vae/m.safetensors"])
    assert caught.value.code == "model.malformed"
    assert str(tmp_path) not in str(caught.value)
