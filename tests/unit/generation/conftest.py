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
def sixteen_channels(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> str:
    """A Stable Diffusion pipeline whose latents have 16 channels, as those of `builtin:scenes` have."""
    import torch
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel

    from sdsafe.generation import _tiny

    tiny = _tiny.build()
    torch.manual_seed(0)
    # diffusers ignores values given for what its config lists as left at the default.
    unet = UNet2DConditionModel.from_config(
        {**tiny.unet.config, "in_channels": 16, "out_channels": 16, "_use_default_values": []}
    )
    vae = AutoencoderKL.from_config({**tiny.vae.config, "latent_channels": 16, "_use_default_values": []})
    assert unet.config.in_channels == vae.config.latent_channels == 16
    pipe = StableDiffusionPipeline(
        unet=unet, vae=vae, text_encoder=tiny.text_encoder, tokenizer=tiny.tokenizer, scheduler=tiny.scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("sixteen") / "tiny-sixteen"
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
