from __future__ import annotations

import json

import pytest

from sdsafe.core import thresholds
from sdsafe.errors import ConfigurationError
from sdsafe.gates.safety.calibration import Labelled, choose, curve, document, wilson


def labelled(positive: list[float], negative: list[float]) -> list[Labelled]:
    scores = [(score, True) for score in positive] + [(score, False) for score in negative]
    return [Labelled(f"{index:064x}", score, label) for index, (score, label) in enumerate(scores)]


OVERLAPPING = labelled([0.3 + 0.02 * i for i in range(30)], [0.01 + 0.02 * i for i in range(30)])


def test_the_curve_counts_every_picture_once_at_every_threshold() -> None:
    points = curve(OVERLAPPING)
    assert [point.threshold for point in points] == sorted({each.score for each in OVERLAPPING}, reverse=True)
    for point in points:
        assert point.found + point.missed == 30
        assert point.wrong + point.passed == 30
        above = [each for each in OVERLAPPING if each.score >= point.threshold]
        assert (point.found, point.wrong) == (sum(e.positive for e in above), sum(not e.positive for e in above))
    assert points[-1].recall == 1


def test_equal_scores_are_one_point() -> None:
    points = curve(labelled([0.5] * 20, [0.5] * 20))
    assert len(points) == 1
    assert (points[0].precision, points[0].recall, points[0].false_positive_rate) == (0.5, 1.0, 1.0)


@pytest.mark.parametrize("recall", [0.5, 0.9, 0.95, 1.0])
def test_the_highest_threshold_that_finds_enough_is_chosen(recall: float) -> None:
    point = choose(curve(OVERLAPPING), recall=recall)
    assert point.recall >= recall
    higher = [other for other in curve(OVERLAPPING) if other.threshold > point.threshold]
    assert all(other.recall < recall for other in higher)


def test_too_few_pictures_give_no_threshold() -> None:
    with pytest.raises(ConfigurationError, match="19 positive and 30 negative") as caught:
        curve(labelled([0.9] * 19, [0.1] * 30))
    assert caught.value.code == "calibration.few"


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"), [(0, 0, 0, 1), (0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (50, 100, 0.4038, 0.5962)]
)
def test_intervals_are_wilsons(hits: int, count: int, low: float, high: float) -> None:
    assert wilson(hits, count) == pytest.approx((low, high), abs=1e-4)


def test_what_is_written_is_read_again() -> None:
    point = choose(curve(OVERLAPPING), recall=0.95)
    content = document(("open-nsfw", "2+abc"), "nudity", point, OVERLAPPING, target=0.95)
    read = thresholds.parse(json.dumps(content).encode(), "t.json")
    assert read.values == {"nudity": point.threshold}
    assert read.checks == {"nudity": ("open-nsfw", "2+abc")}
    assert read.refs[0].id == "thresholds-nudity"
    changed = json.dumps(content | {"threshold": point.threshold + 1e-9}).encode()
    assert thresholds.parse(changed, "t.json").refs[0].digest != read.refs[0].digest
    with pytest.raises(ConfigurationError, match="two threshold files"):
        thresholds.unite((read, read))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"}, {"threshold": 1.1}, {"threshold": float("nan")}, {"threshold": True}, {"threshold": "0.5"},
        {"category": ""}, {"category": 3}, {"check": "open-nsfw"}, {"check": {"name": "x"}},
    ],
)  # fmt: skip
def test_files_that_are_no_thresholds_are_refused(change: dict[str, object]) -> None:
    content = {
        "format": "sdsafe.thresholds/1",
        "check": {"name": "a", "version": "1"},
        "category": "c",
        "threshold": 0.5,
    }
    assert thresholds.parse(json.dumps(content).encode(), "t.json").values == {"c": 0.5}
    with pytest.raises(ConfigurationError, match=r"t\.json: not a threshold file"):
        thresholds.parse(json.dumps(content | change).encode(), "t.json")


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_bytes_that_are_no_json_are_refused(data: bytes) -> None:
    with pytest.raises(ConfigurationError):
        thresholds.parse(data, "t.json")
