"""The embedded model is whole, small, loads through the ordinary classes, encodes any prompt and repeats itself."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sdsafe_scenes

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
FOLDER = sdsafe_scenes.path()
PROMPT = "a red house on green hills at sunset"


def test_every_file_has_its_digest() -> None:
    lines = (FOLDER / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    wanted = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = {
        path.relative_to(FOLDER).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in FOLDER.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS" and "__pycache__" not in path.parts
    }
    assert found == wanted


def test_whole_folder_stays_under_25_megabytes() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 25_000_000


def test_weights_are_only_safetensors() -> None:
    assert not [path for path in FOLDER.rglob("*") if path.suffix in {".bin", ".pt", ".pth", ".ckpt", ".pkl"}]
    assert len(list(FOLDER.rglob("*.safetensors"))) == 3


@pytest.fixture(scope="module")
def pipe() -> Any:
    loaded = diffusers.AutoPipelineForText2Image.from_pretrained(FOLDER, local_files_only=True)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def _make(pipe: Any, seed: int = 0, **more: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    settings: dict[str, Any] = {"num_inference_steps": 4, "guidance_scale": 4.0} | more
    generator = torch.Generator().manual_seed(seed)
    return np.asarray(pipe(PROMPT, generator=generator, output_type="np", **settings).images[0])


def test_default_size_is_512(pipe: Any) -> None:
    assert pipe.unet.config.sample_size * pipe.vae_scale_factor == 512


def test_same_seed_same_picture_and_other_seed_another(pipe: Any) -> None:
    first = _make(pipe)
    assert first.shape == (512, 512, 3)
    assert np.array_equal(first, _make(pipe))
    assert not np.array_equal(first, _make(pipe, seed=1))


@pytest.mark.parametrize(
    "prompt", ["", "a", "日本語 🎈 مرحبا", "\x00\x07\u200b", "Ünïcödé\n\ttabs", "x" * 5000, "\U0010ffff"]
)
def test_any_prompt_encodes(pipe: Any, prompt: str) -> None:
    ids = pipe.tokenizer(prompt, padding="max_length", truncation=True, max_length=64).input_ids
    assert len(ids) == 64
    assert max(ids) < len(pipe.tokenizer)


def test_every_byte_has_a_token(pipe: Any) -> None:
    """No text may fall back to the end-of-text token, which also means unknown."""
    text = "".join(chr(point) for point in [*range(0x21, 0x180), 0x4E00, 0x1F388])
    for letter in text:
        ids = pipe.tokenizer(letter, add_special_tokens=False).input_ids
        assert pipe.tokenizer.eos_token_id not in ids


@pytest.mark.parametrize("name", ["DDIMScheduler", "DPMSolverMultistepScheduler", "EulerDiscreteScheduler"])
def test_schedulers_run_and_stay_finite(pipe: Any, name: str) -> None:
    own = pipe.scheduler
    try:
        pipe.scheduler = getattr(diffusers, name).from_config(own.config)
        picture = _make(pipe)
    finally:
        pipe.scheduler = own
    assert np.isfinite(picture).all()
    assert picture.std() > 0.02


def test_image_to_image_and_inpainting_load() -> None:
    for name in ("AutoPipelineForImage2Image", "AutoPipelineForInpainting"):
        loaded = getattr(diffusers, name).from_pretrained(FOLDER, local_files_only=True)
        assert loaded.vae.config.latent_channels == 16


def test_encoder_is_certain(pipe: Any) -> None:
    """Encoding draws no random numbers that matter: a replay of image-to-image finds the same latents."""
    picture = torch.rand((1, 3, 128, 128), generator=torch.Generator().manual_seed(2)) * 2 - 1
    with torch.no_grad():
        spread = pipe.vae.encode(picture).latent_dist
    assert float(spread.std.max()) < 1e-3


def test_readme_tells_what_a_model_card_must() -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for heading in ("Data", "Grammar", "Training run", "Measured quality", "Limits", "Licence"):
        assert f"## {heading}" in card
    assert Path(FOLDER / "sdsafe.json").exists()
