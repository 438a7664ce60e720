"""Pulling from a hub: a real server on loopback that speaks as much of the hub's protocol as a download needs."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from sdsafe.core.places import Places
from sdsafe.errors import ConfigurationError
from sdsafe.gates.safety.hub_models import HUB_SOURCES, pull_hub, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = f"hub:owner/model@{COMMIT}"


class Hub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"config.json": b"{}", "model.safetensors": b"weights" * 1000, "pytorch_model.bin": b"pickle"}
        self.lie: bytes | None = None
        self.large = True  # kept in LFS; else in the repository itself, as git keeps files
        self.silent = False
        self.served: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._file(body=False)

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/api/models/owner/model/revision/"):
            siblings = [{"rfilename": name} for name in self.server.files]
            self._json({"id": "owner/model", "modelId": "owner/model", "sha": COMMIT, "siblings": siblings})
        elif path.startswith("/api/models/owner/model/tree/"):
            self._json([self._entry(name) for name in self.server.files])
        else:
            self._file(body=True)

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.server.silent:
            self._json([])
            return
        self._json(
            [self._entry(name) for name in self.server.files if name.replace("/", "%2F") in asked or name in asked]
        )

    def _entry(self, name: str) -> dict[str, Any]:
        data = self.server.files[name]
        entry: dict[str, Any] = {
            "type": "file",
            "path": name,
            "size": len(data),
            "oid": hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest(),
        }
        if name.endswith(".safetensors") and self.server.large:
            entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
        return entry

    def _file(self, *, body: bool) -> None:
        name = self.path.rpartition("/")[2].partition("?")[0]
        if name not in self.server.files:
            self.send_error(404)
            return
        data = self.server.lie if self.server.lie and name.endswith(".safetensors") else self.server.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            self.server.served.append(name)
            self.wfile.write(data)

    def _json(self, document: object) -> None:
        data = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def pull(hub: Hub | None, home: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own: the hub's library reads its endpoint when it is imported."""
    endpoint = f"http://127.0.0.1:{hub.server_address[1]}" if hub else "http://127.0.0.1:9"
    env = {
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(home / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "sdsafe_cli", "models", "pull", NAME, *more],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={
            **os.environ,
            **env,
            "SDSAFE_HOME": str(home / "state"),
            "SDSAFE_CACHE": str(home / "cache"),
            "HOME": str(home),
        },
    )


@pytest.mark.slow
def test_a_folder_is_pulled_through_a_mirror_pinned_and_watched(hub: Hub, tmp_path: Path) -> None:
    done = pull(hub, tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "cache" / "models" / f"owner--model-{COMMIT[:12]}"
    assert (folder / "model.safetensors").read_bytes() == hub.files["model.safetensors"]
    assert not (folder / "pytorch_model.bin").exists()
    assert f'path = "{folder}"' in done.stdout
    assert 'sha256 = "' in done.stdout
    served = len(hub.served)
    assert pull(hub, tmp_path).returncode == 0
    assert len(hub.served) == served  # it was there, and as it was
    (folder / "config.json").write_text("{ }")
    changed = pull(hub, tmp_path)
    assert (changed.returncode, "changed on disk" in changed.stderr) == (1, True)
    assert pull(hub, tmp_path, "--force").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("large", [True, False])
def test_a_mirror_that_serves_other_bytes_is_found_out(hub: Hub, tmp_path: Path, large: bool) -> None:
    hub.large = large
    assert pull(hub, tmp_path / "honest").returncode == 0
    hub.lie = b"Weights" * 1000
    done = pull(hub, tmp_path)
    assert done.returncode == 1
    assert not list((tmp_path / "cache").rglob("model.safetensors"))
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_weights_that_the_hub_says_nothing_about_are_not_used(hub: Hub, tmp_path: Path) -> None:
    hub.silent = True
    done = pull(hub, tmp_path)
    assert (done.returncode, "does not say what every file" in done.stderr) == (1, True)


@pytest.mark.slow
def test_nobody_at_the_endpoint_is_a_typed_error(tmp_path: Path) -> None:
    done = pull(None, tmp_path)
    assert (done.returncode, "cannot be pulled" in done.stderr) == (1, True)
    assert "HF_ENDPOINT" in done.stderr


@pytest.mark.parametrize(
    "name", ["hub:owner/model", "hub:owner/model@main", "hub:owner@" + COMMIT, "hub:../x@" + COMMIT]
)
def test_a_reference_without_a_commit_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        source_of(name)
    assert caught.value.code == "weights.unpinned"


def test_named_sources_are_pinned_by_commit_and_found() -> None:
    for name, source in HUB_SOURCES.items():
        assert source_of(name) is source
        assert len(source.commit) == 40
        assert "/" in source.repo
    assert source_of("open-nsfw") is None


def test_a_note_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    source = source_of(NAME)
    assert source is not None
    places = Places(state=tmp_path, cache=tmp_path)
    places.models.mkdir(parents=True)
    (places.models / f"{source.name}.json").write_text("{")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        pull_hub(source, places)
