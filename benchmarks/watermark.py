"""What marks survive: every scheme, every attack, the same covers in the same run.

    python benchmarks/watermark.py robust  [--sizes 512 1024] [--schemes lattice dwtDct ...] [--covers 28]
    python benchmarks/watermark.py robust  --set generated --sizes 512 --covers 200
    python benchmarks/watermark.py robust  --schemes trustmark-P trustmark-Q [--networks FOLDER]
    python benchmarks/watermark.py false-positives [--trials 5000]
    python benchmarks/watermark.py speed
    python benchmarks/watermark.py security [--trials 1000]
    python benchmarks/watermark.py regeneration
    python benchmarks/watermark.py look
    python benchmarks/watermark.py report [--set generated]

A trial counts when the exact 64-bit payload comes back (bit accuracy says nothing that a verifier could use); rivaGan
carries 32 bits and is asked for 32. Results go to ``results/watermark-*.csv`` row by row, and a run that is started
again goes on where it stopped. ``report`` makes the table and the plot from them,
``look`` the picture of the documentation.

The covers are held out: none was looked at while the mark's constants were chosen (those were eight photographs of
scikit-image: astronaut, camera, chelsea, coffee, motorcycle, coins, grass, rocket). The set ``generated`` holds what
the embedded model makes of captions: soft and smooth pictures, the hardest to hide anything in.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from _attacks import ATTACKS
from _bench import interleaved, write_result
from _watermark_covers import HELD_OUT, SETS, covers
from _watermark_report import RESULTS, look, report
from _watermark_schemes import Invisible, Lattice, TrustMark, scheme

from sdsafe.bindings.watermark.embedding import psnr
from sdsafe.bindings.watermark.lattice import LatticeWatermarker
from sdsafe.errors import WatermarkError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.pixels import Pixels


def _rows(path: Path, header: list[str], key: int) -> set[tuple[str, ...]]:
    """Return the keys (first columns) of rows that exist already; write the header where there is no file."""
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(",".join(header) + "\n", encoding="utf-8")
    with path.open(encoding="utf-8", newline="") as file:
        return {tuple(row[:key]) for row in list(csv.reader(file))[1:]}


def robust(names: list[str], sizes: list[int], count: int, only: list[str] | None, covers_of: str) -> None:
    result, source = SETS[covers_of]
    path = RESULTS / f"{result}.csv"
    done = _rows(path, ["scheme", "size", "cover", "attack", "psnr", "read", "embed_ms", "read_ms"], 4)
    attacks = {name: run for name, run in ATTACKS.items() if not only or name in only}
    for size in sizes:
        for index, (cover, image) in enumerate(source(count, size)):
            for name in names:
                todo = [each for each in attacks if (name, str(size), cover, each) not in done]
                if todo:
                    with path.open("a", encoding="utf-8", newline="") as file:
                        csv.writer(file).writerows(_trial(name, size, (cover, index, image), todo))
        print(f"{size}: {count} covers done", flush=True)


def _trial(name: str, size: int, cover: tuple[str, int, Pixels], todo: list[str]) -> Iterator[list[object]]:
    title, index, image = cover
    marker = scheme(name, index)
    payload = np.random.default_rng([7, index]).bytes(marker.bits // 8)
    started = time.perf_counter()
    try:
        marked = marker.embed(image, payload)
    except WatermarkError as error:
        for each in todo:
            yield [name, size, title, each, error.code, 0, 0, 0]
        return
    embed_ms = 1000 * (time.perf_counter() - started)
    quality = psnr(image, marked)
    for number, each in enumerate(ATTACKS):
        if each not in todo:
            continue
        attacked = ATTACKS[each](marked, np.random.default_rng([index, number]))
        started = time.perf_counter()
        read = marker.read(attacked)
        read_ms = 1000 * (time.perf_counter() - started)
        yield [name, size, title, each, f"{quality:.2f}", int(read == payload), f"{embed_ms:.0f}", f"{read_ms:.0f}"]


def false_positives(trials: int) -> None:
    """Read unmarked pictures, each under many keys, whole, cropped, turned and compressed; every row is one read."""
    path = RESULTS / "watermark-false-positives.csv"
    done = _rows(path, ["trial", "picture", "key", "payload", "messages", "peak", "ms"], 1)
    pictures = [image for size in (512, 640) for _, image in covers(40, size)]
    kinds = ("none", "JPEG 50", "crop 75", "rotate 5", "resize 0.5")
    per_key = 50  # a key's search tables take a quarter of a second to make
    for trial in range(trials):
        if (str(trial),) in done:
            continue
        key, number = divmod(trial, per_key)
        if number == 0 or "marker" not in locals():
            marker = LatticeWatermarker(key.to_bytes(32, "big"))
        rng = np.random.default_rng([trial, 11])
        which = int(rng.integers(len(pictures)))
        image = ATTACKS[kinds[trial % len(kinds)]](pictures[which], rng)
        started = time.perf_counter()
        reading = marker.examine(image)
        ms = 1000 * (time.perf_counter() - started)
        with path.open("a", encoding="utf-8", newline="") as file:
            found = reading.payload.hex() if reading.payload else ""
            csv.writer(file).writerow([trial, which, key, found, reading.messages, f"{reading.peak:.3f}", f"{ms:.0f}"])


def speed(rounds: int) -> None:
    """Time writing and reading in turn, one thread, on one 1024x1024 photograph; and writing on every cover.

    How long the closed loop takes depends on the picture: the one photograph is among the slowest.
    """
    image = dict(covers(7, 1024))["ihc"]
    payload = bytes(range(8))
    standard, robust_ = Lattice("standard", 0), Lattice("robust", 0)
    original, gan = Invisible("dwtDctSvd"), Invisible("rivaGan")
    marked, theirs = standard.embed(image, payload), original.embed(image, payload)
    turned = ATTACKS["rotate 5, crop 75, JPEG 75"](marked, np.random.default_rng(0))
    times = interleaved(
        {
            "lattice embed, standard": lambda: standard.embed(image, payload),
            "lattice embed, robust": lambda: robust_.embed(image, payload),
            "dwtDctSvd embed": lambda: original.embed(image, payload),
            "dwtDct embed": lambda: Invisible("dwtDct").embed(image, payload),
            "lattice read, same framing": lambda: standard.read(marked),
            "lattice read, turned and cropped": lambda: standard.read(turned),
            "lattice read, unmarked": lambda: standard.read(image),
            "dwtDctSvd read": lambda: original.read(theirs),
        },
        rounds=rounds,
    )
    every = [each for _, each in covers(28, 1024)]
    embeds = {"lattice, robust": robust_.embed, "dwtDctSvd": original.embed}
    per_cover = [
        interleaved({name: lambda run=run, each=each: run(each, payload) for name, run in embeds.items()}, rounds=3)  # type: ignore[misc]
        for each in every
    ]
    typical = {
        name: {
            "median_ms": statistics.median(each[name]["median_ms"] for each in per_cover),
            "most_ms": max(each[name]["median_ms"] for each in per_cover),
            "covers": len(every),
        }
        for name in embeds
    }
    gan_times = interleaved({"rivaGan embed": lambda: gan.embed(image, payload[:4])}, rounds=1, warmup=0)
    result = {"size": 1024, "times": {**times, **gan_times}, "embedding_each_of_the_covers": typical}
    write_result("watermark-speed", result)


def security(count: int) -> None:
    """Average marked pictures, copy a mark, mark twice: what an attacker without the key gets."""
    marker = LatticeWatermarker(bytes([9]) * 32, quality="standard")
    pictures = [image for _, image in covers(60, 512)]
    rng = np.random.default_rng(5)
    average = np.zeros((512, 512), np.float64)
    for index in range(count):
        cover = np.rot90(pictures[index % 60], index // 60 % 4)
        marked = marker.write(np.ascontiguousarray(cover), rng.bytes(8)).image
        average += _residual(marked)
    average *= 1.5 / average.std()  # about 42 dB
    victims = [np.rot90(each, 2)[:, ::-1].copy() for each in pictures[:12]]
    payloads = [rng.bytes(8) for _ in victims]
    written = [marker.write(*each).image for each in zip(victims, payloads, strict=True)]
    forged = [marker.examine(_plus(each, average)) for each in victims]
    left = {
        f"times {k}": sum(
            marker.examine(_plus(each, -k * average)).payload == payload
            for each, payload in zip(written, payloads, strict=True)
        )
        for k in (0.5, 1, 2)
    }
    copied = [
        marker.examine(_plus(victims[i - 1], _residual(written[i]))).payload == payloads[i] for i in range(len(victims))
    ]
    exact = [
        marker.examine(np.clip(victims[i - 1].astype(int) + written[i] - victims[i], 0, 255).astype(np.uint8)).payload
        == payloads[i]
        for i in range(len(victims))
    ]
    other = LatticeWatermarker(bytes([10]) * 32, quality="standard")
    twice = [ATTACKS["JPEG 75"](other.write(each, b"another1").image, rng) for each in written]
    write_result(
        "watermark-security",
        {
            "averaged_pictures": count,
            "victims": len(victims),
            "forged_payloads_accepted": sum(each.payload is not None for each in forged),
            "forged_template_peak": max(each.peak for each in forged),
            "still_reads_after_subtracting_the_average": left,
            "copied_by_estimated_residual": sum(copied),
            "copied_by_exact_residual": sum(exact),
            "first_mark_reads_after_a_second_and_JPEG_75": sum(
                marker.examine(each).payload == payload for each, payload in zip(twice, payloads, strict=True)
            ),
            "second_mark_reads": sum(other.examine(each).payload == b"another1" for each in twice),
        },
    )


def regeneration(scenes: int) -> None:
    """Send marked pictures through the embedded model's autoencoder and blend: what is left of mark and picture."""
    import torch
    from diffusers import AutoencoderKL

    folder = Path(__file__).parent.parent / "models" / "sdsafe_scenes" / "vae"
    coder = AutoencoderKL.from_pretrained(folder, local_files_only=True).eval()
    marker = LatticeWatermarker(bytes([9]) * 32)
    rows: dict[str, dict[float, list[tuple[bool, float]]]] = {"photographs": {}, "scenes": {}}
    for index, (name, image) in enumerate(covers(len(HELD_OUT) + scenes, 512)):
        payload = np.random.default_rng([13, index]).bytes(8)
        marked = marker.write(image, payload).image
        with torch.inference_mode():
            tensor = torch.from_numpy(marked).permute(2, 0, 1)[None].float() / 127.5 - 1
            back = coder.decode(coder.encode(tensor).latent_dist.mode()).sample[0]
        again = ((back.permute(1, 2, 0) + 1) * 127.5).clamp(0, 255).numpy()
        for share in (0.0, 0.25, 0.5, 0.75, 0.9, 1.0):
            mixed = np.rint((1 - share) * marked + share * again).astype(np.uint8)
            kind = rows["scenes" if name.startswith("scene-") else "photographs"]
            kind.setdefault(share, []).append((marker.examine(mixed).payload == payload, psnr(marked, mixed)))
    curves = {
        kind: [
            {
                "share_regenerated": share,
                "covers": len(found),
                "read": sum(read for read, _ in found),
                "mean_psnr_db": None if share == 0 else round(statistics.mean(quality for _, quality in found), 1),
            }
            for share, found in curve.items()
        ]
        for kind, curve in rows.items()
    }
    write_result("watermark-regeneration", {"autoencoder": "builtin:scenes", "size": 512, "curves": curves})


