from __future__ import annotations

import contextlib
import io
import json
import os
import threading
import zlib
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import c2pa
import encypher_c2pa
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from PIL import Image

from sdsafe.core.findings import Severity
from sdsafe.core.report import ManifestState
from sdsafe.core.request import PromptDisclosure
from sdsafe.core.states import Asset
from sdsafe.errors import ManifestError, SigningError
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest._c2pa import builders, contexts
from sdsafe.provenance.manifest.definition import define
from sdsafe.provenance.manifest.document import MAX_DOCUMENT_BYTES, ManifestDefinition
from sdsafe.provenance.manifest.reading import state_of, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sdsafe.core.request import GenerationRequest
    from sdsafe.core.states import Encoded
    from sdsafe.protocols import Signer
    from sdsafe.provenance.signing.local import FileSigner

    Sign = Callable[..., tuple[Asset, bytes]]


def _stranger(data: bytes, root: bytes | None = None, media_type: str = "image/png") -> dict[str, Any]:
    """What anybody would write with the library alone."""
    trust: dict[str, Any] = {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}
    if root is not None:
        trust["anchors"] = [{"trust_anchors": root.decode(), "trust_uri": "urn:test", "trust_kind": "manifest"}]
    context = c2pa.Context.from_dict({"trust": trust, "verify": {"remote_manifest_fetch": False}})
    report: dict[str, Any] = json.loads(c2pa.Reader(media_type, io.BytesIO(data), context=context).json())
    return report


def test_a_stranger_says_valid_and_with_the_root_trusted(signed: Asset, root_pem: bytes) -> None:
    assert _stranger(signed.data)["validation_state"] == "Valid"
    report = _stranger(signed.data, root_pem)
    assert report["validation_state"] == "Trusted"
    assertions = report["manifests"][report["active_manifest"]]["assertions"]
    generation = next(a["data"] for a in assertions if a["label"] == "org.sdsafe.generation")
    assert generation["model"]["id"] == "owner/model"
    assert generation["seed"] == 9007199254740991
    assert generation["prompt"]["texts"]["prompt"] == "a zeppelin over quiet marshland"


def test_even_with_the_defaults_of_the_library(signed: Asset) -> None:
    assert c2pa.Reader("image/png", io.BytesIO(signed.data)).get_validation_state() == "Valid"


@pytest.mark.parametrize("mode", list(PromptDisclosure))
def test_a_second_validator_agrees(
    make_encoded: Callable[..., Encoded], sign: Sign, root_pem: bytes, mode: PromptDisclosure
) -> None:
    asset, _ = sign(make_encoded(disclosure=mode))
    report = encypher_c2pa.verify(
        asset.data, "image/png", trust_pem=root_pem.decode(), no_default_trust=True, telemetry=False
    )
    assert report["validation_state"] == "Trusted"
    assert (report["integrity"], report["signature"], report["hard_binding"]) == ("valid", "valid", "match")
    unknown = encypher_c2pa.verify(asset.data, "image/png", no_default_trust=True, telemetry=False)
    assert unknown["validation_state"] == "Valid"


def test_signing_leaves_the_pixels_alone(signed: Asset, encoded: Encoded) -> None:
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(signed.data))), encoded.marked.pixels)


def test_no_thumbnail_is_embedded(signed: Asset, encoded: Encoded) -> None:
    # A callback signer reserves 11.6 KB for the signature, whatever it needs.
    assert len(signed.data) - len(encoded.asset.data) < 20_000
    assert b"c2pa.thumbnail" not in signed.data


def test_the_store_is_the_one_in_the_file(sign: Sign, encoded: Encoded) -> None:
    asset, store = sign(encoded)
    assert store in asset.data
    assert _c2pa.read(asset).store == store


def test_reading_shows_everything_a_report_needs(signed: Asset, signer: FileSigner) -> None:
    reading = _c2pa.read(signed)
    assert state_of(reading) is ManifestState.VALID
    assert reading.alg == "es256"
    assert reading.certificate_chain == signer.certificate_chain
    assert reading.signature_time is None
    summary = summarise(reading)
    assert summary is not None
    assert summary.label.startswith("urn:c2pa:")
    assert summary.claim_generator == "sdsafe/0.1.0"
    assert summary.signer == "unit test (sdsafe development CA), unit test"
    assert summary.issuer.startswith("sdsafe development CA issuing ")
    assert summary.asset_id == "0001020304050607"
    assert summary.prompt == "a zeppelin over quiet marshland"
    assert summary.actions == ("c2pa.created", "c2pa.watermarked.unbound")
    assert summary.generation["size"] == {"width": 64, "height": 64}


