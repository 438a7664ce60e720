"""What a verdict costs, against reading a file with the C2PA library alone.

    python benchmarks/verify.py [--rounds 41]

One signed photograph of 1024x1024 as PNG and as JPEG, side by side in one run:

- ``library, json``: the library reads and validates, and says how it stands to no list of anybody's;
- ``sdsafe, manifest``: our reading: the library's, our own of container and claim signature, and the summary;
- ``sdsafe, report``: manifest, trust against a root, metadata, ledger, verdict: what ``sdsafe verify`` does;
- ``sdsafe, report with mark``: the same, and the watermark is looked for.

Also how many files a second one and two threads read. Writes ``results/verify.json``.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import c2pa

sys.path.insert(0, str(Path(__file__).parent))

from _bench import interleaved, write_result
from sign import as_jpeg, encoded_with, photograph, throughput

from sdsafe import egress
from sdsafe.api import open_validator
from sdsafe.core.places import Places
from sdsafe.core.report import Evidence
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.definition import define
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.settings import Settings
from sdsafe.testing.pipeline import fake_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sdsafe.core.states import Asset
    from sdsafe.pipeline import Parts


def signed(parts: Parts) -> Iterator[tuple[str, Asset]]:
    """Yield the released PNG, and a JPEG with the same manifest."""
    encoded = encoded_with(parts, photograph())
    recorded = egress.record(parts, egress.sign(parts, encoded))
    yield "PNG", recorded.asset
    jpeg = as_jpeg(encoded)
    definition = define(jpeg, generator="sdsafe", version="bench", when="2026-11-23T00:00:00Z", title="bench")
    data, _ = _c2pa.sign(jpeg.asset, definition, parts.signer)
    yield "JPEG", replace(jpeg.asset, data=data)


def library(asset: Asset) -> Callable[[], str]:
    """Return a candidate: the library's reader, with the one setting without which it refuses our usages."""
    context = c2pa.Context.from_dict({"trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}})

    def run() -> str:
        with c2pa.Reader(asset.media_type, io.BytesIO(asset.data), context=context) as reader:
            return str(reader.json())

    return run


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=41)
    rounds: int = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        places = Places(state=Path(folder) / "state", cache=Path(folder) / "cache")
        parts = fake_parts(places)
        settings = Settings.load({"HOME": folder}, site=Path(folder) / "none.toml", places=places)
        root = (places.keys / "root.pem",)
        report = open_validator(settings, trust=root)
        marked = open_validator(settings, trust=root, check_watermark=True)
        result = {}
        for name, asset in signed(parts):
            ways: dict[str, Callable[[], object]] = {
                "library, json": library(asset),
                "sdsafe, manifest": lambda asset=asset: ManifestProbe().examine(asset, Evidence()),  # type: ignore[misc]
                "sdsafe, report": lambda asset=asset: report.inspect(asset),  # type: ignore[misc]
                "sdsafe, report with mark": lambda asset=asset: marked.inspect(asset),  # type: ignore[misc]
            }
            times = interleaved(ways, rounds=rounds, warmup=2)
            bare = times["library, json"]["median_ms"]
            result[name] = {
                "file_bytes": len(asset.data),
                "verdict": report.inspect(asset).verdict.value,
                "times": times,
                "over_library": {way: round(each["median_ms"] / bare, 2) for way, each in times.items()},
                "files_a_second": {
                    f"{way}, {threads} threads": round(throughput(ways[way], threads=threads, count=rounds), 1)
                    for way in ("library, json", "sdsafe, report")
                    for threads in (1, 2)
                },
            }
    write_result("verify", result)


if __name__ == "__main__":
    main()
