"""One process, one tiny pipeline on disk, and helpers that turn requests into admitted ones."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe._internal import images
from sdsafe.core.decisions import Decision, Effect
from sdsafe.core.ids import AssetId
from sdsafe.core.request import GenerationRequest, InputImage, ModelRef, PromptDisclosure, Size
from sdsafe.core.states import Admitted, PromptOpening
from sdsafe.generation._diffusers import DiffusersGenerator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.states import Generated

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _ask(**fields: Any) -> GenerationRequest:
    """A request for one small picture, unless ``fields`` say otherwise."""
    model = fields.pop("model", "builtin:tiny")
    ref = model if isinstance(model, ModelRef) else ModelRef(repo=str(model))
    given = {"prompt": "a red house", "seed": 7, "size": Size(width=64, height=64), "steps": 2} | fields
    return GenerationRequest(model=ref, **given)


def _admit(request: GenerationRequest) -> Admitted:
    return Admitted(
        request=request,
        asset_ids=tuple(AssetId(i.to_bytes(8)) for i in range(request.count)),
        opening=PromptOpening(mode=PromptDisclosure.FULL, salt=bytes(32)),
        decision=Decision(effect=Effect.ALLOW, policy=()),
        checks=(),
        admitted_at="2026-11-23T00:00:00Z",
    )


@pytest.fixture(scope="session")
def ask() -> Callable[..., GenerationRequest]:
    return _ask


@pytest.fixture(scope="session")
def admit() -> Callable[[GenerationRequest], Admitted]:
    return _admit


@pytest.fixture(scope="session")
def make() -> Callable[..., list[Generated]]:
    """Resolve, admit and generate in one go."""

    def run(generator: DiffusersGenerator, watch: Any = None, **fields: Any) -> list[Generated]:
        return list(generator.generate(_admit(generator.resolve(_ask(**fields))), watch))

    return run


@pytest.fixture(scope="session")
def generator() -> DiffusersGenerator:
    # One thread: two of them wait for each other for seconds when other processes want the cores too.
    return DiffusersGenerator(device="cpu", threads=1)


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


@pytest.fixture(scope="session")
def sixteen_channels(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> str:
    """A Stable Diffusion pipeline whose latents have 16 channels, as those of `builtin:scenes` have."""
    import torch
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel

    from sdsafe.generation import _tiny

    tiny = _tiny.build()
    torch.manual_seed(0)
    unet = UNet2DConditionModel.from_config({**tiny.unet.config, "in_channels": 16, "out_channels": 16})
    vae = AutoencoderKL.from_config({**tiny.vae.config, "latent_channels": 16})
    pipe = StableDiffusionPipeline(
        unet=unet, vae=vae, text_encoder=tiny.text_encoder, tokenizer=tiny.tokenizer, scheduler=tiny.scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("sixteen") / "tiny-sixteen"
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


def _picture(role: str, pixels: Pixels) -> InputImage:
    data = images.encode(pixels)
    return InputImage(
        role=role, pixels=pixels, sha256=hashlib.sha256(data).hexdigest(), media_type="image/png", data=data
    )


@pytest.fixture(scope="session")
def picture() -> Callable[..., InputImage]:
    """Return what makes an input picture of pixels."""
    return _picture


@pytest.fixture
def edit_json() -> Callable[[Path, Callable[[Any], None]], None]:
    def edit(path: Path, change: Callable[[Any], None]) -> None:
        value = json.loads(path.read_text())
        change(value)
        path.write_text(json.dumps(value))

    return edit


@pytest.fixture
def hub_cache(tmp_path: Path, tiny_folder: Path) -> Path:
    """A hub cache that holds ``example/tiny`` at one commit, laid out as huggingface_hub does."""
    repo = tmp_path / "hub" / "models--example--tiny"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMIT)
    (repo / "snapshots").mkdir()
    (repo / "snapshots" / COMMIT).symlink_to(tiny_folder, target_is_directory=True)
    return tmp_path / "hub"


@contextmanager
def _hub_server(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve ``folder`` as ``example/tiny`` by the routes that huggingface_hub asks; note every path."""
    asked: list[str] = []
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            """Say nothing."""

        def do_HEAD(self) -> None:
            self.do_GET(body=False)

        def do_GET(self, *, body: bool = True) -> None:
            path = self.path.partition("?")[0]
            asked.append(path)
            if path.startswith("/api/models/example/tiny/revision/") or path == "/api/models/example/tiny":
                siblings = [{"rfilename": name} for name in names]
                self._json({"id": "example/tiny", "sha": COMMIT, "siblings": siblings, "private": False}, body=body)
            elif path.startswith("/api/models/example/tiny/tree/"):
                self._json([_entry(folder, name) for name in names], body=body)
            elif path.startswith(f"/example/tiny/resolve/{COMMIT}/"):
                self._file(folder / path.split(COMMIT + "/", 1)[1], body=body)
            else:
                self.send_response(404)
                self.send_header("X-Error-Code", "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()

        def _json(self, value: object, *, body: bool) -> None:
            self._send(json.dumps(value).encode(), "application/json", body=body)

        def _file(self, path: Path, *, body: bool) -> None:
            self._send(path.read_bytes(), "application/octet-stream", body=body)

        def _send(self, data: bytes, kind: str, *, body: bool) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"')
            self.end_headers()
            if body:
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _entry(folder: Path, name: str) -> dict[str, object]:
    data = (folder / name).read_bytes()
    return {
        "type": "file",
        "path": name,
        "size": len(data),
        "oid": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
    }


@pytest.fixture
def hub_server() -> Callable[[Path], Any]:
    return _hub_server
