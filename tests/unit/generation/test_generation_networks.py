"""ONNX networks: found, read, run, and their pictures put back; each is built here, of a few nodes."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save_model

from sdsafe._internal import images
from sdsafe.core.findings import Box
from sdsafe.core.request import ModelRef, Size, Task
from sdsafe.errors import CancelledError, GenerationError, MissingExtraError, RequestError
from sdsafe.generation.tiles import around, taken, tiles
from sdsafe.testing.samples import sample_admitted, sample_picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import GenerationRequest, InputImage
    from sdsafe.core.states import Generated
    from sdsafe.generation._diffusers import DiffusersGenerator

    Save = Callable[..., Path]
    Run = Callable[..., Generated]

PIXELS = sample_picture(3, height=90, width=120)
FLOAT, HALF, BYTES = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8
INVERT = [helper.make_node("Sub", ["one", "x"], ["y"])]
ANY = [1, 3, "h", "w"]


def network(
    nodes: list[Any] = INVERT,
    shape: list[Any] = ANY,
    *,
    out: list[Any] | None = None,
    kind: int = FLOAT,
    kind_out: int | None = None,
    constants: dict[str, Any] | None = None,
    further: list[Any] | None = None,
) -> Any:
    """A network from ``x`` to ``y``; the constant ``one`` is there."""
    given = {"one": np.ones((1, 1, 1, 1), np.float32), **(constants or {})}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape), *(further or [])],
        [helper.make_tensor_value_info("y", kind if kind_out is None else kind_out, shape if out is None else out)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in given.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return model


def enlarger(times: int, shape: list[Any] = ANY, **more: Any) -> Any:
    """A network that repeats every pixel."""
    node = helper.make_node(
        "Resize",
        ["x", "", "sizes"],
        ["y"],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    scales = np.array([1, 1, times, times], np.float32)
    return network([node], shape, out=[1, 3, "H", "W"], constants={"sizes": scales}, **more)


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def to(model: Any, name: str = "net.onnx") -> Path:
        path = tmp_path / name
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return path

    return to


@pytest.fixture
def run(generator: DiffusersGenerator, picture: Callable[..., InputImage]) -> Run:
    """Resolve and make, as the pipeline does."""

    def of(
        path: Path | str, task: Task = Task.RESTORE, *, pixels: Pixels = PIXELS, watch: Any = None, **more: Any
    ) -> Generated:
        request = asked(picture, path, task, pixels=pixels, **more)
        (made,) = generator.generate(sample_admitted(generator.resolve(request)), watch)
        return made

    return of


def asked(
    picture: Callable[..., InputImage], path: Path | str, task: Task, *, pixels: Pixels = PIXELS, **more: Any
) -> GenerationRequest:
    from sdsafe.core.request import GenerationRequest

    fields: dict[str, Any] = {"prompt": "", "seed": 7} | {
        name: more.pop(name) for name in ("prompt", "steps", "count") if name in more
    }
    return GenerationRequest(
        task=task, model=ModelRef(repo=str(path)), inputs=(picture("image", pixels),), parameters=more, **fields
    )


class TestLayouts:
    def test_a_whole_picture_of_any_size(self, save: Save, run: Run) -> None:
        made = run(save(network()))
        assert np.array_equal(made.pixels, 255 - PIXELS)
        execution = made.execution
        assert (execution.device, execution.dtype, execution.scheduler, execution.threads) == (
            "cpu",
            "float32",
            "none",
            1,
        )
        assert set(execution.libraries) == {"numpy", "onnxruntime", "pillow"}

    def test_channels_last_and_bytes(self, save: Save, run: Run) -> None:
        flip = [helper.make_node("BitwiseNot", ["x"], ["y"])]
        model = network(flip, [1, "h", "w", 3], kind=BYTES)
        model.opset_import[0].version = 18
        made = run(save(model))
        assert np.array_equal(made.pixels, 255 - PIXELS)
        assert made.execution.dtype == "uint8"

    def test_half_precision_and_a_batch_of_any_size(self, save: Save, run: Run) -> None:
        half = {"one": np.ones((1, 1, 1, 1), np.float16)}
        made = run(save(network(shape=["n", 3, "h", "w"], kind=HALF, constants=half)))
        assert np.abs(made.pixels.astype(int) - (255 - PIXELS)).max() <= 1

    @pytest.mark.parametrize(("stated", "squared"), [(None, 1), ("0..1", 1), ("-1..1", 225), ("0..255", 255)])
    def test_the_range_is_what_was_stated(self, save: Save, run: Run, stated: str | None, squared: int) -> None:
        square = [helper.make_node("Mul", ["x", "x"], ["y"])]
        dark = np.full((90, 120, 3), 16, np.uint8)
        made = run(save(network(square)), pixels=dark, **({"range": stated} if stated else {}))
        assert (made.pixels == squared).all()

    def test_one_size_shows_a_box_in_its_own_proportions(self, save: Save, run: Run) -> None:
        smooth = np.repeat(np.linspace(0, 255, 120).astype(np.uint8)[None, :, None], 90, 0).repeat(3, 2)
        made = run(save(network(shape=[1, 3, 64, 64])), pixels=smooth)
        assert made.pixels.shape == smooth.shape
        assert np.abs(made.pixels.astype(int) - (255 - smooth)).mean() < 2

    def test_an_output_in_the_other_layout_and_of_no_stated_shape(self, save: Save, run: Run) -> None:
        turn = [
            *INVERT[:0],
            helper.make_node("Sub", ["one", "x"], ["z"]),
            helper.make_node("Transpose", ["z"], ["y"], perm=[0, 2, 3, 1]),
        ]
        assert np.array_equal(run(save(network(turn, out=["a", "b", "c", "d"]))).pixels, 255 - PIXELS)


class TestBoxes:
    BOXES = "10,20,40,32;60,20,50,60"

    def test_outside_of_them_not_a_pixel_changes(self, save: Save, run: Run) -> None:
        made = run(save(network()), boxes=self.BOXES).pixels
        outside = np.ones(PIXELS.shape[:2], bool)
        outside[20:52, 10:50] = outside[20:80, 60:110] = False
        assert np.array_equal(made[outside], PIXELS[outside])
        assert np.array_equal(made[26:46, 16:44], 255 - PIXELS[26:46, 16:44])  # six pixels inside its edge
        edge = np.abs(made[20, 10:50].astype(int) - PIXELS[20, 10:50])
        assert edge.mean() < np.abs(255 - 2 * PIXELS[20, 10:50].astype(int)).mean() / 2

    def test_at_the_edge_of_the_picture_nothing_fades(self, save: Save, run: Run) -> None:
        made = run(save(network()), boxes="0,0,40,40").pixels
        assert np.array_equal(made[:30, :30], 255 - PIXELS[:30, :30])
        assert np.array_equal(made[40:], PIXELS[40:])

    def test_strength_mixes(self, save: Save, run: Run) -> None:
        made = run(save(network()), strength=0.25).pixels
        assert np.abs(made - (0.75 * PIXELS + 0.25 * (255.0 - PIXELS))).max() <= 0.51

    def test_a_network_of_one_size_sees_a_box_upright_and_unsqueezed(self, save: Save, run: Run) -> None:
        """It paints the middle of what it is shown: there the middle of the box has to be."""
        dot = np.zeros((1, 3, 64, 64), np.float32)
        dot[:, :, 24:40, 24:40] = 1
        model = network([helper.make_node("Max", ["x", "dot"], ["y"])], [1, 3, 64, 64], constants={"dot": dot})
        made = run(save(model), boxes="4,30,80,20", pixels=np.zeros((90, 120, 3), np.uint8)).pixels
        rows, columns = np.flatnonzero(made[:, 44, 0] > 127), np.flatnonzero(made[40, :, 0] > 127)
        assert (rows.min(), rows.max()) == (33, 46)  # the dot is as high as the box, whose edge fades
        assert 33 <= columns.min() <= 35
        assert 52 <= columns.max() <= 54

    @pytest.mark.parametrize(
        ("boxes", "says"),
        [
            ("100,10,40,40", "does not lie in the picture, which measures 120x90"),
            ("10,60,20,31", "does not lie in the picture"),
            ("10,10,4,40", "too small"),
            ("10,10,0,40", "must be boxes"),
            ("-1,0,20,20", "must be boxes"),
            ("1,2,3", "must be boxes"),
            ("1,2,30,40;", "must be boxes"),
            (";".join(["0,0,20,20"] * 65), "must be boxes"),
        ],
    )
    def test_boxes_that_are_none_are_refused_before_anything_runs(
        self, save: Save, run: Run, boxes: str, says: str
    ) -> None:
        with pytest.raises(RequestError, match=says):
            run(save(b"not looked at"), boxes=boxes)


class TestEnlarging:
    @pytest.mark.parametrize("scale", [2, 3, 4])
    def test_the_result_has_the_scale_that_was_asked_for(self, save: Save, run: Run, scale: int) -> None:
        made = run(save(enlarger(3)), Task.UPSCALE, scale=scale)
        expected = images.resize(PIXELS.repeat(3, 0).repeat(3, 1), 120 * scale, 90 * scale)
        assert np.array_equal(made.pixels, expected)

    def test_a_network_of_one_size_enlarges_in_tiles(self, save: Save, run: Run) -> None:
        made = run(save(enlarger(2, [1, 3, 40, 48])), Task.UPSCALE, scale=2)
        assert np.array_equal(made.pixels, PIXELS.repeat(2, 0).repeat(2, 1))

    def test_pictures_larger_than_a_tile(self, save: Save, run: Run) -> None:
        large = sample_picture(5, height=530, width=700)
        assert np.array_equal(
            run(save(enlarger(2)), Task.UPSCALE, pixels=large, scale=2).pixels, large.repeat(2, 0).repeat(2, 1)
        )

    @pytest.mark.parametrize("shape", [ANY, [1, 3, 40, 48]])
    def test_what_would_be_too_large_is_scaled_tile_by_tile(
        self, save: Save, run: Run, monkeypatch: pytest.MonkeyPatch, shape: list[Any]
    ) -> None:
        path = save(enlarger(4, shape))
        expected = run(path, Task.UPSCALE, scale=2).pixels.astype(int)
        monkeypatch.setattr(images, "MAX_PIXELS", 100_000)  # four times it is more, twice it is not
        found = run(path, Task.UPSCALE, scale=2).pixels
        assert found.shape == (180, 240, 3)
        assert np.abs(found - expected).mean() < 0.5
        if shape is ANY:  # a network of one size sees the whole picture at once where it restores
            assert np.abs(run(path).pixels.astype(int) - PIXELS).mean() < 0.5

    def test_one_that_does_not_enlarge_is_for_restoring(self, save: Save, run: Run) -> None:
        with pytest.raises(RequestError, match="does not enlarge") as error:
            run(save(network()), Task.UPSCALE, scale=2)
        assert "restore" in error.value.hint
        assert np.array_equal(run(save(enlarger(2), "e.onnx")).pixels.shape, PIXELS.shape)


class TestIdentity:
    def test_it_is_the_digest_of_the_file_and_no_path_is_recorded(
        self, save: Save, generator: DiffusersGenerator, picture: Any, tmp_path: Path
    ) -> None:
        path = save(network(), "faces.onnx")
        (tmp_path / "sdsafe.json").write_text(json.dumps({"license": "apache-2.0"}))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        resolved = generator.resolve(asked(picture, path, Task.RESTORE))
        ref = resolved.model
        assert (ref.repo, ref.digest, ref.revision, ref.license) == ("local:faces.onnx", digest, digest, "apache-2.0")
        assert [(each.name, each.sha256) for each in ref.files] == [("faces.onnx", digest)]
        assert str(tmp_path) not in repr(resolved)
        assert generator.resolve(resolved).model == ref
        assert resolved.size == Size(width=120, height=90)

    def test_another_file_than_was_asked_for_is_not_run(
        self, save: Save, generator: DiffusersGenerator, picture: Any
    ) -> None:
        from dataclasses import replace

        request = asked(picture, save(network()), Task.RESTORE)
        other = "0" * 64
        for model in (replace(request.model, digest=other), replace(request.model, revision=other)):
            pinned = replace(request, model=model)
            with pytest.raises(GenerationError, match="wrong hash"):
                generator.resolve(pinned)
        admitted = sample_admitted(generator.resolve(request))
        save(network([helper.make_node("Identity", ["x"], ["y"])]))
        with pytest.raises(GenerationError, match="wrong hash"):
            list(generator.generate(admitted))

    @pytest.mark.parametrize(
        "repo", ["builtin:scenes", "/nowhere/net.onnx", "owner/name", "net.safetensors", "a\0.onnx"]
    )
    def test_without_a_file_there_is_nothing(self, run: Run, repo: str) -> None:
        with pytest.raises(RequestError, match="no ONNX network") as error:
            run(repo)
        assert error.value.code == "request.network"

    def test_a_name_of_another_process_is_not_a_file(self, run: Run) -> None:
        with pytest.raises(RequestError, match="recorded name"):
            run("local:of-another-process.onnx")

    def test_networks_draw_the_same_random_numbers_again(self, save: Save, run: Run) -> None:
        noisy = [helper.make_node("RandomUniformLike", ["x"], ["n"]), helper.make_node("Mul", ["x", "n"], ["y"])]
        path = save(network(noisy))
        first, second = run(path), run(path)
        assert first.pixels_sha256 == second.pixels_sha256
        assert not np.array_equal(first.pixels, PIXELS)


class TestWhatIsNone:
    @pytest.mark.parametrize("data", [b"\x08\x09", b"PK\x03\x04", b"hello" * 100])
    def test_files_that_are_no_network(self, save: Save, run: Run, data: bytes) -> None:
        with pytest.raises(RequestError, match="no ONNX network that can be run") as error:
            run(save(data))
        assert error.value.code == "request.network"

    def test_an_empty_file(self, save: Save, run: Run) -> None:
        with pytest.raises(RequestError, match="is empty"):
            run(save(b""))

    @pytest.mark.parametrize(
        ("model", "has"),
        [
            (network(shape=[1, 1, "h", "w"]), "x \\(1x1xhxw float\\)"),
            (network(shape=[1, "h", "w"]), "1xhxw"),
            (network(shape=["n", "c", "h", "w"]), "nxcxhxw"),
            (network(shape=[1, 3, "h", 3]), "1x3xhx3"),
            (network(shape=[2, 3, "h", "w"]), "2x3xhxw"),
            (network(kind=TensorProto.DOUBLE, constants={"one": np.ones((1, 1, 1, 1))}), "double"),
            (
                network(further=[helper.make_tensor_value_info("weight", FLOAT, [1])]),
                "takes x .*, weight \\(1 float\\)",
            ),
        ],
    )
    def test_other_shapes_are_refused_with_what_they_have(self, save: Save, run: Run, model: Any, has: str) -> None:
        with pytest.raises(RequestError, match=has) as error:
            run(save(model))
        assert error.value.code == "request.network"

    def test_weights_in_further_files_are_not_loaded(
        self, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        weights = np.full((1, 3, 90, 120), 0.5, np.float32)
        model = network([helper.make_node("Mul", ["x", "w"], ["y"])], constants={"w": weights})
        path = tmp_path / "net.onnx"
        save_model(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
        monkeypatch.chdir(tmp_path)  # where a naive session would find them
        with pytest.raises(RequestError, match="no ONNX network that can be run"):
            run(path)

    def test_numbers_that_are_not_finite(self, save: Save, run: Run) -> None:
        bad = [helper.make_node("Log", ["x"], ["l"]), helper.make_node("Mul", ["l", "x"], ["y"])]
        with pytest.raises(GenerationError, match="not finite") as error:
            run(save(network(bad)), pixels=np.zeros((90, 120, 3), np.uint8))
        assert error.value.code == "generation.not-finite"

    def test_numbers_of_another_range(self, save: Save, run: Run) -> None:
        wide = [helper.make_node("Mul", ["x", "many"], ["y"])]
        path = save(network(wide, constants={"many": np.array(255, np.float32)}))
        with pytest.raises(GenerationError, match="numbers from") as error:
            run(path)
        assert "--range" in error.value.hint

    def test_a_range_for_bytes(self, save: Save, run: Run) -> None:
        same = [helper.make_node("Identity", ["x"], ["y"])]
        path = save(network(same, kind=BYTES))
        assert np.array_equal(run(path, range="0..255").pixels, PIXELS)
        with pytest.raises(RequestError, match="takes bytes"):
            run(path, range="-1..1")
        with pytest.raises(RequestError, match=r"must be 0\.\.1"):
            run(path, range="0..2")

    def test_an_output_of_another_size(self, save: Save, run: Run) -> None:
        pool = [helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2])]
        with pytest.raises(GenerationError, match="gave 1x3x48x60 for a picture of 120x96") as error:
            run(save(network(pool, out=[1, 3, "H", "W"])))
        assert error.value.code == "generation.wrong-size"

    def test_a_size_that_it_cannot_take(self, save: Save, run: Run) -> None:
        add = [helper.make_node("Add", ["x", "w"], ["y"])]
        path = save(network(add, constants={"w": np.zeros((1, 3, 50, 50), np.float32)}))
        with pytest.raises(GenerationError, match="does not run on 120x96") as error:
            run(path)
        assert error.value.code == "generation.network"

    def test_what_has_no_effect_is_refused(self, save: Save, run: Run) -> None:
        with pytest.raises(RequestError, match="no use for prompt, steps, count"):
            run(save(network()), prompt="a face", steps=3, count=2)
        with pytest.raises(RequestError, match="unknown parameter 'boxes'"):
            run(save(enlarger(2), "e.onnx"), Task.UPSCALE, boxes="0,0,20,20")

    def test_without_onnxruntime_it_says_what_to_install(
        self, save: Save, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(MissingExtraError, match="ONNX networks"):
            run(save(network()))


class Watch:
    def __init__(self, stop_after: int = 99) -> None:
        self.seen: list[tuple[int, int]] = []
        self.left = stop_after

    def step(self, _image: int, step: int, total: int) -> None:
        self.seen.append((step, total))

    def cancelled(self) -> bool:
        return len(self.seen) >= self.left


def test_a_watch_follows_boxes_and_can_stop_between_two(save: Save, run: Run) -> None:
    path, boxes = save(network(shape=[1, 3, 32, 32])), "0,0,20,20;40,40,20,20;60,10,20,20"
    watch = Watch()
    run(path, boxes=boxes, watch=watch)
    assert watch.seen == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(CancelledError):
        run(path, boxes=boxes, watch=Watch(stop_after=2))


class TestTiles:
    @pytest.mark.parametrize("side", [1, 7, 511, 512, 513, 960, 2000])
    @pytest.mark.parametrize("fixed", [None, 5, 64, 512])
    def test_cores_cover_the_picture_once_and_lie_in_their_windows(self, side: int, fixed: int | None) -> None:
        covered = np.zeros((side, 20), int)
        for tile in tiles(side, 20, fixed, fixed):
            core, window = tile.core, tile.window
            covered[core.top : core.bottom, core.left : core.right] += 1
            assert window.top <= core.top < core.bottom <= window.bottom
            assert window.left <= core.left < core.right <= window.right
            assert fixed is None or (window.bottom - window.top, window.right - window.left) == (fixed, fixed)
        assert (covered == 1).all()

    def test_around_keeps_the_box_in_the_middle(self) -> None:
        assert around(Box(left=10, top=10, right=30, bottom=20), 64, 64) == Box(left=10, top=5, right=30, bottom=25)
        assert around(Box(left=0, top=0, right=8, bottom=8), 2, 1) == Box(left=-4, top=0, right=12, bottom=8)

    def test_beyond_the_edge_the_edge_is_repeated(self) -> None:
        part = taken(PIXELS, Box(left=-2, top=88, right=3, bottom=93))
        assert part.shape == (5, 5, 3)
        assert np.array_equal(part[0, :3], [PIXELS[88, 0]] * 3)
        assert np.array_equal(part[4, 4], PIXELS[89, 2])
