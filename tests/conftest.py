"""Fixtures that every part of the suite may ask for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe._internal.locations import default_places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sdsafe.settings import Settings
    from sdsafe.testing.authority import Authority

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository_root() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Third-party test data; tests that use it skip where it is absent."""
    folder = Path(os.environ.get("SDSAFE_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("third-party test data is not here (set SDSAFE_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def model_cache() -> Path:
    """The cache that `make weights` fills; tests marked `weights` skip where it is empty."""
    return default_places(os.environ).cache


@pytest.fixture(scope="session")
def signed_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """State folder that one released picture (`signed_png`) was recorded in."""
    from sdsafe.testing.pipeline import signed_png as release

    state = tmp_path_factory.mktemp("signed")
    (state / "signed.png").write_bytes(release(state))
    return state


@pytest.fixture(scope="session")
def signed_png(signed_state: Path) -> Path:
    """A released picture, made without a diffusion model: everything after generation is real."""
    return signed_state / "signed.png"


@pytest.fixture(scope="session")
def signed_root(signed_state: Path) -> Path:
    """The root certificate that `signed_png` is trusted by."""
    return signed_state / "keys" / "root.pem"


@pytest.fixture
def auditor(tmp_path: Path) -> Settings:
    """Settings of somebody who has neither our state nor our configuration."""
    from sdsafe.settings import Settings

    env = {"HOME": str(tmp_path), "SDSAFE_HOME": str(tmp_path / "none")}
    return Settings.load(env, site=tmp_path / "none.toml")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("weights") is None:
        return
    if not (default_places(os.environ).models / "open-nsfw" / "open-nsfw.onnx").is_file():
        pytest.skip("classifier weights are not pulled: make weights")


@pytest.fixture(scope="session")
def _served_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: make system-packages")
    from sdsafe.testing.authority import serving

    with serving(tmp_path_factory.mktemp("time")) as authority:
        yield authority


@pytest.fixture
def time_authority(_served_authority: Authority) -> Authority:
    """A time-stamp authority on loopback that grants; a test may set its ``behaviour``."""
    _served_authority.behaviour = "grants"
    _served_authority.queries.clear()
    return _served_authority


# Small pipelines with random weights, one of each family that runs in CI, saved as `save_pretrained` writes them.


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``builtin:tiny`` as ``save_pretrained`` writes it."""
    from sdsafe.generation import _libraries, _tiny

    assert _libraries  # its log filter comes before diffusers
    folder = tmp_path_factory.mktemp("models") / "tiny-sd"
    _tiny.build().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sdxl(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> str:
    import torch
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    torch.manual_seed(0)
    tokenizer = CLIPTokenizer.from_pretrained(tiny_folder / "tokenizer")
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, projection_dim=32, eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(32, 64), norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=64, attention_head_dim=8, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=80, transformer_layers_per_block=1,
    )  # fmt: skip
    pipe = StableDiffusionXLPipeline(
        vae=AutoencoderKL.from_pretrained(tiny_folder / "vae"), unet=unet,
        text_encoder=CLIPTextModel(config), text_encoder_2=CLIPTextModelWithProjection(config),
        tokenizer=tokenizer, tokenizer_2=tokenizer, scheduler=EulerDiscreteScheduler(), add_watermarker=False,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("xl") / "tiny-xl"
    pipe.save_pretrained(folder)
    return str(folder)


def _clip(tokenizer: Any, *, projected: bool) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, projection_dim=32, eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def _flow_autoencoder() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        layers_per_block=1, block_out_channels=(8, 16, 16, 32), norm_num_groups=4, latent_channels=16,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06, scaling_factor=1.5,
    )  # fmt: skip


@pytest.fixture(scope="session")
def sd3(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Stable Diffusion 3 without its largest text encoder, as many use it."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    from sdsafe.generation import _tiny

    torch.manual_seed(0)
    tokenizer = _tiny.build().tokenizer
    transformer = SD3Transformer2DModel(
        sample_size=32, patch_size=1, in_channels=16, out_channels=16, num_layers=1, attention_head_dim=8,
        num_attention_heads=4, joint_attention_dim=32, caption_projection_dim=32, pooled_projection_dim=64,
    )  # fmt: skip
    pipe = StableDiffusion3Pipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(), vae=_flow_autoencoder(),
        text_encoder=_clip(tokenizer, projected=True), tokenizer=tokenizer,
        text_encoder_2=_clip(tokenizer, projected=True), tokenizer_2=tokenizer,
        text_encoder_3=None, tokenizer_3=None,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("sd3") / "tiny-sd3"
    pipe.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def flux(tmp_path_factory: pytest.TempPathFactory) -> str:
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    from sdsafe.generation import _tiny

    torch.manual_seed(0)
    tokenizer = _tiny.build().tokenizer
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -1.0)]
    letters = T5Tokenizer(vocab=[*pieces, *((chr(code), -2.0) for code in range(33, 127))], extra_ids=0)
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=[4, 4, 8], guidance_embeds=True,
    )  # fmt: skip
    pipe = FluxPipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=_flow_autoencoder(), text_encoder=_clip(tokenizer, projected=False), tokenizer=tokenizer,
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=len(letters), d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
        ),
        tokenizer_2=letters,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("flux") / "tiny-flux"
    pipe.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Chroma, of 2025: a transformer of Flux's kind with T5 alone."""
    import torch
    from diffusers import ChromaPipeline, ChromaTransformer2DModel, FlowMatchEulerDiscreteScheduler
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    torch.manual_seed(0)
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -1.0)]
    letters = T5Tokenizer(vocab=[*pieces, *((chr(code), -2.0) for code in range(33, 127))], extra_ids=0)
    transformer = ChromaTransformer2DModel(
        patch_size=1, in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, axes_dims_rope=(4, 4, 8), approximator_num_channels=64, approximator_hidden_dim=32,
        approximator_layers=1,
    )  # fmt: skip
    pipe = ChromaPipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(), vae=_flow_autoencoder(),
        text_encoder=T5EncoderModel(
            T5Config(vocab_size=len(letters), d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
        ),
        tokenizer=letters,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("chroma") / "tiny-chroma"
    pipe.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def dance(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Dance Diffusion: a one-dimensional U-Net over the samples themselves, without texts. 0.032 s at 16 kHz."""
    import torch
    from diffusers import DanceDiffusionPipeline, IPNDMScheduler, UNet1DModel

    torch.manual_seed(0)
    unet = UNet1DModel(
        block_out_channels=(32, 32, 64), extra_in_channels=64, sample_size=512, sample_rate=16_000,
        in_channels=2, out_channels=2, flip_sin_to_cos=True, use_timestep_embedding=False,
        time_embedding_type="fourier", mid_block_type="UNetMidBlock1D",
        down_block_types=("DownBlock1DNoSkip", "DownBlock1D", "AttnDownBlock1D"),
        up_block_types=("AttnUpBlock1D", "UpBlock1D", "UpBlock1DNoSkip"),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("dance") / "tiny-dance"
    DanceDiffusionPipeline(unet=unet, scheduler=IPNDMScheduler()).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def stable_audio(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Stable Audio: T5, a transformer over latents, and the autoencoder Oobleck. At most 0.2 s at 8 kHz."""
    import torch
    from diffusers import (
        AutoencoderOobleck,
        EDMDPMSolverMultistepScheduler,
        StableAudioDiTModel,
        StableAudioPipeline,
        StableAudioProjectionModel,
    )
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    torch.manual_seed(0)
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -1.0)]
    vocabulary = [*pieces, *((chr(code), -2.0) for code in range(33, 127))]
    letters = T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=32)
    pipe = StableAudioPipeline(
        vae=AutoencoderOobleck(
            encoder_hidden_size=6, downsampling_ratios=[2, 4], decoder_channels=8, decoder_input_channels=4,
            audio_channels=2, channel_multiples=[1, 2], sampling_rate=8000,
        ),
        text_encoder=T5EncoderModel(
            T5Config(vocab_size=len(letters), d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
        ),
        projection_model=StableAudioProjectionModel(
            text_encoder_dim=32, conditioning_dim=8, min_value=0, max_value=32
        ),
        tokenizer=letters,
        transformer=StableAudioDiTModel(
            sample_size=200, in_channels=4, out_channels=4, num_layers=1, attention_head_dim=4,
            num_attention_heads=2, num_key_value_attention_heads=2, cross_attention_dim=8, time_proj_dim=8,
            global_states_input_dim=16, cross_attention_input_dim=8,
        ),
        scheduler=EDMDPMSolverMultistepScheduler(
            solver_order=2, prediction_type="v_prediction", sigma_data=1.0, sigma_schedule="exponential"
        ),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("stable-audio") / "tiny-stable-audio"
    pipe.save_pretrained(folder)
    return str(folder)


# Adapters with random weights that fit ``tiny_folder``.


def _save_lora(path: Path, model: Path, seed: int) -> str:
    """Write a LoRA for every query and value projection of the U-Net in ``model``."""
    import safetensors.torch
    import torch

    torch.manual_seed(seed)
    weights = safetensors.torch.load_file(model / "unet" / "diffusion_pytorch_model.safetensors")
    tensors = {}
    for name, each in weights.items():
        if name.endswith(("to_q.weight", "to_v.weight")):
            layer = "unet." + name.removesuffix(".weight")
            tensors[f"{layer}.lora_A.weight"] = torch.randn(2, each.shape[1])
            tensors[f"{layer}.lora_B.weight"] = torch.randn(each.shape[0], 2)
    path.parent.mkdir(exist_ok=True)
    safetensors.torch.save_file(tensors, path)
    return str(path)


@pytest.fixture(scope="session")
def lora(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> str:
    return _save_lora(tmp_path_factory.mktemp("lora") / "sketch" / "sketch.safetensors", tiny_folder, 1)


@pytest.fixture(scope="session")
def controlnet(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> str:
    import torch
    from diffusers import ControlNetModel, UNet2DConditionModel

    torch.manual_seed(2)
    unet = UNet2DConditionModel.from_pretrained(tiny_folder / "unet")
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 8, 16, 16))
    for each in net.parameters():  # a new one is made of zeros at its ends, so that it does nothing
        if not each.any():
            torch.nn.init.normal_(each, std=0.3)
    folder = tmp_path_factory.mktemp("controlnet") / "edges"
    net.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def ip_adapter(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> str:
    """An IP-adapter as its makers publish it: one file, and the image encoder in a folder beside it."""
    import safetensors.torch
    import torch
    from diffusers import UNet2DConditionModel
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(4)
    unet = UNet2DConditionModel.from_pretrained(tiny_folder / "unet")
    width, number, tensors = unet.config.cross_attention_dim, 4, {}
    tensors["image_proj.proj.weight"] = torch.randn(number * width, 16)
    tensors["image_proj.proj.bias"] = torch.randn(number * width)
    tensors["image_proj.norm.weight"], tensors["image_proj.norm.bias"] = torch.ones(width), torch.zeros(width)
    cross = [name for name in unet.attn_processors if "attn2" in name]
    for place, name in enumerate(cross):
        layer = unet.get_submodule(name.removesuffix(".processor"))
        for part in ("to_k_ip", "to_v_ip"):
            tensors[f"ip_adapter.{2 * place + 1}.{part}.weight"] = torch.randn(layer.to_k.weight.shape)
    folder = tmp_path_factory.mktemp("ip") / "style"
    folder.mkdir()
    safetensors.torch.save_file(tensors, folder / "ip-adapter_tiny.safetensors")
    CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=16, intermediate_size=32, projection_dim=16, num_hidden_layers=1, num_attention_heads=2,
            image_size=32, patch_size=8,
        )
    ).save_pretrained(folder / "image_encoder")  # fmt: skip
    return str(folder)


@pytest.fixture(scope="session")
def save_lora() -> Callable[[Path, Path, int], str]:
    """Return what writes a LoRA for a model folder, from a seed."""
    return _save_lora