@pytest.mark.parametrize("mode", [PromptDisclosure.COMMIT, PromptDisclosure.OMIT])
def test_prompt_words_are_nowhere_in_the_file(
    make_encoded: Callable[..., Encoded], sign: Sign, mode: PromptDisclosure
) -> None:
    asset, store = sign(make_encoded(disclosure=mode))
    haystack = asset.data + store + b"".join(_inflated(asset.data))
    for word in (b"zeppelin", b"marshland", b"xylophone", b"watercolour", bytes(range(32))):
        assert word not in haystack
    summary = summarise(_c2pa.read(asset))
    assert summary is not None
    assert summary.prompt is None


def _inflated(png: bytes) -> Iterator[bytes]:
    """Every chunk that decompresses, decompressed."""
    position = 8
    while position < len(png):
        length = int.from_bytes(png[position : position + 4], "big")
        body = png[position + 8 : position + 8 + length]
        with contextlib.suppress(zlib.error):
            yield zlib.decompress(body)
        position += 12 + length


@pytest.mark.parametrize(
    "prompt", ["nul \x00, bidi \u202e, line\r\nend", "é" * 240_000, "x" * 400_000, "\U0001f5bc", ""]
)
def test_strange_and_long_prompts_come_back_as_they_were(
    make_encoded: Callable[..., Encoded], request_: GenerationRequest, sign: Sign, prompt: str
) -> None:
    asset, _ = sign(make_encoded(request=replace(request_, prompt=prompt)))
    reading = _c2pa.read(asset)
    assert state_of(reading) is ManifestState.VALID
    summary = summarise(reading)
    assert summary is not None
    assert summary.prompt == prompt
    texts = summary.generation["prompt"]["texts"]  # type: ignore[index]
    assert texts["prompt"] == prompt


def test_the_largest_document_that_we_allow_can_be_signed(encoded: Encoded, signer: FileSigner) -> None:
    def document(length: int) -> dict[str, object]:
        data = {"t": "a" * length}
        return {"assertions": [{"label": "org.sdsafe.test", "created": True, "kind": "Json", "data": data}]}

    overhead = len(ManifestDefinition(document=document(0)).to_json())
    largest = ManifestDefinition(document=document(MAX_DOCUMENT_BYTES - overhead))
    assert _c2pa.sign(encoded.asset, largest, signer)
    with pytest.raises(ManifestError):
        ManifestDefinition(document=document(MAX_DOCUMENT_BYTES - overhead + 1))


def test_what_the_signer_raises_comes_out_as_it_is(sign: Sign, encoded: Encoded, signer: FileSigner) -> None:
    class Locked:
        alg = "es256"
        certificate_chain = signer.certificate_chain

        def sign(self, data: bytes, /) -> bytes:
            raise SigningError("the token is locked", code="signing.locked")

    with pytest.raises(SigningError, match="the token is locked") as caught:
        sign(encoded, Locked())
    assert caught.value.code == "signing.locked"


def test_even_an_interrupt_comes_out(sign: Sign, encoded: Encoded, signer: FileSigner) -> None:
    class Interrupted:
        alg = "es256"
        certificate_chain = signer.certificate_chain

        def sign(self, data: bytes, /) -> bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sign(encoded, Interrupted())


@pytest.mark.parametrize("answer", [b"", b"\0" * 64, b"\x01" * 64, b"short", b"\x01" * 20_000], ids=range(5))
def test_a_signature_that_does_not_verify_is_an_error(
    sign: Sign, encoded: Encoded, signer: FileSigner, answer: bytes
) -> None:
    class Wrong:
        alg = "es256"
        certificate_chain = signer.certificate_chain

        def sign(self, data: bytes, /) -> bytes:
            return answer

    with pytest.raises(SigningError) as caught:
        sign(encoded, Wrong())
    assert caught.value.code == "signing.mismatch"


@pytest.mark.parametrize("answer", [None, "text", 7, bytearray(64)])
def test_what_is_no_bytes_is_no_signature(sign: Sign, encoded: Encoded, signer: FileSigner, answer: Any) -> None:
    class Odd:
        alg = "es256"
        certificate_chain = signer.certificate_chain

        def sign(self, data: bytes, /) -> bytes:
            found: bytes = answer
            return found

    with pytest.raises(SigningError) as caught:
        sign(encoded, Odd())
    assert caught.value.code == "signing.mismatch"


def test_a_signature_in_asn1_is_taken_as_the_library_takes_it(sign: Sign, encoded: Encoded, signer: FileSigner) -> None:
    """As most key stores answer, and plug-ins may pass on."""

    class InAsn1:
        alg = "es256"
        certificate_chain = signer.certificate_chain

        def sign(self, data: bytes, /) -> bytes:
            raw = signer.sign(data)
            return encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))

    asset, _ = sign(encoded, InAsn1())
    assert _stranger(asset.data)["validation_state"] == "Valid"
    reading = _c2pa.read(asset)
    assert state_of(reading) is ManifestState.VALID


