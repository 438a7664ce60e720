"""What marks survive: every scheme, every attack, the same covers in the same run.

    python benchmarks/watermark.py robust  [--sizes 512 1024] [--schemes lattice dwtDct ...] [--covers 28]
    python benchmarks/watermark.py robust  --set generated --sizes 512 --covers 200
    python benchmarks/watermark.py robust  --schemes trustmark-P trustmark-Q [--networks FOLDER]
    python benchmarks/watermark.py false-positives [--trials 5000]
    python benchmarks/watermark.py speed
    python benchmarks/watermark.py security [--trials 1000]
    python benchmarks/watermark.py regeneration
    python benchmarks/watermark.py report [--set generated]

A trial counts when the exact 64-bit payload comes back (bit accuracy says nothing that a verifier could use); rivaGan
carries 32 bits and is asked for 32. Results go to ``results/watermark-*.csv`` row by row, and a run that is started
again goes on where it stopped. ``report`` makes the table and the plot from them.

The covers are held out: none was looked at while the mark's constants were chosen (those were eight photographs of
scikit-image: astronaut, camera, chelsea, coffee, motorcycle, coins, grass, rocket). The set ``generated`` holds what
the embedded model makes of captions: soft and smooth pictures, the hardest to hide anything in.
"""

from __future__ import annotations

import argparse
import csv
import functools
import statistics
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "models")]

from _attacks import ATTACKS, GROUPS  # noqa: E402 - the path is set above, and in the lines that follow
from _bench import interleaved, write_result  # noqa: E402

from sdsafe import plugins  # noqa: E402
from sdsafe.bindings.watermark.embedding import psnr  # noqa: E402
from sdsafe.bindings.watermark.lattice import LatticeWatermarker  # noqa: E402
from sdsafe.bindings.watermark.statistics import fit_gumbel, rate_bound  # noqa: E402
from sdsafe.errors import WatermarkError  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.pixels import Pixels

