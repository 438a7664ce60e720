"""What a full manifest costs, against the bare call of the C2PA library.

    python benchmarks/sign.py [--rounds 41] [--folder FOLDER]

One photograph of 1024x1024 as PNG and as JPEG, one credential (ES256). Side by side, in one run:

- ``library, defaults``: the smallest honest manifest (one action), everything else as the library does it;
- ``library, no thumbnails``: the same with thumbnails off, which most users learn to do;
- ``library, nothing extra``: also without its verification after signing;
- ``sdsafe, define and sign``: our full manifest: model and prompt as ingredients, actions, decisions, checks;
- ``sdsafe, and read back``: the same, then read from the signed bytes as a stranger would, as every release is.

Bytes added are those of the manifest store. Also with two threads at once. Writes ``results/sign.json``.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import c2pa
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from _bench import interleaved, write_result

from sdsafe import egress, release
from sdsafe._internal.clock import rfc3339
from sdsafe._internal.versions import version
from sdsafe.admission import admit
from sdsafe.clearing import clear
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.core.states import Asset
from sdsafe.judgement import Abilities, Judges
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest._c2pa.builders import pem_chain
from sdsafe.provenance.manifest.definition import define
from sdsafe.testing.pipeline import fake_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.states import Encoded
    from sdsafe.pipeline import Parts

SIDE = 1024
_SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def photograph() -> Pixels:
    """Return a photograph that scikit-image bundles, scaled to the size of the benchmark."""
    from skimage import data

    picture = Image.fromarray(np.asarray(data.astronaut()))
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def encoded_with(parts: Parts, pixels: Pixels) -> Encoded:
    """Carry a picture through the spine up to the file, as any release goes."""
    judges = Judges(parts.policy, parts.licences, parts.house, Abilities())
    request = GenerationRequest(
        prompt="an astronaut before a flag", seed=7, size=Size(width=SIDE, height=SIDE), steps=2
    )
    (generated,) = parts.generator.generate(admit(parts, judges, request))
    seen = clear(parts, judges, replace(generated, pixels=pixels))
    return egress.encode(parts, egress.mark(parts, seen))


def as_jpeg(encoded: Encoded) -> Encoded:
    """Return the same states with a JPEG file; what they say of marks is not true of it, and nothing here asks."""
    buffer = io.BytesIO()
    Image.fromarray(encoded.marked.pixels).save(buffer, "JPEG", quality=92)
    return replace(encoded, asset=Asset(data=buffer.getvalue(), media_type="image/jpeg", name="bench.jpg"))


def ours(encoded: Encoded, parts: Parts, *, read_back: bool) -> Callable[[], bytes]:
    """Return a candidate: define, sign, and perhaps read back."""

    def run() -> bytes:
        shown = release.public_file(encoded, parts.licences)
        definition = define(shown, generator="sdsafe", version=version("sdsafe"), when=rfc3339(), title="bench")
        data, store = _c2pa.sign(encoded.asset, definition, parts.signer)
        if read_back and encoded.asset.media_type == "image/png":
            release.read_back(replace(encoded.asset, data=data), encoded)
        elif read_back:
            _c2pa.read(replace(encoded.asset, data=data))
        return store

    return run


def library(asset: Asset, signer: Any, settings: Mapping[str, object]) -> Callable[[], bytes]:
    """Return a candidate: the library's own call with these settings."""
    context = c2pa.Context.from_dict({"trust": {"trust_config": "1.3.6.1.5.5.7.3.4"}, **settings})
    claim = json.dumps(
        {
            "claim_generator_info": [{"name": "bench", "version": "1"}],
            "format": asset.media_type,
            "assertions": [
                {
                    "label": "c2pa.actions.v2",
                    "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": _SOURCE}]},
                }
            ],
        }
    )

    def run() -> bytes:
        with c2pa.Builder(claim, context) as builder:
            store: bytes = builder.sign(signer, asset.media_type, io.BytesIO(asset.data), io.BytesIO())
            return store

    return run


def candidates(encoded: Encoded, parts: Parts, signer: Any) -> dict[str, Callable[[], bytes]]:
    """Return every way of signing one file."""
    plain = {"builder": {"thumbnail": {"enabled": False}}}
    return {
        "library, defaults": library(encoded.asset, signer, {}),
        "library, no thumbnails": library(encoded.asset, signer, plain),
        "library, nothing extra": library(encoded.asset, signer, {**plain, "verify": {"verify_after_sign": False}}),
        "sdsafe, define and sign": ours(encoded, parts, read_back=False),
        "sdsafe, and read back": ours(encoded, parts, read_back=True),
    }


def throughput(run: Callable[[], object], *, threads: int, count: int) -> float:
    """Return how many files a second ``threads`` threads sign together."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: run(), range(threads)))  # contexts and caches
        started = time.perf_counter()
        list(pool.map(lambda _: run(), range(count)))
        return count / (time.perf_counter() - started)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=41)
    rounds: int = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        parts = fake_parts(Places(state=Path(folder) / "state", cache=Path(folder) / "cache"))
        chain = pem_chain(parts.signer.certificate_chain)  # the same for both
        signer = c2pa.Signer.from_callback(parts.signer.sign, c2pa.C2paSigningAlg.ES256, chain)
        png = encoded_with(parts, photograph())
        result = {}
        for name, encoded in (("PNG", png), ("JPEG", as_jpeg(png))):
            ways = candidates(encoded, parts, signer)
            times = interleaved(ways, rounds=rounds, warmup=2)
            bare = times["library, no thumbnails"]["median_ms"]
            result[name] = {
                "file_bytes": len(encoded.asset.data),
                "times": times,
                "manifest_bytes": {way: len(run()) for way, run in ways.items()},
                "over_library_without_thumbnails": {
                    way: round(each["median_ms"] / bare, 2) for way, each in times.items()
                },
                "files_a_second": {
                    f"{way}, {threads} threads": round(throughput(ways[way], threads=threads, count=rounds), 1)
                    for way in ("library, no thumbnails", "sdsafe, and read back")
                    for threads in (1, 2)
                },
            }
    write_result("sign", {"side": SIDE, "credential": "es256, callback", **result})


if __name__ == "__main__":
    main()
