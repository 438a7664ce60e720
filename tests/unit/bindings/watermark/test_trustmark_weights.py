"""Pulling TrustMark's networks, from a server on loopback that stands in for Adobe's."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from sdsafe.bindings.watermark import trustmark_weights
from sdsafe.bindings.watermark.trustmark_weights import PUBLISHED, Published, folder_of, pull, verify
from sdsafe.core.places import Places
from sdsafe.errors import ConfigurationError
from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {"/models/encoder_P.onnx": b"what writes" * 1000, "/models/decoder_P.onnx": b"what reads" * 9000}


class Served(dict[str, bytes]):
    """What the server has, which tests may change, and what it was asked for."""

    def __init__(self) -> None:
        super().__init__(FILES)
        self.asked: list[str] = []


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    content = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content.asked.append(self.path)
            data = content.get(self.path)
            self.send_response(404 if data is None else 200)
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_: object) -> None: ...

    pinned = (
        Published(path.rsplit("/", 1)[1], len(data), hashlib.sha256(data).hexdigest()) for path, data in FILES.items()
    )
    monkeypatch.setattr(trustmark_weights, "PUBLISHED", MappingProxyType({"P": tuple(pinned)}))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setattr(trustmark_weights, "ADDRESS", f"http://127.0.0.1:{server.server_port}/models/")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield content
        server.shutdown()
        thread.join()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(state=tmp_path / "state", cache=tmp_path / "cache")


def code_of(variant: str, places: Places, **options: bool) -> str:
    with pytest.raises(ConfigurationError) as caught:
        pull(variant, places, **options)  # type: ignore[arg-type]
    assert caught.value.hint
    return caught.value.code


def test_both_networks_are_fetched_once(served: Served, places: Places) -> None:
    encoder, decoder = pull("P", places)
    assert (encoder.read_bytes(), decoder.read_bytes()) == tuple(FILES.values())
    assert (encoder.parent, encoder.name, decoder.name) == (folder_of(places), "encoder_P.onnx", "decoder_P.onnx")
    assert pull("P", places) == (encoder, decoder) == verify("P", places)
    assert served.asked == list(FILES)


@pytest.mark.parametrize("other", [b"", b"something else", b"what reads" * 8999 + b"what READS", b"what reads" * 9001])
def test_other_bytes_are_refused_and_not_kept(served: Served, places: Places, other: bytes) -> None:
    served["/models/decoder_P.onnx"] = other
    assert code_of("P", places) == "weights.wrong-hash"
    assert not (folder_of(places) / "decoder_P.onnx").exists()


def test_what_was_changed_on_disk_is_said_and_fetched_again_by_force(served: Served, places: Places) -> None:
    _, decoder = pull("P", places)
    decoder.write_bytes(b"changed")
    assert code_of("P", places) == "weights.changed"
    pull("P", places, force=True)
    assert decoder.read_bytes() == FILES["/models/decoder_P.onnx"]


def test_what_is_not_there_cannot_be_fetched(served: Served, places: Places) -> None:
    del served["/models/encoder_P.onnx"]
    assert code_of("P", places) == "weights.pull-failed"
    assert code_of("B", places) == "weights.unknown"
    with pytest.raises(ConfigurationError) as caught:
        verify("P", places)
    assert caught.value.code == "weights.missing"


def test_a_cache_that_cannot_be_written_is_said(served: Served, places: Places) -> None:
    places.cache.parent.mkdir(exist_ok=True)
    places.cache.write_bytes(b"a file where the folder belongs")
    assert code_of("P", places) == "weights.unwritable"


def test_the_digests_that_are_pinned_are_digests() -> None:
    for variant, files in PUBLISHED.items():
        assert [each.name for each in files] == [f"encoder_{variant}.onnx", f"decoder_{variant}.onnx"]
        for each in files:
            assert len(bytes.fromhex(each.sha256)) == 32
            assert 10_000_000 < each.size < 100_000_000
    assert len({each.sha256 for files in PUBLISHED.values() for each in files}) == 2 * len(PUBLISHED)
    assert trustmark_weights.ADDRESS.startswith("https://")


def test_the_command_pulls_and_prints_the_settings(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SDSAFE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["sdsafe", "models", *arguments])
        with pytest.raises(SystemExit) as end:
            run_sdsafe()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    assert "trustmark-P\t-\tMIT" in call("list")[1]
    code, _, err = call("verify", "trustmark-P")
    assert (code, "models pull trustmark-P" in err) == (1, True)
    code, out, err = call("pull", "trustmark-P")
    assert (code, out) == (0, 'watermarker = "trustmark"\n[options.trustmark]\nvariant = "P"\n')
    assert "MIT" in err
    assert call("verify", "trustmark-P")[:2] == (0, "trustmark-P: intact\n")
    assert "trustmark-P\tpulled" in call("list")[1]
    assert call("path", "trustmark-P")[1].strip() == str(tmp_path / "cache" / "models" / "trustmark")
    assert call("pull", "trustmark-B")[0] == 1
    monkeypatch.setenv("SDSAFE_OFFLINE", "1")
    assert call("pull", "trustmark-P", "--force")[0] == 1
