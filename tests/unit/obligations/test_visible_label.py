"""Visible labels: drawn where they belong, large enough, and recognised in the decoded file only if they are there."""

from __future__ import annotations

import numpy as np
import pytest

from sdsafe._internal import images
from sdsafe.core.obligations import CORNERS
from sdsafe.core.plans import Label
from sdsafe.obligations.label import draw, legible, misfit, unwritable
from sdsafe.testing.samples import sample_picture

WORDS = "AI-generated"


@pytest.mark.parametrize("corner", CORNERS)
def test_a_label_is_read_back_from_its_corner_and_from_no_other(corner: str) -> None:
    picture, label = sample_picture(), Label(text=WORDS, corner=corner)
    drawn = draw(picture, [label], None)
    assert legible(drawn, label, [label], None)
    assert not legible(picture, label, [label], None)
    for other in set(CORNERS) - {corner}:
        elsewhere = Label(text=WORDS, corner=other)
        assert not legible(drawn, elsewhere, [elsewhere], None)
    changed = np.any(drawn != picture, axis=2)
    rows, columns = np.nonzero(changed)
    assert (rows.min() > 128) == corner.startswith("bottom")
    assert (columns.min() > 64) == corner.endswith("right")


def test_other_words_are_not_taken_for_the_label() -> None:
    picture = sample_picture()
    drawn = draw(picture, [Label(text="I-generatedA", corner=CORNERS[0])], None)
    wanted = Label(text=WORDS, corner=CORNERS[0])
    assert not legible(drawn, wanted, [wanted], None)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_corner_is_no_label(level: int) -> None:
    flat = np.full((256, 256, 3), level, np.uint8)
    for text in (WORDS, ".", "-"):
        label = Label(text=text, corner=CORNERS[0])
        assert not legible(flat, label, [label], None)


def test_labels_of_one_corner_stand_above_each_other() -> None:
    labels = [Label(text=WORDS, corner="top-left"), Label(text="Someone", corner="top-left")]
    drawn = draw(sample_picture(), labels, None)
    assert all(legible(drawn, each, labels, None) for each in labels)
    assert not legible(draw(sample_picture(), labels[:1], None), labels[1], labels, None)


def test_a_label_survives_jpeg() -> None:
    label = Label(text=WORDS, corner=CORNERS[0])
    drawn = draw(sample_picture(), [label], None)
    assert legible(images.decode(images.encode(drawn, "image/jpeg", quality=70)), label, [label], None)


@pytest.mark.parametrize("side", [256, 512, 1024])
def test_capital_letters_are_a_twentieth_of_the_shorter_side(side: int) -> None:
    picture = np.full((side, side, 3), 120, np.uint8)
    drawn = draw(picture, [Label(text="A", corner="top-left")], None)
    rows = np.nonzero((drawn == 255).all(axis=2).any(axis=1))[0]
    assert rows.max() - rows.min() + 1 >= max(12, 0.05 * side) - 1


def test_what_does_not_fit_or_has_no_sign_is_said_before_it_is_drawn() -> None:
    label = Label(text=WORDS, corner=CORNERS[0])
    assert not misfit([label], 256, 256, None)
    assert "bottom-right" in misfit([label], 96, 96, None)
    assert misfit([Label(text=f"{i}", corner=CORNERS[0]) for i in range(8)], 256, 256, None)
    assert unwritable("AI 生成", None) == "生成"
    assert not unwritable(WORDS, None)
