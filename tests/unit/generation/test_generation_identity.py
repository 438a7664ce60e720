from __future__ import annotations

import hashlib
import os
import shutil
import socket
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from sdsafe.core.request import FileDigest, ModelRef
from sdsafe.errors import GenerationError, RequestError
from sdsafe.generation.hub import Hub, silence
from sdsafe.generation.identity import Locator, expect, model_digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def locator() -> Locator:
    return Locator(Hub(offline=True))


def test_a_local_folder_is_recorded_by_name_and_digest_never_by_path(tiny_folder: Path, locator: Locator) -> None:
    located = locator.locate(ModelRef(repo=str(tiny_folder)))
    assert located.ref.repo == "local:tiny-sd"
    assert str(tiny_folder.parent) not in repr(located)
    ref = locator.identify(located).ref
    assert [item.name for item in ref.files] == [
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    ]
    for item in ref.files:
        data = (tiny_folder / item.name).read_bytes()
        assert (item.size, item.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert ref.digest == model_digest(ref.files)
    assert ref.pipeline == "StableDiffusionPipeline"


def test_a_recorded_name_leads_back_to_the_folder_in_the_same_process_only(tiny_folder: Path, locator: Locator) -> None:
    locator.locate(ModelRef(repo=str(tiny_folder)))
    assert locator.locate(ModelRef(repo="local:tiny-sd")).ref.repo == "local:tiny-sd"
    with pytest.raises(RequestError, match="recorded name"):
        Locator(Hub(offline=True)).locate(ModelRef(repo="local:tiny-sd"))


def test_two_folders_of_one_name_stay_apart(tiny_folder: Path, locator: Locator, tmp_path: Path) -> None:
    other = tmp_path / "tiny-sd"
    shutil.copytree(tiny_folder, other)
    with (other / "vae" / "diffusion_pytorch_model.safetensors").open("r+b") as stream:
        stream.seek(-4, os.SEEK_END)
        stream.write(b"\0\0\0\0")
    names = [locator.locate(ModelRef(repo=str(folder))).ref.repo for folder in (tiny_folder, other, tiny_folder)]
    assert names == ["local:tiny-sd", "local:tiny-sd~2", "local:tiny-sd"]
    first, second = (locator.identify(locator.locate(ModelRef(repo=name))).ref for name in names[:2])
    assert first.digest != second.digest


def test_the_digest_is_of_weights_the_revision_of_everything(
    tiny_folder: Path, locator: Locator, tmp_path: Path, edit_json: Callable[..., None]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_folder, other)
    edit_json(other / "scheduler" / "scheduler_config.json", lambda config: config.update(steps_offset=0))
    first, second = (locator.identify(locator.locate(ModelRef(repo=str(f)))).ref for f in (tiny_folder, other))
    assert first.digest == second.digest
    assert first.revision != second.revision


def test_changed_files_are_hashed_again_unchanged_ones_are_not(
    tiny_folder: Path, locator: Locator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_folder, folder)
    located = locator.locate(ModelRef(repo=str(folder)))
    model = locator.identify(located)
    opened: list[object] = []
    original = hashlib.file_digest

    def counting(stream: Any, name: str) -> Any:
        opened.append(stream.name)
        return original(stream, name)

    monkeypatch.setattr(hashlib, "file_digest", counting)
    assert locator.identify(located).ref == model.ref
    assert opened == []
    assert model.unchanged()
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    os.utime(weights, ns=(1, 1))
    assert not model.unchanged()
    assert locator.identify(located).ref.digest != model.ref.digest
    assert len(opened) == 1


def test_a_wrong_digest_or_revision_is_found_before_loading(tiny_folder: Path, locator: Locator) -> None:
    found = locator.identify(locator.locate(ModelRef(repo=str(tiny_folder)))).ref
    expect(ModelRef(repo="x"), found)
    expect(ModelRef(repo="x", digest=found.digest), found)
    with pytest.raises(GenerationError, match="wrong hash") as caught:
        expect(ModelRef(repo="x", digest="0" * 64), found)
    assert caught.value.code == "model.wrong-hash"
    with pytest.raises(GenerationError, match="wrong hash"):
        locator.identify(locator.locate(ModelRef(repo=str(tiny_folder), revision="0" * 64)))


def test_the_digest_does_not_depend_on_the_order_of_files() -> None:
    a, b = (FileDigest(name=name, size=1, sha256=name * 64) for name in "ab")
    assert model_digest([a, b]) == model_digest([b, a])
    assert model_digest([a]) != model_digest([a, b])


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nowhere",
        "./nowhere",
        "/nowhere/at/all",
        "a/b/c",
        "builtin:huge",
        "~nobody-of-that-name/x",
        "a\0b",
        "x" * 5000,
    ],
)
def test_unknown_models_are_request_errors(
    name: str, locator: Locator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError) as caught:
        locator.locate(ModelRef(repo=name))
    assert caught.value.code in {"model.unknown", "model.malformed"}
    assert caught.value.hint


def test_a_folder_without_an_index_says_what_is_needed(locator: Locator, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"no model_index\.json"):
        locator.locate(ModelRef(repo=str(tmp_path)))


