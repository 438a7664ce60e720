from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.core.request import Size
from sdsafe.errors import RequestError
from sdsafe.generation.defaults import read_defaults
from sdsafe.generation.layout import INDEX, config_files, read_components, read_json, select_weights

if TYPE_CHECKING:
    from pathlib import Path

UNET, VAE = "unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model"
INDEX_OF_SD: dict[str, Any] = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.42.1",
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "image_encoder": [None, None],
    "requires_safety_checker": True,
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def test_the_safety_checker_of_the_model_is_set_aside_with_what_serves_it() -> None:
    components = read_components(INDEX_OF_SD)
    assert components.pipeline == "StableDiffusionPipeline"
    assert components.set_aside == ("safety_checker", "feature_extractor")
    assert sorted(components.loaded) == ["scheduler", "tokenizer", "unet", "vae"]


def test_a_feature_extractor_that_serves_the_model_stays() -> None:
    index = {key: value for key, value in INDEX_OF_SD.items() if key != "safety_checker"}
    assert "feature_extractor" in read_components(index).loaded


@pytest.mark.parametrize(
    "change",
    [
        {"_class_name": ["my_pipeline", "MyPipeline"]},
        {"unet": ["my_module", "MyUNet"]},
        {"unet": ["os", "system"]},
        {"unet": ["diffusers.utils", "anything"]},
        {"unet": ["../diffusers", "anything"]},
        {"unet": ["diffusers", "OnnxRuntimeModel"]},
        {"unet": ["diffusers", "FlashPackUNet"]},
        {"../unet": ["diffusers", "UNet2DConditionModel"]},
    ],
)
def test_foreign_classes_are_refused_by_name(change: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="code of its own") as caught:
        read_components(INDEX_OF_SD | change)
    assert caught.value.code == "model.custom-code"


def test_classes_of_single_pipelines_are_known() -> None:
    # diffusers records such classes under the name of their pipeline's folder.
    assert "prior" in read_components(INDEX_OF_SD | {"prior": ["stable_cascade", "StableCascadeUNet"]}).loaded


@pytest.mark.parametrize("index", [None, [], "x", {}, {"_class_name": 3}, {"_class_name": "no name"}])
def test_what_is_no_index_is_malformed(index: object) -> None:
    with pytest.raises(RequestError) as caught:
        read_components(index)
    assert caught.value.code == "model.malformed"


def test_full_precision_is_preferred() -> None:
    names = [f"{UNET}.safetensors", f"{UNET}.fp16.safetensors", f"{VAE}.safetensors", f"{UNET}.bin"]
    selection = select_weights(names, read_components(INDEX_OF_SD))
    assert selection.files == (f"{UNET}.safetensors", f"{VAE}.safetensors")
    assert selection.variant is None


def test_half_precision_is_taken_where_there_is_nothing_else() -> None:
    names = [f"{UNET}.fp16.safetensors", f"{VAE}.safetensors", f"{VAE}.fp16.safetensors"]
    selection = select_weights(names, read_components(INDEX_OF_SD))
    # As diffusers does: with a variant, every component that has it uses it.
    assert selection.files == (f"{UNET}.fp16.safetensors", f"{VAE}.fp16.safetensors")
    assert selection.variant == "fp16"


def test_shards_belong_together_and_other_files_do_not() -> None:
    shards = [f"{UNET}-0000{i}-of-00002.safetensors" for i in (1, 2)]
    extra = [
        f"{UNET}.non_ema.safetensors",
        "sd_xl_base.safetensors",
        "unet/openvino/x.safetensors",
        "unet/x.safetensors",
    ]
    selection = select_weights([*shards, *extra, f"{VAE}.safetensors"], read_components(INDEX_OF_SD))
    assert selection.files == (*shards, f"{VAE}.safetensors")


def test_precisions_that_do_not_fit_together_are_incomplete() -> None:
    with pytest.raises(RequestError, match="different precisions"):
        select_weights([f"{UNET}.fp16.safetensors", f"{VAE}.bf16.safetensors"], read_components(INDEX_OF_SD))


