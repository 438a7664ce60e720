"""LoRA, ControlNet and IP-adapter: found, hashed, fitted, and taken off without a trace."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe.core.request import AdapterRef, Task
from sdsafe.errors import GenerationError, RequestError
from sdsafe.generation.adapters import AdapterLocator
from sdsafe.generation.hub import Hub
from sdsafe.generation.tasks import CONTROL, IMAGE, MASK, REFERENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.states import Generated
    from sdsafe.generation._diffusers import DiffusersGenerator

    Make = Callable[..., list[Generated]]
    Picture = Callable[..., Any]
    SaveLora = Callable[[Path, Path, int], str]

PICTURE = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
LEFT = np.zeros((64, 64, 3), np.uint8)
LEFT[:, :32] = 255


def _pipe(generator: DiffusersGenerator) -> Any:
    """Return the loaded pipe: tests alone look into closures."""
    engine = generator._DiffusersGenerator__models._Models__loaded.engine  # type: ignore[attr-defined]
    cells = dict(zip(*_closure(engine._Engine__render), strict=True))
    return cells["first"] if "first" in cells else cells["adapting"]._first


def _closure(function: Any) -> tuple[tuple[str, ...], list[Any]]:
    return function.__code__.co_freevars, [cell.cell_contents for cell in function.__closure__]


def _state(generator: DiffusersGenerator) -> dict[str, str]:
    """Return the SHA-256 of every tensor of every component, by name."""
    found = {}
    for part, component in _pipe(generator).components.items():
        for name, each in getattr(component, "state_dict", dict)().items():
            found[f"{part}.{name}"] = hashlib.sha256(each.contiguous().numpy().tobytes()).hexdigest()
    return found


def _one(generator: DiffusersGenerator, make: Make, model: Path, **fields: Any) -> Pixels:
    (made,) = make(generator, model=str(model), **fields)
    return made.pixels


class TestLora:
    def test_it_changes_the_picture_and_leaves_the_base_bit_identical(
        self, generator: DiffusersGenerator, make: Make, tiny_folder: Path, lora: str
    ) -> None:
        plain = _one(generator, make, tiny_folder)
        before = _state(generator)
        fitted = _one(generator, make, tiny_folder, adapters=(AdapterRef(kind="lora", repo=lora),))
        again = _one(generator, make, tiny_folder)
        assert (fitted != plain).any()
        assert (again == plain).all()
        assert _state(generator) == before
        assert len(before) > 50

    def test_its_weight_counts_and_zero_is_none(
        self, generator: DiffusersGenerator, make: Make, tiny_folder: Path, lora: str
    ) -> None:
        full, half, none = (
            _one(generator, make, tiny_folder, adapters=(AdapterRef(kind="lora", repo=lora, weight=weight),))
            for weight in (1.0, 0.5, 0.0)
        )
        assert (full != half).any()
        assert (none == _one(generator, make, tiny_folder)).all()

    def test_two_add_up(
        self,
        generator: DiffusersGenerator,
        make: Make,
        tiny_folder: Path,
        lora: str,
        tmp_path: Path,
        save_lora: SaveLora,
    ) -> None:
        other = save_lora(tmp_path / "ink" / "ink.safetensors", tiny_folder, 9)
        both = (AdapterRef(kind="lora", repo=lora), AdapterRef(kind="lora", repo=other))
        pictures = [_one(generator, make, tiny_folder, adapters=each) for each in (both, both[:1], both[1:])]
        assert (pictures[0] != pictures[1]).any()
        assert (pictures[0] != pictures[2]).any()

    def test_what_ran_is_recorded(
        self, generator: DiffusersGenerator, make: Make, tiny_folder: Path, lora: str
    ) -> None:
        (made,) = make(generator, model=str(tiny_folder), adapters=(AdapterRef(kind="lora", repo=lora, weight=0.5),))
        (ran,) = made.execution.adapters
        assert (ran.repo, ran.file, ran.weight) == ("local:sketch", "sketch.safetensors", 0.5)
        assert ran.digest
        assert ran == made.admitted.request.adapters[0]

    def test_one_of_another_model_is_refused_and_leaves_nothing(
        self,
        generator: DiffusersGenerator,
        make: Make,
        tiny_folder: Path,
        sdxl: str,
        tmp_path: Path,
        save_lora: SaveLora,
    ) -> None:
        plain = _one(generator, make, tiny_folder)
        other = save_lora(tmp_path / "xl" / "xl.safetensors", Path(sdxl), 1)
        with pytest.raises(RequestError, match="does not fit this model") as caught:
            _one(generator, make, tiny_folder, adapters=(AdapterRef(kind="lora", repo=other),))
        assert caught.value.code == "request.adapter"
        assert (_one(generator, make, tiny_folder) == plain).all()

    def test_wrong_bytes_are_refused(
        self, generator: DiffusersGenerator, make: Make, tiny_folder: Path, tmp_path: Path
    ) -> None:
        file = tmp_path / "broken.safetensors"
        file.write_bytes(b"not at all")
        with pytest.raises(RequestError, match="no safetensors file"):
            _one(generator, make, tiny_folder, adapters=(AdapterRef(kind="lora", repo=str(file)),))

    def test_one_that_cannot_be_taken_off_spoils_the_model(
        self, make: Make, tiny_folder: Path, lora: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from sdsafe.generation._diffusers import DiffusersGenerator

        generator = DiffusersGenerator(device="cpu", threads=1)
        plain = _one(generator, make, tiny_folder)
        _one(generator, make, tiny_folder, adapters=(AdapterRef(kind="lora", repo=lora),))
        pipe = _pipe(generator)

        def stuck() -> None:
            raise RuntimeError("stuck")

        monkeypatch.setattr(pipe, "unload_lora_weights", stuck)
        with pytest.raises(GenerationError, match="could not be taken off"):
            _one(generator, make, tiny_folder)
        assert (_one(generator, make, tiny_folder) == plain).all()
        assert _pipe(generator) is not pipe


class TestControlNet:
    @pytest.mark.parametrize("task", [Task.GENERATE, Task.TRANSFORM, Task.INPAINT])
    def test_it_steers_every_way(
        self,
        generator: DiffusersGenerator,
        make: Make,
        picture: Picture,
        tiny_folder: Path,
        controlnet: str,
        task: Task,
    ) -> None:
        own = {
            Task.GENERATE: (), Task.TRANSFORM: (picture(IMAGE, PICTURE),),
            Task.INPAINT: (picture(IMAGE, PICTURE), picture(MASK, LEFT)),
        }[task]  # fmt: skip
        size = {} if task is Task.GENERATE else {"size": None}
        common = {"task": task, **size, "parameters": {} if task is Task.GENERATE else {"strength": 1.0}}
        adapters = (AdapterRef(kind="controlnet", repo=controlnet),)
        plain = _one(generator, make, tiny_folder, inputs=own, **common)
        one, other = (
            _one(generator, make, tiny_folder, inputs=(*own, picture(CONTROL, each)), adapters=adapters, **common)
            for each in (PICTURE, np.roll(PICTURE, 16, axis=1))
        )
        assert (one != plain).any()
        assert (one != other).any()  # it is the picture that steers
        assert (_one(generator, make, tiny_folder, inputs=own, **common) == plain).all()

    def test_its_picture_is_needed_and_no_other(
        self, generator: DiffusersGenerator, make: Make, picture: Picture, tiny_folder: Path, controlnet: str
    ) -> None:
        with pytest.raises(RequestError, match="role control"):
            _one(generator, make, tiny_folder, adapters=(AdapterRef(kind="controlnet", repo=controlnet),))
        with pytest.raises(RequestError, match="no input pictures"):
            _one(generator, make, tiny_folder, inputs=(picture(CONTROL, PICTURE),))

    def test_a_foreign_class_is_refused(
        self,
        generator: DiffusersGenerator,
        make: Make,
        picture: Picture,
        tiny_folder: Path,
        tmp_path: Path,
        controlnet: str,
    ) -> None:
        import shutil

        folder = tmp_path / "foreign"
        shutil.copytree(controlnet, folder)
        config = folder / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "_class_name": "UNet2DConditionModel"}))
        with pytest.raises(RequestError, match="its class is UNet2DConditionModel"):
            _one(
                generator, make, tiny_folder, inputs=(picture(CONTROL, PICTURE),),
                adapters=(AdapterRef(kind="controlnet", repo=str(folder)),),
            )  # fmt: skip


class TestIpAdapter:
    def test_its_picture_counts_and_it_leaves_no_trace(
        self, generator: DiffusersGenerator, make: Make, picture: Picture, tiny_folder: Path, ip_adapter: str
    ) -> None:
        plain = _one(generator, make, tiny_folder)
        before = _state(generator)
        adapters = (AdapterRef(kind="ip-adapter", repo=ip_adapter, weight=0.8),)
        one, other = (
            _one(generator, make, tiny_folder, adapters=adapters, inputs=(picture(REFERENCE, each),))
            for each in (PICTURE, np.full_like(PICTURE, 240))
        )
        assert (one != plain).any()
        assert (one != other).any()
        assert (_one(generator, make, tiny_folder) == plain).all()
        assert _state(generator) == before

    def test_all_three_go_together(
        self, generator: DiffusersGenerator, make: Make, picture: Picture, tiny_folder: Path,
        ip_adapter: str, lora: str, controlnet: str,
    ) -> None:  # fmt: skip
        plain = _one(generator, make, tiny_folder)
        kinds = {"ip-adapter": ip_adapter, "lora": lora, "controlnet": controlnet}
        adapters = tuple(AdapterRef(kind=kind, repo=repo) for kind, repo in kinds.items())
        inputs = (picture(REFERENCE, PICTURE), picture(CONTROL, PICTURE))
        assert (_one(generator, make, tiny_folder, adapters=adapters, inputs=inputs) != plain).any()
        assert (_one(generator, make, tiny_folder) == plain).all()

    def test_without_its_encoder_it_is_incomplete(
        self, generator: DiffusersGenerator, make: Make, picture: Picture, tiny_folder: Path, tmp_path: Path, lora: str
    ) -> None:
        file = tmp_path / "ip.safetensors"
        file.write_bytes(Path(lora).read_bytes())
        with pytest.raises(RequestError, match=r"incomplete: no image_encoder/config\.json"):
            _one(
                generator, make, tiny_folder, inputs=(picture(REFERENCE, PICTURE),),
                adapters=(AdapterRef(kind="ip-adapter", repo=str(file)),),
            )  # fmt: skip


class TestLocating:
    def test_a_folder_with_one_file_needs_no_name(self, lora: str) -> None:
        found = AdapterLocator(Hub(offline=True)).locate(AdapterRef(kind="lora", repo=str(Path(lora).parent)))
        assert (found.repo, found.file) == ("local:sketch", "sketch.safetensors")
        assert found.revision == found.digest

    def test_one_of_several_is_chosen_by_name(self, tmp_path: Path, lora: str) -> None:
        for name in ("a", "b"):
            (tmp_path / f"{name}.safetensors").write_bytes(Path(lora).read_bytes())
        locator = AdapterLocator(Hub(offline=True))
        with pytest.raises(RequestError, match="several") as caught:
            locator.locate(AdapterRef(kind="lora", repo=str(tmp_path)))
        assert "a.safetensors" in caught.value.hint
        chosen = locator.locate(AdapterRef(kind="lora", repo=str(tmp_path), file="b.safetensors"))
        assert chosen.file == "b.safetensors"
        with pytest.raises(RequestError, match="no file"):
            locator.locate(AdapterRef(kind="lora", repo=str(tmp_path), file="../b.safetensors"))

    def test_pickles_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "pytorch_lora_weights.bin").write_bytes(b"x")
        with pytest.raises(RequestError, match="no safetensors weights") as caught:
            AdapterLocator(Hub(offline=True)).locate(AdapterRef(kind="lora", repo=str(tmp_path)))
        assert "run code" in caught.value.hint

    def test_the_licence_stands_beside_it(self, tmp_path: Path, lora: str) -> None:
        (tmp_path / "x.safetensors").write_bytes(Path(lora).read_bytes())
        (tmp_path / "sdsafe.json").write_text('{"license": "apache-2.0"}')
        found = AdapterLocator(Hub(offline=True)).locate(AdapterRef(kind="lora", repo=str(tmp_path)))
        assert found.license == "apache-2.0"

    def test_other_files_than_those_asked_for_are_refused(self, lora: str) -> None:
        with pytest.raises(GenerationError, match="wrong hash"):
            AdapterLocator(Hub(offline=True)).locate(AdapterRef(kind="lora", repo=lora, digest="0" * 64))

    @pytest.mark.parametrize(
        "repo", ["", "no-such-thing", "/nowhere/at/all", "a/b/c", "owner/file.safetensors", "x\0y"]
    )
    def test_what_is_not_there_is_refused(self, repo: str) -> None:
        with pytest.raises(RequestError, match="no adapter"):
            AdapterLocator(Hub(offline=True)).locate(AdapterRef(kind="lora", repo=repo))

    def test_a_recorded_name_needs_its_folder(self) -> None:
        with pytest.raises(RequestError, match="does not know its folder"):
            AdapterLocator(Hub(offline=True)).locate(AdapterRef(kind="lora", repo="local:sketch"))

    def test_a_hub_adapter_is_pinned_to_a_commit(self, hub_cache: Path, lora: str) -> None:
        snapshot = next((hub_cache / "models--example--tiny" / "snapshots").iterdir())
        folder = hub_cache / "models--example--sketch"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text(snapshot.name)
        (folder / "snapshots" / snapshot.name).mkdir(parents=True)
        (folder / "snapshots" / snapshot.name / "pytorch_lora_weights.safetensors").write_bytes(Path(lora).read_bytes())
        locator = AdapterLocator(Hub(offline=True, cache=hub_cache))
        found = locator.locate(AdapterRef(kind="lora", repo="example/sketch"))
        assert (found.revision, found.digest) == (snapshot.name, None)
        assert locator.identify(found).ref.digest