def test_scenes_without_weights_is_a_typed_error(
    locator: Locator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sdsafe_scenes

    monkeypatch.setattr(sdsafe_scenes, "path", lambda: tmp_path, raising=False)
    with pytest.raises(RequestError, match="builtin:scenes is not in this installation") as caught:
        locator.locate(ModelRef(repo="builtin:scenes"))
    assert caught.value.code == "model.incomplete"
    assert str(tmp_path) not in str(caught.value) + caught.value.hint


def test_scenes_is_loaded_like_any_folder_under_its_own_name_and_licence(
    locator: Locator, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sdsafe_scenes

    monkeypatch.setattr(sdsafe_scenes, "path", lambda: tiny_folder, raising=False)
    ref = locator.identify(locator.locate(ModelRef(repo="builtin:scenes"))).ref
    assert (ref.repo, ref.license) == ("builtin:scenes", "Apache-2.0")
    assert ref.revision is not None
    assert len(ref.revision) == 64


def test_a_folder_with_pickles_only_is_refused(tiny_folder: Path, locator: Locator, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(tiny_folder, folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(RequestError, match=r"unet/diffusion_pytorch_model\.bin is refused") as caught:
        locator.identify(locator.locate(ModelRef(repo=str(folder))))
    assert caught.value.code == "model.pickle-only"


def test_an_unreadable_weight_file_is_a_generation_error(tiny_folder: Path, locator: Locator, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(tiny_folder, folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.unlink()
    weights.symlink_to(tmp_path / "gone")
    with pytest.raises(GenerationError, match="cannot be read") as caught:
        locator.identify(locator.locate(ModelRef(repo=str(folder))))
    assert str(tmp_path) not in str(caught.value)


class TestHub:
    def test_a_cached_model_needs_no_network(self, hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_args: object) -> NoReturn:
            raise AssertionError("a connection was tried while offline")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        locator = Locator(Hub(offline=True, cache=hub_cache))
        located = locator.locate(ModelRef(repo="example/tiny"))
        assert (located.ref.repo, located.ref.revision) == ("example/tiny", COMMIT)
        ref = locator.identify(located).ref
        assert ref.revision == COMMIT
        assert len(ref.files) == 3

    def test_a_revision_may_follow_the_name(self, hub_cache: Path) -> None:
        locator = Locator(Hub(offline=True, cache=hub_cache))
        for name in ("example/tiny@main", f"example/tiny@{COMMIT}"):
            ref = locator.locate(ModelRef(repo=name)).ref
            assert (ref.repo, ref.revision) == ("example/tiny", COMMIT)

    def test_what_is_not_cached_is_said_to_be_so(self, hub_cache: Path) -> None:
        for name in ("example/other", "example/tiny@v2"):
            with pytest.raises(RequestError, match="not in the local cache") as caught:
                Locator(Hub(offline=True, cache=hub_cache)).locate(ModelRef(repo=name))
            assert caught.value.code == "model.not-cached"
            assert str(hub_cache) not in str(caught.value) + caught.value.hint

    def test_description_first_then_only_the_files_that_are_loaded(
        self, tiny_folder: Path, tmp_path: Path, hub_server: Callable[[Path], Any]
    ) -> None:
        folder = tmp_path / "served"
        shutil.copytree(tiny_folder, folder)
        (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"never asked for")
        (folder / "pipeline.py").write_text("never asked for")
        with hub_server(folder) as (endpoint, asked):
            locator = Locator(Hub(offline=False, cache=tmp_path / "cache", endpoint=endpoint))
            located = locator.locate(ModelRef(repo="example/tiny"))
            assert located.ref.revision == COMMIT
            assert not [path for path in asked if path.endswith((".safetensors", ".bin", ".py"))]
            ref = locator.identify(located).ref
        assert not [path for path in asked if path.endswith((".bin", ".py"))]
        local = Locator(Hub(offline=True))
        assert ref.digest == local.identify(local.locate(ModelRef(repo=str(tiny_folder)))).ref.digest

    def test_an_unknown_repository_and_an_unreachable_hub_differ(
        self, tiny_folder: Path, tmp_path: Path, hub_server: Callable[[Path], Any]
    ) -> None:
        with hub_server(tiny_folder) as (endpoint, _):
            locator = Locator(Hub(offline=False, cache=tmp_path, endpoint=endpoint))
            with pytest.raises(RequestError, match="no such model on the hub"):
                locator.locate(ModelRef(repo="example/none"))
        with pytest.raises(GenerationError, match="cannot be reached") as caught:
            locator.locate(ModelRef(repo="example/tiny"))
        assert caught.value.code == "model.unreachable"

    def test_offline_is_told_to_libraries_that_are_not_imported_yet(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
            monkeypatch.delenv(name, raising=False)
        silence(offline=False, imported=())
        assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
        assert "HF_HUB_OFFLINE" not in os.environ
        silence(offline=True, imported=("diffusers",))
        assert "HF_HUB_OFFLINE" not in os.environ
        silence(offline=True, imported=())
        assert os.environ["HF_HUB_OFFLINE"] == os.environ["TRANSFORMERS_OFFLINE"] == "1"
        monkeypatch.delenv("HF_HUB_OFFLINE")
        monkeypatch.delenv("TRANSFORMERS_OFFLINE")