_RESULTS = Path(__file__).parent / "results"
_HELD_OUT = ("brick.png", "cell.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "retina.jpg")
_FIRST_SCENE = 900_000  # far from the seeds that the embedded model trains on
_KEYS = 4


class Scheme(Protocol):
    """What the benchmark asks of a scheme."""

    bits: int

    def embed(self, image: Pixels, payload: bytes) -> Pixels:
        """Return the marked picture."""
        ...

    def read(self, image: Pixels) -> bytes | None:
        """Return what is read, None where the scheme can say that there is nothing."""
        ...


class Lattice:
    """Ours, one of several keys, so that no lucky lattice decides."""

    bits = 64

    def __init__(self, quality: str, key: int) -> None:
        self._marker = LatticeWatermarker(bytes([key]) * 32, quality=quality)

    def embed(self, image: Pixels, payload: bytes) -> Pixels:
        """Mark."""
        return self._marker.write(image, payload).image

    def read(self, image: Pixels) -> bytes | None:
        """Read."""
        return self._marker.examine(image).payload


class Invisible:
    """invisible-watermark, unmodified; it returns bits whether or not there is a mark."""

    def __init__(self, method: str) -> None:
        self.bits = 32 if method == "rivaGan" else 64
        self._method = method

    def embed(self, image: Pixels, payload: bytes) -> Pixels:
        """Mark, in their channel order."""
        from imwatermark import WatermarkEncoder

        encoder = WatermarkEncoder()
        encoder.set_watermark("bytes", payload)
        if self._method == "rivaGan":
            encoder.loadModel()
        return np.asarray(encoder.encode(image[..., ::-1].copy(), self._method), np.uint8)[..., ::-1].copy()

    def read(self, image: Pixels) -> bytes | None:
        """Read; None for sizes it refuses."""
        from imwatermark import WatermarkDecoder

        if image.shape[0] * image.shape[1] < 256 * 256:
            return None  # it refuses
        decoder = WatermarkDecoder("bytes", self.bits)
        if self._method == "rivaGan":
            decoder.loadModel()
        try:
            return bytes(decoder.decode(image[..., ::-1].copy(), self._method))
        except (ValueError, RuntimeError, IndexError):
            return None


class TrustMark:
    """Adobe's networks, from where ``sdsafe models pull trustmark-P`` puts them or from ``--networks``."""

    bits = 64
    folder: str | None = None

    def __init__(self, variant: str) -> None:
        named = {} if self.folder is None else {"folder": self.folder}
        self._marker = plugins.load(
            "sdsafe.watermarkers", "trustmark", None, {"variant": variant, "threads": 1, **named}
        )

    def embed(self, image: Pixels, payload: bytes) -> Pixels:
        """Mark."""
        (marked,) = self._marker.embed([image], [payload])
        return np.asarray(marked)

    def read(self, image: Pixels) -> bytes | None:
        """Read."""
        (found,) = self._marker.detect([image])
        return None if found.payload is None else bytes(found.payload)


def scheme(name: str, cover: int) -> Scheme:
    if name.startswith("trustmark-"):
        return _trustmark(name.removeprefix("trustmark-"))
    if name.startswith("lattice"):
        return Lattice("standard" if name == "lattice-standard" else "robust", cover % _KEYS)
    return Invisible(name)


@functools.cache
def _trustmark(variant: str) -> TrustMark:
    return TrustMark(variant)  # loading takes longer than reading


def covers(count: int, size: int) -> Iterator[tuple[str, Pixels]]:
    """Yield held-out photographs, then drawn scenes, as squares."""
    from importlib.resources import files

    from train.scenes import draw, sample

    data = files("skimage") / "data"
    for name in _HELD_OUT[:count]:
        with (data / name).open("rb") as file:
            picture = Image.open(file).convert("RGB")
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        square = picture.crop((left, top, left + side, top + side))
        yield name.split(".")[0], np.array(square.resize((size, size), Image.Resampling.BICUBIC))
    for index in range(count - len(_HELD_OUT)):
        yield f"scene-{index}", draw(sample(_FIRST_SCENE + index), size)


def generated(count: int, size: int) -> Iterator[tuple[str, Pixels]]:
    """Yield what the embedded model makes of captions that its training never saw, unpicked."""
    from train import captions, scenes

    pipe = _pipe()
    for index in range(count):
        caption = captions.caption(scenes.sample(_FIRST_SCENE + index), 0, plain=True)
        seed = torch_seed(index)
        made = pipe(
            caption,
            height=size,
            width=size,
            num_inference_steps=25,
            guidance_scale=4.0,
            generator=seed,
            output_type="np",
        )
        yield f"generated-{index}", np.asarray(np.round(made.images[0] * 255), np.uint8)


def _pipe() -> Any:
    import torch
    from diffusers import AutoPipelineForText2Image

    import sdsafe_scenes

    torch.set_num_threads(1)
    pipe = AutoPipelineForText2Image.from_pretrained(sdsafe_scenes.path(), local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def torch_seed(index: int) -> Any:
    """Return the noise of picture ``index``."""
    import torch

    return torch.Generator("cpu").manual_seed(index)


_SETS = {"held-out": ("watermark-robust", covers), "generated": ("watermark-generated", generated)}
"""Where the results of a set of covers go, and where its covers come from."""


def _rows(path: Path, header: list[str], key: int) -> set[tuple[str, ...]]:
    """Return the keys (first columns) of rows that exist already; write the header where there is no file."""
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(",".join(header) + "\n", encoding="utf-8")
    with path.open(encoding="utf-8", newline="") as file:
        return {tuple(row[:key]) for row in list(csv.reader(file))[1:]}


def robust(names: list[str], sizes: list[int], count: int, only: list[str] | None, covers_of: str) -> None:
    result, source = _SETS[covers_of]
    path = _RESULTS / f"{result}.csv"
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
    path = _RESULTS / "watermark-false-positives.csv"
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
    for index, (name, image) in enumerate(covers(len(_HELD_OUT) + scenes, 512)):
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


def report(covers_of: str) -> None:
    """Write the table (Markdown, JSON) and the plot from the rows that are there."""
    result, _ = _SETS[covers_of]
    with (_RESULTS / f"{result}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    read: dict[tuple[str, str, str], list[int]] = {}
    quality: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        read.setdefault((row["attack"], row["scheme"], row["size"]), []).append(int(row["read"]))
        if row["psnr"].replace(".", "").isdigit():
            quality.setdefault((row["scheme"], row["size"]), {})[row["cover"]] = float(row["psnr"])
    columns = sorted(quality, key=lambda each: (not each[0].startswith("lattice"), each))
    lines = [_line(["attack", "must", *(f"{name} {size}" for name, size in columns)])]
    lines.append(_line(["---"] * (len(columns) + 2)))
    for label, pick in (("mean PSNR, dB", statistics.mean), ("least PSNR, dB", min)):
        lines.append(_line([label, "", *(f"{pick(quality[each].values()):.1f}" for each in columns)]))
    lines.append(_line(["covers", "", *(str(len(quality[each])) for each in columns)]))
    for must, attacks in GROUPS.values():
        for attack in attacks:
            got = [read.get((attack, *each)) for each in columns]
            cells = ["-" if not each else f"{100 * statistics.mean(each):.1f}" for each in got]
            if any(got):
                lines.append(_line([attack, "" if must is None else f"{100 * must:g}", *cells]))
    text = "\n".join(lines) + "\n"
    (_RESULTS / f"{result}.md").write_text(text, encoding="utf-8")
    print(text)
    _plot(columns, read, _RESULTS / f"{result}.png")
    _tail()


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plot(columns: list[tuple[str, str]], read: dict[tuple[str, str, str], list[int]], path: Path) -> None:
    """Draw the table as a grid of shades, one row per attack; Pillow is enough for that."""
    from PIL import ImageDraw

    measured = {attack for attack, *_ in read}
    names = [each for each in ATTACKS if each in measured]
    width, height, left, top = 120, 16, 210, 40
    sheet = Image.new("RGB", (left + width * len(columns), top + height * len(names)), "white")
    pen = ImageDraw.Draw(sheet)
    for column, (name, size) in enumerate(columns):
        pen.text((left + width * column + 4, 8), f"{name}\n{size}", "black")
        for row, attack in enumerate(names):
            got = read.get((attack, name, size))
            share = None if not got else statistics.mean(got)
            shade = (235, 235, 235) if share is None else tuple(round(255 - (255 - c) * share) for c in (30, 120, 80))
            box = [
                left + width * column,
                top + height * row,
                left + width * (column + 1) - 2,
                top + height * (row + 1) - 2,
            ]
            pen.rectangle(box, fill=shade)
            if share is not None:
                pen.text((box[0] + 4, box[1] + 1), f"{100 * share:.0f}", "white" if share > 0.5 else "black")
    for row, attack in enumerate(names):
        pen.text((4, top + height * row), attack, "black")
    sheet.save(path, optimize=True)


def _tail() -> None:
    path = _RESULTS / "watermark-false-positives.csv"
    if not path.exists():
        return
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    peaks = [float(row["peak"]) for row in rows]
    false = sum(bool(row["payload"]) for row in rows)
    fit = fit_gumbel(peaks)
    write_result(
        "watermark-false-positives",
        {
            "detections": len(rows),
            "payloads": false,
            "rate_at_most_95": rate_bound(false, len(rows)),
            "messages_mean": round(statistics.mean(int(row["messages"]) for row in rows), 2),
            "messages_most": max(int(row["messages"]) for row in rows),
            "bound_from_messages": max(int(row["messages"]) for row in rows) * 2.0**-32,
            "peak_largest": max(peaks),
            "gumbel_location": round(fit.location, 4),
            "gumbel_scale": round(fit.scale, 4),
            "peak_expected_largest": round(fit.quantile(1 / len(peaks)), 3),
            "peak_at_1e-6": round(fit.quantile(1e-6), 3),
            "read_ms_median": statistics.median(float(row["ms"]) for row in rows),
        },
    )


def main() -> None:
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("robust", "false-positives", "speed", "security", "regeneration", "report"))
    parser.add_argument("--schemes", nargs="+", default=["lattice", "dwtDct", "dwtDctSvd"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[512, 1024])
    parser.add_argument("--covers", type=int, default=28)
    parser.add_argument("--attacks", nargs="+")
    parser.add_argument("--set", choices=tuple(_SETS), default="held-out")
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
    else:
        report(given.set)


if __name__ == "__main__":
    main()