@pytest.mark.parametrize("chain", [(), (b"not a certificate",)])
def test_a_chain_that_is_none_is_an_error(
    sign: Sign, encoded: Encoded, signer: FileSigner, chain: tuple[bytes, ...]
) -> None:
    class Bare:
        alg = "es256"
        certificate_chain = chain
        sign = signer.sign

    with pytest.raises((ManifestError, SigningError)):
        sign(encoded, Bare())


def test_an_algorithm_that_c2pa_does_not_name_is_an_error(sign: Sign, encoded: Encoded, signer: FileSigner) -> None:
    class Exotic:
        alg = "rs256"
        certificate_chain = signer.certificate_chain
        sign = signer.sign

    with pytest.raises(SigningError) as caught:
        sign(encoded, Exotic())
    assert caught.value.code == "signing.unsupported"


@pytest.mark.parametrize(
    ("data", "media_type"),
    [(b"not a picture", "image/png"), (b"", "image/png"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"x", "image/bmp")],
)
def test_an_asset_that_is_no_picture_is_not_signed(
    encoded: Encoded, signer: Signer, data: bytes, media_type: str
) -> None:
    definition = define(encoded, generator="sdsafe", version="0.1.0", when="2026-11-22T07:00:00Z", title="x")
    with pytest.raises(ManifestError):
        _c2pa.sign(Asset(data=data, media_type=media_type), definition, signer)


def test_a_definition_that_the_library_refuses_is_an_error(encoded: Encoded, signer: Signer) -> None:
    document = {"assertions": "not a list"}
    with pytest.raises(ManifestError) as caught:
        _c2pa.sign(encoded.asset, ManifestDefinition(document=document), signer)
    assert caught.value.code == "manifest.sign"


def test_reading_nothing_is_absent(encoded: Encoded) -> None:
    reading = _c2pa.read(encoded.asset)
    assert not reading.present
    assert state_of(reading) is ManifestState.ABSENT
    assert summarise(reading) is None


@pytest.mark.parametrize("data", [b"", b"x", b"\x89PNG\r\n\x1a\n" + b"\0" * 20, b"\xff\xd8\xff\xe0"])
def test_reading_garbage_does_not_raise(data: bytes) -> None:
    state = state_of(_c2pa.read(Asset(data=data, media_type="image/png")))
    assert state in (ManifestState.ABSENT, ManifestState.INVALID)


def test_a_format_that_cannot_be_read_is_not_checked_rather_than_absent() -> None:
    reading = _c2pa.read(Asset(data=b"BM" + b"\0" * 100, media_type="image/bmp"))
    assert reading.not_checked


def test_the_network_is_never_asked(encoded: Encoded, signer: FileSigner, sign: Sign) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/manifest.c2pa"
        asset = _pointing_elsewhere(encoded, signer, url)
        reading = _c2pa.read(asset)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert asked == []
    assert not reading.present
    assert [(c.code, c.severity) for c in reading.codes] == [("manifest.inaccessible", Severity.INFORMATIONAL)]
    assert any("network" in note for note in reading.not_checked)


def _pointing_elsewhere(encoded: Encoded, signer: FileSigner, url: str) -> Asset:
    definition = define(encoded, generator="sdsafe", version="0.1.0", when="2026-11-22T07:00:00Z", title="x")
    native = c2pa.Signer.from_callback(
        signer.sign, c2pa.C2paSigningAlg.ES256, builders.pem_chain(signer.certificate_chain), None
    )
    builder = c2pa.Builder(definition.to_json(), contexts.context(os.getpid(), ()))
    for name, content in definition.resources.items():
        builder.add_resource(name, io.BytesIO(content))
    builder.set_no_embed()
    builder.set_remote_url(url)
    result = io.BytesIO()
    builder.sign(native, "image/png", io.BytesIO(encoded.asset.data), result)
    native.close()
    return replace(encoded.asset, data=result.getvalue())


def test_threads_may_sign_and_read_at_once(make_encoded: Callable[..., Encoded], sign: Sign) -> None:
    states: list[ManifestState] = []

    def work(seed: int) -> None:
        asset, _ = sign(make_encoded(seed=seed))
        states.append(state_of(_c2pa.read(asset)))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states == [ManifestState.VALID] * 8


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_signs_and_reads(sign: Sign, encoded: Encoded) -> None:
    asset, _ = sign(encoded)  # the parent has its context now
    child = os.fork()
    if child == 0:
        good = state_of(_c2pa.read(asset)) is ManifestState.VALID
        good &= state_of(_c2pa.read(sign(encoded)[0])) is ManifestState.VALID
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