def _residual(image: Pixels) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    from scipy import ndimage

    plane = image.mean(axis=2)
    return np.asarray(plane - ndimage.median_filter(plane, 5))


def _plus(image: Pixels, change: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Pixels:
    return np.clip(np.rint(image + change[..., None]), 0, 255).astype(np.uint8)


def main() -> None:
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", choices=("robust", "false-positives", "speed", "security", "regeneration", "look", "report")
    )
    parser.add_argument("--schemes", nargs="+", default=["lattice", "dwtDct", "dwtDctSvd"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[512, 1024])
    parser.add_argument("--covers", type=int, default=28)
    parser.add_argument("--attacks", nargs="+")
    parser.add_argument("--set", choices=tuple(SETS), default="held-out")
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--networks", help="folder of TrustMark's ONNX files; default: the model cache")
    given = parser.parse_args()
    TrustMark.folder = given.networks
    if given.what == "robust":
        robust(given.schemes, given.sizes, given.covers, given.attacks, given.set)
    elif given.what == "false-positives":
        false_positives(given.trials)
    elif given.what == "speed":
        speed(given.rounds)
    elif given.what == "security":
        security(given.trials)
    elif given.what == "regeneration":
        regeneration(8)
    elif given.what == "look":
        look(Path(__file__).parent.parent / "docs" / "concepts" / "watermark-difference.jpg")
    else:
        report(given.set)


if __name__ == "__main__":
    main()
