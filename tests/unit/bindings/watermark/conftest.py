"""Small networks with the inputs and outputs of TrustMark's: they carry 100 bits, and nothing of Adobe is in them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe.bindings.watermark.trustmark_networks import NetworkFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_STRENGTH = 0.03  # of the pattern of one bit, where -1 is black and 1 is white
_CELLS = 10  # ten times ten of them, in the middle 240 of 256 pixels


def _pattern(cell: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Four periods of a sine along each axis: blind to whatever changes along one axis only."""
    wave = np.sin(8 * np.pi * (np.arange(cell) + 0.5) / cell)
    return np.repeat(np.outer(wave, wave)[None, None], 3, axis=1).astype(np.float32)


def _saved(path: Path, nodes: list[Any], given: list[Any], answers: list[Any], numbers: dict[str, Any]) -> NetworkFile:
    from onnx import helper, numpy_helper, save_model

    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in numbers.items()]
    graph = helper.make_graph(nodes, "small", given, answers, constants)
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return NetworkFile(path, hashlib.sha256(path.read_bytes()).hexdigest())


def _value(name: str, *shape: int | str) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _correlation(picture: str, side: int) -> tuple[list[Any], dict[str, Any], int, int]:
    """Return how the pattern of every cell is found in a picture, as ``found`` of shape (1, 1, 10, 10)."""
    from onnx import helper

    margin, cell = side // 32, side * 15 // 160
    pattern = _pattern(cell)
    nodes = [
        helper.make_node("Slice", [picture, "from", "to", "axes"], ["middle"]),
        helper.make_node("Conv", ["middle", "analysis"], ["found"], strides=[cell, cell]),
    ]
    numbers = {
        "from": np.array([margin, margin]),
        "to": np.array([margin + _CELLS * cell] * 2),
        "axes": np.array([2, 3]),
        "analysis": pattern / np.square(pattern).sum(),
    }
    return nodes, numbers, margin, cell


def _encoder(path: Path) -> NetworkFile:
    from onnx import helper

    nodes, numbers, margin, cell = _correlation("onnx::Concat_0", 256)
    numbers |= {
        "two": np.float32(2),
        "one": np.float32(1),
        "wanted": np.float32(_STRENGTH),
        "grid": np.array([1, 1, _CELLS, _CELLS]),
        "synthesis": _pattern(cell),
        "border": np.array([0, 0, margin, margin] * 2),
    }
    nodes += [
        helper.make_node("Mul", ["onnx::Gemm_1", "two"], ["doubled"]),
        helper.make_node("Sub", ["doubled", "one"], ["flat"]),
        helper.make_node("Reshape", ["flat", "grid"], ["sign"]),
        helper.make_node("Mul", ["sign", "found"], ["there"]),
        helper.make_node("Sub", ["wanted", "there"], ["lacking"]),
        helper.make_node("Relu", ["lacking"], ["more"]),
        helper.make_node("Mul", ["more", "sign"], ["change"]),
        helper.make_node("ConvTranspose", ["change", "synthesis"], ["inner"], strides=[cell, cell]),
        helper.make_node("Pad", ["inner", "border"], ["residual"]),
        helper.make_node("Add", ["onnx::Concat_0", "residual"], ["image"]),
    ]
    given = [_value("onnx::Concat_0", 1, 3, 256, 256), _value("onnx::Gemm_1", 1, 100)]
    return _saved(path, nodes, given, [_value("image", 1, 3, 256, 256)], numbers)


def _decoder(path: Path, side: int, *, stated: bool = True) -> NetworkFile:
    from onnx import helper

    nodes, numbers, _, _ = _correlation("image", side)
    nodes.append(helper.make_node("Reshape", ["found", "row"], ["output"]))
    numbers["row"] = np.array([1, 100])
    sides: tuple[int | str, int | str] = (side, side) if stated else ("height", "width")
    return _saved(path, nodes, [_value("image", 1, 3, *sides)], [_value("output", 1, 100)], numbers)


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[NetworkFile, NetworkFile]]:
    """Return a function that gives encoder and decoder of a variant, under their published names."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")

    def of(variant: str = "P", *, stated: bool = True) -> tuple[NetworkFile, NetworkFile]:
        folder = tmp_path_factory.mktemp("networks")
        side = 224 if variant == "P" else 256
        encoder = _encoder(folder / f"encoder_{variant}.onnx")
        return encoder, _decoder(folder / f"decoder_{variant}.onnx", side, stated=stated)

    return of
