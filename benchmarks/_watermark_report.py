"""What `watermark.py` makes of its rows: the table, the plot, the fit of the unmarked readings, and pictures to look at."""

from __future__ import annotations

import csv
import statistics
from pathlib import Path

import numpy as np
from _attacks import ATTACKS, GROUPS
from _bench import write_result
from _watermark_covers import SETS, covers, photograph
from _watermark_schemes import Lattice
from PIL import Image

from sdsafe.bindings.watermark.statistics import fit_gumbel, rate_bound

__all__ = ["RESULTS", "look", "report"]

RESULTS = Path(__file__).parent / "results"


def report(covers_of: str) -> None:
    """Write the table (Markdown, JSON) and the plot from the rows that are there."""
    result, _ = SETS[covers_of]
    with (RESULTS / f"{result}.csv").open(encoding="utf-8", newline="") as file:
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
    (RESULTS / f"{result}.md").write_text(text, encoding="utf-8")
    print(text)
    _plot(columns, read, RESULTS / f"{result}.png")
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
    path = RESULTS / "watermark-false-positives.csv"
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


def look(path: Path) -> None:
    """Draw five marked pictures: whole, a flat part at 200 % unmarked and marked, and the difference there, tenfold."""
    scenes = dict(covers(28, 512))
    pictures = [
        (photograph("rocket.jpg", 512), (0, 192)),
        (photograph("coffee.png", 512), (60, 200)),
        (scenes["retina"], (180, 150)),
        (scenes["scene-8"], (0, 100)),
        (scenes["scene-13"], (0, 100)),
    ]
    rows = []
    for number, (image, (top, left)) in enumerate(pictures):
        marked = Lattice("robust", number).embed(image, bytes([number]) * 8)
        part = np.s_[top : top + 140, left : left + 140]
        change = 128 + 10 * (marked[part].astype(np.float32) - image[part])
        magnified = [image[part], marked[part], np.clip(np.rint(change), 0, 255).astype(np.uint8)]
        row = [np.asarray(Image.fromarray(marked).resize((280, 280), Image.Resampling.LANCZOS))]
        rows.append(
            np.concatenate([*row, *(np.kron(each, np.ones((2, 2, 1), np.uint8)) for each in magnified)], axis=1)
        )
    Image.fromarray(np.concatenate(rows)).save(path, quality=92)
