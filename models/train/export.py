"""Writes the pipeline folder: fp16 safetensors, configurations, tokenizer, and the digest of every file."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import StableDiffusionPipeline

from train import autoencoder, denoiser, text

LIMIT: Final = 25_000_000
SUMS: Final = "SHA256SUMS"


@torch.no_grad()
def _certain(model: Any) -> None:
    """Make the encoder's distribution a point: only means were trained, and a replay must find the same latents."""
    last = model.encoder.conv_out
    last.weight[autoencoder.LATENT_CHANNELS :] = 0
    last.bias[autoencoder.LATENT_CHANNELS :] = -30.0


def write(work: Path, target: Path) -> None:
    """Write the averaged weights of the last checkpoints as a `StableDiffusionPipeline` and check its size."""
    tokenizer = text.build_tokenizer()
    unet, encoder, factor = denoiser.load_average(work, tokenizer)
    vae = autoencoder.load_average(work)
    _certain(vae)
    vae.register_to_config(scaling_factor=round(factor, 5))
    pipeline = StableDiffusionPipeline(
        vae=vae.half(),
        text_encoder=encoder.half(),
        tokenizer=tokenizer,
        unet=unet.half(),
        scheduler=denoiser.build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(target, safe_serialization=True)
    _load_as_float(target / "text_encoder" / "config.json")
    for path in target.rglob("*.safetensors"):
        path.chmod(0o644)
    write_sums(target)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    if size > LIMIT:
        raise ValueError(f"the pipeline folder holds {size} bytes, more than {LIMIT}")
    print("exported", size, "bytes")


def _load_as_float(config: Path) -> None:
    """Have transformers load float32, as diffusers does by default: it would keep the stored fp16 and mix the two."""
    values = json.loads(config.read_text(encoding="utf-8"))
    values["dtype"] = "float32"
    config.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS over every file of the package, in the format of `sha256sum -c`."""
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.name != SUMS and "__pycache__" not in path.parts
    )
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n" for path in files
    ]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
