"""``sdsafe safety``: try output checks on pictures of your own, and find thresholds for them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import FILE, force_option, json_option
from sdsafe_cli.render import emit_json, message, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.gates.safety.calibration import Labelled, Point
    from sdsafe.gates.safety.scoring import PictureCheck

__all__ = ["command"]

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_OUTPUT = click.Path(dir_okay=False, path_type=Path)
_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff"}
_check_option = click.option(
    "--check", default="open-nsfw", show_default=True, metavar="NAME", help="The output check."
)


@click.group("safety")
def command() -> None:
    """Score pictures with an output check; find a threshold for it. A score decides nothing: policy does."""


@command.command("score")
@click.argument("files", nargs=-1, required=True, type=FILE)
@_check_option
@json_option
def score(*, files: tuple[Path, ...], check: str, as_json: bool) -> None:
    """Print what an output check sees in FILES."""
    looking = _load(check)
    scores = [(file, _scores(looking, file)) for file in files]
    if as_json:
        pictures = [{"file": str(file), "scores": found} for file, found in scores]
        emit_json("sdsafe.safety.scores/1", {"check": looking.name, "version": looking.version, "pictures": pictures})
        return
    rows = [(file.name, category, f"{value:.4f}") for file, found in scores for category, value in found.items()]
    table(f"{looking.name} {looking.version}", ("file", "category", "score"), rows)


@command.command("calibrate")
@click.argument("folder", type=_FOLDER)
@_check_option
@click.option("--category", default="nudity", show_default=True, help="The category that the labels are about.")
@click.option("--recall", type=click.FloatRange(0, 1, min_open=True), default=0.95, show_default=True,
              help="Share of the positive pictures that has to be found.")  # fmt: skip
@click.option("-o", "--output", type=_OUTPUT, required=True, help="Where the threshold file goes.")
@click.option("--plot", type=_OUTPUT, help="Also draw the precision-recall curve as a PNG.")
@force_option
@json_option
def calibrate(  # noqa: PLR0913 - one argument per option
    *,
    folder: Path,
    check: str,
    category: str,
    recall: float,
    output: Path,
    plot: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Find a threshold from the pictures in FOLDER/positive and FOLDER/negative, as you labelled them.

    The pictures stay where they are; the threshold file names them by SHA-256 only.
    """
    from sdsafe._internal import atomic, images
    from sdsafe.gates.safety import calibration
    from sdsafe_cli.charts import precision_recall

    looking = _load(check)
    labelled = tuple(_labelled(looking, folder, category))
    points = calibration.curve(labelled)
    point = calibration.choose(points, recall=recall)
    content = calibration.document((looking.name, looking.version), category, point, labelled, target=recall)
    write = atomic.replace if force else atomic.write_new
    write(output, (json.dumps(content, indent=2) + "\n").encode())
    if plot:
        title = f"{category} by {looking.name}, {len(labelled)} pictures"
        write(plot, images.encode(precision_recall(points, point, title)))
    if as_json:
        emit_json("sdsafe.safety.calibration/1", {**content, "file": str(output)})
        return
    _print(point)
    message(
        f"{output}: name it under `thresholds` in the settings; rules then ask `score.{category} >= threshold.{category}`"
    )


def _print(point: Point) -> None:
    from sdsafe.gates.safety.calibration import wilson

    def share(hits: int, count: int) -> str:
        low, high = wilson(hits, count)
        return f"{hits}/{count} = {hits / max(1, count):.1%} (95 %: {low:.1%} to {high:.1%})"

    rows = [
        ("threshold", f"{point.threshold:.4f}"),
        ("recall", share(point.found, point.found + point.missed)),
        ("precision", share(point.found, point.found + point.wrong)),
        ("false positives", share(point.wrong, point.wrong + point.passed)),
    ]
    table("Chosen on these very pictures: on others it will do somewhat worse", ("what", "value"), rows)


def _load(name: str) -> PictureCheck:
    from sdsafe import plugins
    from sdsafe.errors import PluginError
    from sdsafe.gates.safety.scoring import PictureCheck

    settings = settings_from()
    check = plugins.load("sdsafe.output_checks", name, settings.places, settings.options_for(name))
    if not isinstance(check, PictureCheck):
        raise PluginError(f"the check {name} does not score single pictures", hint="`sdsafe plugins` lists others.")
    return check


def _scores(check: PictureCheck, file: Path) -> dict[str, float]:
    from sdsafe._internal import images
    from sdsafe.api import read_asset
    from sdsafe.errors import ConfigurationError
    from sdsafe.protocols import Unavailable

    try:
        return {
            category: float(seen.score) for category, seen in check.look(images.decode(read_asset(file).data)).items()
        }
    except Unavailable as missing:
        raise ConfigurationError(str(missing), code="check.unavailable") from missing


def _labelled(check: PictureCheck, folder: Path, category: str) -> Iterator[Labelled]:
    from sdsafe.gates.safety.calibration import Labelled

    for label in ("positive", "negative"):
        files = sorted(each for each in (folder / label).rglob("*") if each.suffix.lower() in _SUFFIXES)
        for index, file in enumerate(files, 1):
            scores = _scores(check, file)
            if category not in scores:
                message(f"{check.name} reports {', '.join(scores)}, not {category}")
                raise SystemExit(Exit.USAGE)
            if index % 100 == 0:
                message(f"{label}: {index} of {len(files)}")
            yield Labelled(_sha256(file), scores[category], label == "positive")


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
