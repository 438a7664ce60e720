"""``sdsafe restore`` and ``sdsafe upscale --network``, as a person would use them; the output check is a fake."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from sdsafe import api
from sdsafe._internal import images
from sdsafe.generation._diffusers import DiffusersGenerator
from sdsafe.testing.pipeline import fake_pipeline
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.pipeline import UnsafeNoOutputCheck
    from sdsafe.settings import Settings

    Sdsafe = Callable[..., tuple[int, str, str]]

PRIVATE = ("--use", "private")


def _write(path: Path, node: Any, constants: dict[str, Any], out: list[str | int | None]) -> None:
    given: list[str | int | None] = [1, 3, "h", "w"]
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, given)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    path.write_bytes(model.SerializeToString())


@pytest.fixture
def sdsafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Sdsafe) -> Sdsafe:
    """Run the command line in this process, beside two networks and a picture."""
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    darker = helper.make_node("Mul", ["x", "half"], ["y"])
    _write(tmp_path / "darker.onnx", darker, {"half": np.array(0.5, np.float32)}, [1, 3, "h", "w"])
    larger = helper.make_node("Resize", ["x", "", "s"], ["y"], mode="nearest")
    _write(tmp_path / "x4.onnx", larger, {"s": np.array([1, 1, 4, 4], np.float32)}, [1, 3, "H", "W"])
    (tmp_path / "in.png").write_bytes(images.encode(sample_picture(3, height=256, width=300)))

    def open_pipeline(settings: Settings, *, unsafe: UnsafeNoOutputCheck | None = None) -> Any:
        assert unsafe is None
        return fake_pipeline(settings.places, generator=DiffusersGenerator(device="cpu", threads=1))

    monkeypatch.setattr(api, "open_pipeline", open_pipeline)

    return typed


def test_boxes_are_restored_and_the_request_reads_back(sdsafe: Sdsafe, tmp_path: Path) -> None:
    boxes = ("--box", "20,30,80,90", "--box", "150,40,60,60")
    code, out, err = sdsafe(
        "restore", "in.png", "--network", "darker.onnx", *boxes, *PRIVATE, "-o", "out.png", "--json"
    )
    assert code == 0, err
    (row,) = json.loads(out)["outcomes"]
    assert sdsafe("verify", "out.png")[0] == 0
    code, out, _ = sdsafe("inspect", "out.png", "--request")
    stated = json.loads(out)
    assert (stated["task"], stated["model"]["id"]) == ("restore", "local:darker.onnx")
    assert stated["parameters"] == {"boxes": "20,30,80,90;150,40,60,60", "strength": 1.0}
    (tmp_path / "again.json").write_text(out)
    again = ("restore", "in.png", "--network", "darker.onnx", "--config", "again.json", "-o", "again.png", "--json")
    code, out, err = sdsafe(*again)
    assert code == 0, err
    assert json.loads(out)["outcomes"][0]["pixels_sha256"] == row["pixels_sha256"]
    (tmp_path / "x4.onnx").rename(tmp_path / "darker.onnx")
    code, _, err = sdsafe(*again, "--force")
    assert code == 1
    assert "wrong hash" in err


def test_a_network_enlarges(sdsafe: Sdsafe, tmp_path: Path) -> None:
    code, _, err = sdsafe("upscale", "in.png", "--network", "x4.onnx", "--scale", "2", *PRIVATE, "-o", "out.png")
    assert code == 0, err
    assert images.decode((tmp_path / "out.png").read_bytes()).shape == (512, 600, 3)
    code, out, _ = sdsafe("inspect", "out.png", "--tree")
    assert "model local:x4.onnx" in out
    code, _, err = sdsafe("upscale", "in.png", "-o", "plain.png")
    assert code == 0, err
    assert "builtin:lanczos" in sdsafe("inspect", "plain.png", "--tree")[1]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("restore", "in.png"), 2, "no ONNX network is named"),
        (("restore", "in.png", "--network", "gone.onnx"), 2, "does not exist"),
        (("restore", "in.png", "--network", "in.png"), 2, "no ONNX network 'in.png'"),
        (("restore", "in.png", "--network", "darker.onnx", "--box", "1,2,3"), 2, "X,Y,WIDTH,HEIGHT"),
        (("restore", "in.png", "--network", "darker.onnx", "--box", "280,0,40,40"), 2, "does not lie in the picture"),
        (("restore", "in.png", "--network", "darker.onnx", "--range", "0..2"), 2, "0..255"),
        (("restore", "in.png", "--network", "darker.onnx", "--strength", "0"), 2, "0.01"),
        (("restore", "in.png", "--network", "darker.onnx"), 3, "no licence of the base local:darker.onnx"),
        (("upscale", "in.png", "--network", "darker.onnx", *PRIVATE), 2, "does not enlarge"),
        (("upscale", "in.png", "--network", "x4.onnx", "--model", "a/b"), 2, "exclude each other"),
        (("upscale", "in.png", "--model", "builtin:scenes"), 2, "does not enlarge"),
        (("upscale", "in.png", "--model", "builtin:tiny"), 2, "not upscaling"),
        (("upscale", "in.png", "a boat"), 2, "no use for prompt"),
    ],
)
def test_what_is_wrong_is_said(
    sdsafe: Sdsafe, tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    found, out, err = sdsafe(*arguments, "-o", "out.png")
    assert found == code, (out, err)
    assert says in " ".join(err.split())
    assert not (tmp_path / "out.png").exists()
