"""What it costs to release a picture: every stage, the least that could be done, and what others do, side by side.

Three candidates take turns on the same picture, so that a noisy minute hits all of them alike:

- *sdsafe*: the real spine after generation (``Pipeline``), stage by stage: classify, mark, encode, decode and read
  the mark back, fingerprint, define and sign, read the signature back, record (keyring, repository, ledger,
  delivery; each durable on disk when it returns).
- *floor*: one PNG encode by the same settings and one bare signing with c2pa-python.
- *incumbents*: invisible-watermark's dwtDctSvd, Pillow's default PNG, ImageHash's phash, and c2pa-python with its
  defaults, thumbnails on. They read nothing back, classify nothing and record nothing.

Everything is measured by two clocks, in rounds of their own: the wall, which also sees the disk and the neighbours,
and this process's processor time, which sees neither. Set OPENBLAS_NUM_THREADS=1 on a busy machine.

Usage: egress.py [--rounds 15] [--sizes 512 1024] [--watermarker NAME]. The classifier is the real one when its
weights are here (``sdsafe models pull open-nsfw``), otherwise it is left out and the result says so.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import c2pa
import imagehash
import numpy as np
from _bench import Timing, timing, write_result
from PIL import Image

from sdsafe import pipeline as spine
from sdsafe import plugins, release
from sdsafe._internal import images
from sdsafe._internal.locations import default_places
from sdsafe.admission import admit
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.core.states import Recorded
from sdsafe.errors import SdsafeError
from sdsafe.provenance.manifest import _c2pa
from sdsafe.testing.pipeline import fake_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.states import Admitted, Generated
    from sdsafe.pipeline import Parts

STAGES = ("classify", "mark", "encode", "decode", "mark read back", "fingerprint", "sign", "read back", "record")
_CLAIM = '{"claim_generator_info":[{"name":"bench","version":"1"}],"format":"image/png","assertions":[{"label":"c2pa.actions.v2","data":{"actions":[{"action":"c2pa.created","digitalSourceType":"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"}]}}]}'


CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


class Stopwatch:
    """Adds up the time that named calls take while they replace the originals."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.ms: dict[str, float] = defaultdict(float)

    def timed(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``call``, timed as part of ``stage``."""

        def run(*args: Any, **kwargs: Any) -> Any:
            started = self._clock()
            try:
                return call(*args, **kwargs)
            finally:
                self.ms[stage] += (self._clock() - started) * 1000

        return run


class TimedCheck:
    """A check with a stopwatch; its findings may be made only while they are taken."""

    def __init__(self, part: Any, watch: Stopwatch, stage: str) -> None:
        self._part = part
        self.check = watch.timed(stage, lambda subject: tuple(part.check(subject)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)


class Timed:
    """A part of the pipeline with stopwatches on some of its methods."""

    def __init__(self, part: Any, watch: Stopwatch, stages: dict[str, str]) -> None:
        self._part = part
        for method, stage in stages.items():
            setattr(self, method, watch.timed(stage, getattr(part, method)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)


def watched(parts: Parts, watch: Stopwatch) -> Parts:
    """Return the parts with a stopwatch on everything that is slow."""
    checks: Any = parts.output_checks
    kept: Any = parts.repository
    return replace(
        parts,
        output_checks=tuple(TimedCheck(each, watch, "classify") for each in checks),
        watermarker=Timed(parts.watermarker, watch, {"embed": "mark", "detect": "mark read back"}),
        fingerprinters=tuple(Timed(each, watch, {"compute": "fingerprint"}) for each in parts.fingerprinters),
        repository=Timed(kept, watch, {"put": "record", "mark_delivered": "record"}),
        ledger=Timed(parts.ledger, watch, {"append": "record"}),
    )


@contextmanager
def replaced(where: Any, name: str, value: object) -> Iterator[None]:
    """Put something else in the place of a module's function for a while."""
    before = getattr(where, name)
    setattr(where, name, value)
    try:
        yield
    finally:
        setattr(where, name, before)


def admitted_by(pipeline: spine.Pipeline, parts: Parts, request: GenerationRequest) -> Admitted:
    """Admit a request as the pipeline would."""
    judges = pipeline._Pipeline__judges  # type: ignore[attr-defined]  # noqa: SLF001 - as the pipeline asks them
    return admit(parts, judges, request)


def ours(parts: Parts, generated: Generated, samples: dict[str, list[float]], clock: Callable[[], float]) -> None:
    """Release one picture and note what each stage took."""
    watch = Stopwatch(clock)
    pipeline = spine.Pipeline(watched(parts, watch))
    admitted = admitted_by(pipeline, watched(parts, watch), generated.admitted.request)  # a new id, the same picture
    again = replace(generated, admitted=admitted, asset_id=admitted.asset_ids[0])
    with (
        replaced(images, "encode", watch.timed("encode", images.encode)),
        replaced(images, "decode", watch.timed("decode", images.decode)),
        replaced(_c2pa, "sign", watch.timed("sign", _c2pa.sign)),
        replaced(release, "read_back", watch.timed("read back", release.read_back)),
    ):
        started = clock()
        outcome = pipeline._release(again, None)  # noqa: SLF001 - what follows generation
        total = (clock() - started) * 1000
    if not isinstance(outcome, Recorded):
        raise SystemExit(f"the picture was not released: {outcome}")
    for stage in STAGES:
        samples[stage].append(watch.ms[stage])
    samples["sdsafe, everything"].append(total)
    bare = total - watch.ms["classify"] - watch.ms["mark"] - watch.ms["mark read back"]
    samples["sdsafe without classifier and watermark"].append(bare)
    samples["the same without record"].append(bare - watch.ms["record"])
    samples["sdsafe without classifier"].append(total - watch.ms["classify"])


def bare_signed(data: bytes, signer: Any, chain: str) -> None:
    """Sign with the library's own calls and its defaults: a Builder without a Context makes thumbnails."""
    with c2pa.Signer.from_callback(signer.sign, c2pa.C2paSigningAlg.ES256, chain) as native, c2pa.Builder(_CLAIM) as it:
        it.sign(native, "image/png", io.BytesIO(data), io.BytesIO())


def floor(pixels: Pixels, signer: Any, chain: str, context: c2pa.Context) -> None:
    """Encode once and sign once, without thumbnails: nobody can do less."""
    data = images.encode(pixels)
    with (
        c2pa.Signer.from_callback(signer.sign, c2pa.C2paSigningAlg.ES256, chain) as native,
        c2pa.Builder(_CLAIM, context) as builder,
    ):
        builder.sign(native, "image/png", io.BytesIO(data), io.BytesIO())


def incumbents(
    pixels: Pixels, signer: Any, chain: str, samples: dict[str, list[float]], clock: Callable[[], float]
) -> None:
    """Do what the usual stack does."""
    from imwatermark import WatermarkEncoder

    def noted(stage: str, started: float) -> float:
        now = clock()
        samples[f"incumbents: {stage}"].append((now - started) * 1000)
        return now

    first = started = clock()
    encoder = WatermarkEncoder()
    encoder.set_watermark("bytes", b"12345678")
    marked = encoder.encode(np.ascontiguousarray(pixels[..., ::-1]), "dwtDctSvd")[..., ::-1]
    started = noted("mark", started)
    buffer, picture = io.BytesIO(), Image.fromarray(np.ascontiguousarray(marked))
    picture.save(buffer, "PNG")
    started = noted("encode", started)
    imagehash.phash(picture)
    started = noted("fingerprint", started)
    bare_signed(buffer.getvalue(), signer, chain)
    noted("sign", started)
    samples["incumbents, everything"].append((clock() - first) * 1000)


def measured(parts: Parts, size: int, rounds: int, clock: Callable[[], float]) -> dict[str, Timing]:
    """Time the three candidates in turn on one picture."""
    request = GenerationRequest(prompt="waves", seed=7, size=Size(width=size, height=size))
    admitted = admitted_by(spine.Pipeline(parts), parts, request)
    generated = next(iter(parts.generator.generate(admitted, None)))
    chain = b"".join(_pem(each) for each in parts.signer.certificate_chain).decode()
    context = c2pa.Context.from_dict({"builder": {"thumbnail": {"enabled": False}}})
    samples: dict[str, list[float]] = defaultdict(list)
    for round_ in range(rounds + 2):
        if round_ == 2:
            samples.clear()
        ours(parts, generated, samples, clock)
        started = clock()
        floor(generated.pixels, parts.signer, chain, context)
        samples["floor: one encode, one signing"].append((clock() - started) * 1000)
        incumbents(generated.pixels, parts.signer, chain, samples, clock)
    for each in ("sdsafe without classifier and watermark", "the same without record"):
        pairs = zip(samples[each], samples["floor: one encode, one signing"], strict=True)
        samples[f"ratio: {each} / floor"] = [own / other for own, other in pairs]
    for each in ("sdsafe without classifier", "sdsafe, everything"):
        pairs = zip(samples[each], samples["incumbents, everything"], strict=True)
        samples[f"ratio: {each} / incumbents"] = [own / other for own, other in pairs]
    return {name: timing(values) for name, values in samples.items()}


def _pem(der: bytes) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def classifier(folder: Path) -> tuple[dict[str, Any], str]:
    """Return the real classifier as parts if its weights are here, and what to say about it."""
    import os

    places = Places(state=folder, cache=default_places(os.environ).cache)
    try:
        return {"output_checks": (plugins.load("sdsafe.output_checks", "open-nsfw", places),)}, "open-nsfw"
    except SdsafeError as error:
        return {}, f"none that counts ({error.code}): a fake stands in"


def main(rounds: int, sizes: list[int], watermarker: str) -> None:
    """Measure, print a table, and write ``results/egress.json``."""
    with tempfile.TemporaryDirectory() as folder:
        places = Places(state=Path(folder) / "state", cache=Path(folder) / "cache")
        check, named = classifier(places.state)
        marker = plugins.load("sdsafe.watermarkers", watermarker, places)
        parts = fake_parts(places, watermarker=marker, **check)
        results = {
            f"{size}x{size}, {name}": measured(parts, size, rounds, clock)
            for size in sizes
            for name, clock in CLOCKS.items()
        }
    about = {"rounds": rounds, "watermarker": watermarker, "classifier": named, "unit": "ms; ratios are per round"}
    packages = {name: version(name) for name in ("invisible-watermark", "ImageHash")}
    write_result(
        "egress" if watermarker == "lattice" else f"egress-{watermarker}",
        {**about, "incumbents": packages, "timings": results},
    )
    for size, timings in results.items():
        total = timings["sdsafe, everything"]["median_ms"]
        print(f"\n| {size} | median | p10 | p90 | share |\n|---|---:|---:|---:|---:|")
        for name, each in timings.items():
            share = f"{each['median_ms'] / total:.0%}" if name in STAGES else ""
            unit = "" if name.startswith("ratio") else " ms"
            print(f"| {name} | {each['median_ms']:.2f}{unit} | {each['p10_ms']:.2f} | {each['p90_ms']:.2f} | {share} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--watermarker", default="lattice")
    given = parser.parse_args()
    main(given.rounds, given.sizes, given.watermarker)
