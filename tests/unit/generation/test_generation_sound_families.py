"""The other families of sound pipelines, each built small with random weights, run from a folder to samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe.core.request import Task
from sdsafe.errors import RequestError
from sdsafe.generation.sound_families import SOUND_FAMILIES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.core.states import Generated
    from sdsafe.generation._diffusers import DiffusersGenerator

    Make = Callable[..., list[Generated]]

LETTERS = [chr(code) for code in range(33, 127)]


def _t5_letters() -> Any:
    from transformers import T5Tokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -1.0)]
    return T5Tokenizer(vocab=[*pieces, *((each, -2.0) for each in LETTERS)], extra_ids=0, model_max_length=77)


def _longcat() -> Any:
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        LongCatAudioDiTPipeline,
        LongCatAudioDiTTransformer,
        LongCatAudioDiTVae,
    )
    from transformers import UMT5Config, UMT5EncoderModel

    letters = _t5_letters()
    return LongCatAudioDiTPipeline(
        vae=LongCatAudioDiTVae(
            channels=16, c_mults=[1, 2], strides=[2], latent_dim=8, encoder_latent_dim=16, downsampling_ratio=2,
            sample_rate=8000, final_tanh=True,
        ),
        text_encoder=UMT5EncoderModel(
            UMT5Config(vocab_size=len(letters), d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
        ),
        tokenizer=letters,
        transformer=LongCatAudioDiTTransformer(dit_dim=32, dit_depth=1, dit_heads=2, dit_text_dim=32, latent_dim=8),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0, invert_sigmas=True),
    )  # fmt: skip


def _stable_audio_3() -> Any:
    from diffusers import AutoencoderSAME, FlowMatchEulerDiscreteScheduler, StableAudio3DiTModel, StableAudio3Pipeline
    from diffusers.pipelines.stable_audio_3.modeling_stable_audio_3 import StableAudio3DurationEmbedder
    from transformers import GemmaTokenizer, T5GemmaConfig, T5GemmaEncoderModel

    words = ["<pad>", "<eos>", "<bos>", "<unk>", *LETTERS, "\u2581"]
    tokenizer = GemmaTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[])
    half = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 8, "vocab_size": len(tokenizer),
    }  # fmt: skip
    config = T5GemmaConfig(encoder=half, decoder=dict(half), is_encoder_decoder=False, vocab_size=len(tokenizer))
    return StableAudio3Pipeline(
        vae=AutoencoderSAME(
            audio_channels=2, patch_size=4, encoder_channels=16, encoder_c_mults=(2,), encoder_strides=(2,),
            encoder_transformer_depths=(1,), latent_dim=8, dim_heads=16, ff_mult=2, sampling_rate=8000,
        ),
        text_encoder=T5GemmaEncoderModel(config),
        tokenizer=tokenizer,
        duration_embedder=StableAudio3DurationEmbedder(output_dim=16, fourier_dim=16),
        transformer=StableAudio3DiTModel(
            io_channels=8, embed_dim=32, depth=1, num_heads=2, cond_token_dim=16, global_cond_dim=16,
            local_add_cond_dim=9, timestep_features_dim=16, ff_mult=2, num_memory_tokens=2,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(stochastic_sampling=True),
    )  # fmt: skip


def _audioldm_2() -> Any:
    import torch
    from diffusers import (
        AudioLDM2Pipeline,
        AudioLDM2ProjectionModel,
        AudioLDM2UNet2DConditionModel,
        AutoencoderKL,
        DDIMScheduler,
    )
    from transformers import (
        ClapConfig,
        ClapFeatureExtractor,
        ClapModel,
        GPT2Config,
        GPT2LMHeadModel,
        RobertaTokenizer,
        SpeechT5HifiGan,
        SpeechT5HifiGanConfig,
        T5Config,
        T5EncoderModel,
    )

    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *LETTERS, "\u0120"]
    first = RobertaTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[], model_max_length=77)
    letters = _t5_letters()
    text = {
        "bos_token_id": 0, "eos_token_id": 2, "hidden_size": 8, "intermediate_size": 37, "num_attention_heads": 1,
        "num_hidden_layers": 1, "pad_token_id": 1, "vocab_size": 1000, "projection_dim": 8,
    }  # fmt: skip
    audio = {
        "spec_size": 8, "window_size": 4, "num_mel_bins": 8, "intermediate_size": 37, "depths": [1, 1],
        "num_attention_heads": [1, 1], "num_hidden_layers": 1, "hidden_size": 192, "projection_dim": 8,
        "patch_size": 2, "patch_stride": 2, "patch_embed_input_channels": 4,
    }  # fmt: skip
    language = GPT2LMHeadModel(GPT2Config(n_embd=16, n_head=1, n_layer=1, n_ctx=99, n_positions=99))
    language.config.max_new_tokens = 8
    vocoder = SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=8, sampling_rate=16_000, upsample_initial_channel=16, upsample_rates=[2, 2],
            upsample_kernel_sizes=[4, 4], resblock_kernel_sizes=[3, 7],
            resblock_dilation_sizes=[[1, 3, 5], [1, 3, 5]], normalize_before=False,
        )
    )  # fmt: skip
    with torch.no_grad():  # with weights as they begin it whispers, and nothing of that is left in 16 bits
        for each in vocoder.parameters():
            each.mul_(8)
    blocks = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 8}
    return AudioLDM2Pipeline(
        vae=AutoencoderKL(
            **blocks, in_channels=1, out_channels=1, latent_channels=4,
            down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        ),
        text_encoder=ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=16)),
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=len(letters), d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
        ),
        projection_model=AudioLDM2ProjectionModel(
            text_encoder_dim=16, text_encoder_1_dim=32, langauge_model_dim=16
        ),
        language_model=language,
        tokenizer=first,
        tokenizer_2=letters,
        feature_extractor=ClapFeatureExtractor(hop_length=7900),
        unet=AudioLDM2UNet2DConditionModel(
            **blocks, sample_size=32, in_channels=4, out_channels=4, cross_attention_dim=(8, 16),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        ),
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False
        ),
        vocoder=vocoder,
    )  # fmt: skip


BUILDERS = {"longcat-audio": _longcat, "stable-audio-3": _stable_audio_3, "audioldm-2": _audioldm_2}
EXPECTED = {"longcat-audio": (8000, 1), "stable-audio-3": (8000, 2), "audioldm-2": (16_000, 1)}


@pytest.fixture(scope="module", params=BUILDERS)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(family: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    import torch

    torch.manual_seed(0)
    folder: Path = tmp_path_factory.mktemp(family) / f"tiny-{family}"
    pipe = BUILDERS[family]()
    with torch.no_grad():  # layers that begin at zero would let neither noise nor prompt through
        for module in (each for each in pipe.components.values() if isinstance(each, torch.nn.Module)):
            for parameter in module.parameters():
                if not parameter.any():
                    parameter.normal_(0, 0.2)
    pipe.save_pretrained(folder)
    return str(folder)


class _Counting:
    def __init__(self) -> None:
        self.steps: list[int] = []

    def step(self, _image: int, step: int, _total: int) -> None:
        self.steps.append(step)

    def cancelled(self) -> bool:
        return False


def test_these_and_those_of_the_other_file_are_all() -> None:
    assert {each.name for each in SOUND_FAMILIES} == {*BUILDERS, "stable-audio", "dance-diffusion"}


def test_it_makes_sounds_of_the_asked_length_from_seeds(
    generator: DiffusersGenerator, make: Make, model: str, family: str
) -> None:
    asked: dict[str, Any] = {
        "task": Task.AUDIO, "size": None, "model": model, "prompt": "a bell", "negative_prompt": "noise",
        "seconds": 0.2, "steps": 3,
    }  # fmt: skip
    watch = _Counting()
    (first,) = make(generator, watch, **asked, seed=7)
    (again,) = make(generator, **asked, seed=7)
    (other,) = make(generator, **asked, seed=8)
    (rain,) = make(generator, **{**asked, "prompt": "rain"}, seed=7)
    assert first.sound is not None
    assert again.sound is not None
    assert other.sound is not None
    assert rain.sound is not None
    rate, channels = EXPECTED[family]
    assert (first.sound.rate, first.sound.channels) == (rate, channels)
    assert len(first.sound.samples) == int(0.2 * rate)
    assert np.abs(first.sound.samples.astype(np.int32)).max() > 0
    assert first.sound.sha256 == again.sound.sha256 != other.sound.sha256
    assert rain.sound.sha256 != first.sound.sha256
    assert watch.steps == [1, 2, 3]
    assert first.execution.model.pipeline in {cls for each in SOUND_FAMILIES for cls in each.classes}


def test_a_length_it_cannot_make_is_refused(
    generator: DiffusersGenerator, ask: Callable[..., Any], model: str, family: str
) -> None:
    most = 30.0 if family == "longcat-audio" else 600.0
    for seconds in (0.01, most + 1):
        with pytest.raises(RequestError) as caught:
            generator.resolve(ask(task=Task.AUDIO, size=None, model=model, prompt="a bell", seconds=seconds))
        assert caught.value.code == "request.seconds"
