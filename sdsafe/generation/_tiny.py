"""``builtin:tiny``: a Stable Diffusion pipeline with seeded random weights, built in memory in a tenth of a second.

It makes coloured noise that depends on prompt and seed, through the ordinary classes and code paths: what tests and
a first try without any download need. It has learnt nothing.
"""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import save
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from sdsafe.core.request import FileDigest

__all__ = ["build", "weight_files"]

_SEED = 20261122  # any number; changing it changes the model and so its digest
_START, _END = "<|startoftext|>", "<|endoftext|>"
_FILES = {
    "text_encoder": "model.safetensors",
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
}


def build() -> Any:
    """Return the pipeline, on the CPU in float32; the global state of torch's random numbers is left alone."""
    tokenizer = _tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        unet = UNet2DConditionModel(
            sample_size=32,
            layers_per_block=1,
            block_out_channels=(32, 64),
            norm_num_groups=8,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=32,
            attention_head_dim=8,
        )
        vae = AutoencoderKL(
            sample_size=256,
            layers_per_block=1,
            # Four blocks make the factor 8; with two, attention over the larger latents takes a minute.
            block_out_channels=(8, 16, 16, 32),
            norm_num_groups=4,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
        )
        text_encoder = CLIPTextModel(_text_config(tokenizer))
    return StableDiffusionPipeline(
        unet=unet.eval(),
        vae=vae.eval(),
        text_encoder=text_encoder.eval(),
        tokenizer=tokenizer,
        scheduler=_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def weight_files(pipe: Any) -> tuple[FileDigest, ...]:
    """Return the digests that the weight files of ``pipe`` have when ``save_pretrained`` writes them."""
    digests = []
    for component, name in sorted(_FILES.items()):
        state = {key: value.contiguous() for key, value in getattr(pipe, component).state_dict().items()}
        data = save(state, metadata={"format": "pt"})
        digests.append(FileDigest(name=f"{component}/{name}", size=len(data), sha256=hashlib.sha256(data).hexdigest()))
    return tuple(digests)


def _scheduler() -> Any:
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def _text_config(tokenizer: Any) -> Any:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _tokenizer() -> Any:
    """Return a CLIP tokenizer without merges: one token a byte, so that any text encodes."""
    letters = _byte_letters()
    words = [*letters, *(f"{letter}</w>" for letter in letters), _START, _END]
    return CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[], model_max_length=77)


def _byte_letters() -> list[str]:
    """Return the 256 printable characters by which byte-level BPE writes bytes (GPT-2, ``bytes_to_unicode``)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]
