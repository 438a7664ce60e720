"""The commands that make pictures of pictures, one after the other, as a person would: everything real but the check."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import c2pa
import encypher_c2pa
import numpy as np
import pytest

from sdsafe import api
from sdsafe._internal import images
from sdsafe.generation._diffusers import DiffusersGenerator
from sdsafe.testing.pipeline import fake_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.pipeline import UnsafeNoOutputCheck
    from sdsafe.settings import Settings

    Sdsafe = Callable[..., tuple[int, str, str]]

TINY = ("--model", "builtin:tiny", "--steps", "2", "--seed", "7")


@pytest.fixture(scope="module")
def generator() -> DiffusersGenerator:
    return DiffusersGenerator(device="cpu", threads=1)


@pytest.fixture
def sdsafe(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    typed: Sdsafe,
    generator: DiffusersGenerator,
) -> Sdsafe:
    """Run the command line in this process and return (exit code, stdout, stderr)."""
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def open_pipeline(settings: Settings, *, unsafe: UnsafeNoOutputCheck | None = None) -> Any:
        assert unsafe is None
        return fake_pipeline(settings.places, generator=generator)

    monkeypatch.setattr(api, "open_pipeline", open_pipeline)

    return typed


def _manifests(path: Path) -> dict[str, Any]:
    """Return what c2pa's own reader says, and make sure that a second validator agrees."""
    data = path.read_bytes()
    context = c2pa.Context.from_dict({"trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}})
    with c2pa.Reader("image/png", io.BytesIO(data), context=context) as reader:
        report: dict[str, Any] = json.loads(reader.json())
        assert reader.get_validation_state() == "Valid", report.get("validation_results")
    second = encypher_c2pa.verify(data, "image/png", no_default_trust=True, telemetry=False)
    assert second["validation_state"] == "Valid", second
    return report


def _actions(report: dict[str, Any]) -> list[str]:
    active = report["manifests"][report["active_manifest"]]
    return [a["action"] for each in active["assertions"] if "actions" in each["data"] for a in each["data"]["actions"]]


@pytest.mark.slow
def test_a_chain_of_edits_carries_every_manifest_on(sdsafe: Sdsafe, tmp_path: Path) -> None:
    mask = np.zeros((256, 256, 3), np.uint8)
    mask[64:160, 64:192] = 255
    (tmp_path / "mask.png").write_bytes(images.encode(mask))
    commands: tuple[tuple[tuple[str, ...], list[str]], ...] = (
        (("generate", "a red house", "-o", "0.png", "--size", "256x256", *TINY), ["c2pa.created"]),
        (
            ("transform", "0.png", "a blue house", "--strength", "0.9", "-o", "1.png", *TINY),
            ["c2pa.opened", "c2pa.edited"],
        ),
        (("inpaint", "1.png", "a door", "--mask", "mask.png", "-o", "2.png", *TINY), ["c2pa.opened", "c2pa.edited"]),
        (("upscale", "2.png", "--scale", "2", "-o", "3.png"), ["c2pa.opened", "c2pa.resized.proportional"]),
    )
    for count, (command, actions) in enumerate(commands, start=1):
        code, out, err = sdsafe(*command)
        assert code == 0, (command, out, err)
        report = _manifests(tmp_path / f"{count - 1}.png")
        assert len(report["manifests"]) == count
        assert _actions(report) == [*actions, "c2pa.watermarked.unbound"]
        assert sdsafe("verify", f"{count - 1}.png")[0] == 0
    assert images.decode((tmp_path / "3.png").read_bytes()).shape == (512, 512, 3)
    # Each result has an id of its own, and the mark that is read is the new one: the old one was replaced.
    code, out, _ = sdsafe("verify", "3.png", "--watermark", "--json")
    assert code == 0
    assert '"soft_binding": "match"' in out


@pytest.mark.slow
def test_around_and_variations(sdsafe: Sdsafe, tmp_path: Path) -> None:
    from sdsafe.testing.samples import sample_picture

    (tmp_path / "mine.png").write_bytes(images.encode(sample_picture(3, height=250, width=300)))
    code, _, err = sdsafe("outpaint", "mine.png", "the sea", "--pad", "20,0,0,30", "-o", "wide.png", *TINY)
    assert code == 0, err
    report = _manifests(tmp_path / "wide.png")
    assert _actions(report)[:2] == ["c2pa.created", "c2pa.placed"]
    assert images.decode((tmp_path / "wide.png").read_bytes()).shape == (280, 320, 3)
    code, out, err = sdsafe(
        "vary", "mine.png", "--n", "2", "--strength", "0.5", "-o", "v.png", "--json", *TINY[:2], "--steps", "4"
    )
    assert code == 0, err
    assert json.loads(out)["schema"] == "sdsafe.vary/1"
    assert _actions(_manifests(tmp_path / "v-2.png"))[:2] == ["c2pa.opened", "c2pa.edited"]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("inpaint", "mine.png", "x", "-o", "o.png", *TINY), "--mask"),
        (("inpaint", "mine.png", "x", "--mask", "small.png", "-o", "o.png", *TINY), "the mask measures 64x64"),
        (("outpaint", "mine.png", "x", "--pad", "1,2,3", "-o", "o.png", *TINY), "L,T,R,B"),
        (("outpaint", "mine.png", "x", "--pad", "0,0,0,0", "-o", "o.png", *TINY), "all four pads are 0"),
        (("transform", "mine.png", "x", "--strength", "2", "-o", "o.png", *TINY), "--strength"),
        (("transform", "mine.png", "x", "--strength", "0.1", "-o", "o.png", *TINY), "leaves nothing to do"),
        (("transform", "none.png", "x", "-o", "o.png", *TINY), "none.png"),
        (("upscale", "mine.png", "--scale", "9", "-o", "o.png"), "--scale"),
    ],
)
def test_mistakes_of_the_command_line_are_exit_two(
    sdsafe: Sdsafe, tmp_path: Path, command: tuple[str, ...], says: str
) -> None:
    for name, side in (("mine.png", 128), ("small.png", 64)):
        (tmp_path / name).write_bytes(images.encode(np.full((side, side, 3), 200, np.uint8)))
    code, _, err = sdsafe(*command)
    assert code == 2
    assert says in err
    assert not (tmp_path / "o.png").exists()


def test_a_picture_whose_manifest_does_not_hold_is_no_parent(sdsafe: Sdsafe, signed_png: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(signed_png.read_bytes() + b"more")
    code, _, err = sdsafe("upscale", "broken.png", "-o", "o.png")
    assert code == 2
    assert "manifest that does not hold" in err
    assert "dataHash" in err