@pytest.mark.parametrize("suffix", [".bin", ".ckpt", ".pt", ".pth", ".pkl", ".msgpack", ".onnx"])
def test_pickles_and_the_like_are_refused_by_name(suffix: str) -> None:
    names = [f"{UNET}{suffix}", f"{VAE}.safetensors"]
    with pytest.raises(RequestError, match="is refused") as caught:
        select_weights(names, read_components(INDEX_OF_SD))
    assert caught.value.code == "model.pickle-only"
    assert f"{UNET}{suffix}" in str(caught.value)


def test_missing_weights_are_named() -> None:
    with pytest.raises(RequestError, match="no weights for vae") as caught:
        select_weights([f"{UNET}.safetensors"], read_components(INDEX_OF_SD))
    assert caught.value.code == "model.incomplete"


def test_code_in_the_folder_of_a_component_is_refused() -> None:
    names = [f"{UNET}.safetensors", f"{VAE}.safetensors", "unet/modeling.py"]
    with pytest.raises(RequestError, match=r"unet/modeling\.py"):
        select_weights(names, read_components(INDEX_OF_SD))


def test_configuration_files_are_those_beside_the_weights() -> None:
    names = [
        "README.md",
        "x.json",
        "unet/config.json",
        "tokenizer/merges.txt",
        "safety_checker/config.json",
        "a/b/c.json",
    ]
    assert config_files(names, read_components(INDEX_OF_SD)) == (INDEX, "tokenizer/merges.txt", "unet/config.json")


def test_a_json_file_that_is_none_is_malformed(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    assert read_json(path) is None
    for data in (b"{", b"\xff\xfe", b"[" * 200_000):
        path.write_bytes(data)
        with pytest.raises(RequestError, match=r"x\.json cannot be read") as caught:
            read_json(path)
        assert str(tmp_path) not in str(caught.value)
    with path.open("wb") as stream:
        stream.truncate(17 << 20)
    with pytest.raises(RequestError, match="larger than 16 MiB"):
        read_json(path)


def _write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)


def test_defaults_follow_the_configurations_of_the_model(tmp_path: Path) -> None:
    _write(tmp_path, "unet/config.json", '{"sample_size": 16}')
    _write(tmp_path, "vae/config.json", '{"block_out_channels": [1, 2, 3, 4, 5]}')
    defaults = read_defaults(tmp_path, read_components(INDEX_OF_SD))
    assert defaults.size == Size(width=256, height=256)
    assert defaults.multiple == 16
    assert (defaults.steps, defaults.guidance) == (30, 7.5)
    assert (defaults.scheduler, defaults.own_scheduler) == ("pndm", "PNDMScheduler")


def test_defaults_of_the_family_stand_where_the_model_is_silent(tmp_path: Path) -> None:
    defaults = read_defaults(tmp_path, read_components(INDEX_OF_SD | {"_class_name": "FluxPipeline"}))
    assert defaults.size == Size(width=1024, height=1024)
    assert defaults.multiple == 16


def test_a_sidecar_file_overrides_everything(tmp_path: Path) -> None:
    text = (
        '{"size": "96x128", "multiple": 32, "steps": 3, "guidance": 0, "scheduler": "euler", "license": "MIT", "x": 1}'
    )
    _write(tmp_path, "sdsafe.json", text)
    defaults = read_defaults(tmp_path, read_components(INDEX_OF_SD))
    assert defaults.size == Size(width=96, height=128)
    assert (defaults.multiple, defaults.steps, defaults.guidance) == (32, 3, 0.0)
    assert (defaults.scheduler, defaults.license) == ("euler", "MIT")


@pytest.mark.parametrize(
    "text", ["[]", '{"size": [1, 2]}', '{"size": "bigxbig"}', '{"steps": 0}', '{"guidance": "5"}', '{"scheduler": ""}']
)
def test_a_wrong_sidecar_file_is_an_error_not_ignored(tmp_path: Path, text: str) -> None:
    _write(tmp_path, "sdsafe.json", text)
    with pytest.raises(RequestError, match=r"sdsafe\.json of the model"):
        read_defaults(tmp_path, read_components(INDEX_OF_SD))
