"""The scene generator draws what its captions say, the same way every time."""

import hashlib

import numpy as np
import pytest

pytest.importorskip("PIL")
from train import captions, scenes
from train.objects import DRAWINGS
from train.vocabulary import COLOUR_WORDS, COLOURS, KINDS, PLURALS, TERRAINS, TIMES

SEEDS = range(40)


def test_world_is_as_large_as_promised() -> None:
    assert len(KINDS) >= 30
    assert len(TERRAINS) >= 10
    assert set(DRAWINGS) == set(KINDS)
    assert set(COLOUR_WORDS) == set(COLOURS)


@pytest.mark.parametrize("size", [64, 256])
def test_same_seed_same_pixels(size: int) -> None:
    first = [scenes.draw(scenes.sample(seed), size) for seed in range(6)]
    second = [scenes.draw(scenes.sample(seed), size) for seed in range(6)]
    for one, other in zip(first, second, strict=True):
        assert one.dtype == np.uint8
        assert one.shape == (size, size, 3)
        assert np.array_equal(one, other)


def test_other_seeds_other_pixels() -> None:
    digests = {hashlib.sha256(scenes.draw(scenes.sample(seed), 64).tobytes()).digest() for seed in SEEDS}
    assert len(digests) == len(SEEDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_draws_in_its_colour(kind: str) -> None:
    """Swapping the colour changes the pixels of the thing and nothing far from it."""
    terrain = "sea" if KINDS[kind].place == "water" else "hills"

    def drawn(colour: str) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        thing = scenes.Thing(kind=kind, colour=colour)
        scene = scenes.Scene(terrain=terrain, time="day", weather="clear", body="none", main=thing, second=None, seed=5)
        return scenes.draw(scene, 128).astype(np.int64)

    red, blue = drawn("red"), drawn("blue")
    changed = np.abs(red - blue).sum(axis=2) > 60
    assert 0.005 < changed.mean() < 0.35
    assert red[changed][:, 0].mean() > blue[changed][:, 0].mean() + 40
    assert blue[changed][:, 2].mean() > red[changed][:, 2].mean() + 40


@pytest.mark.parametrize("seed", SEEDS)
def test_plain_caption_names_all_attributes(seed: int) -> None:
    scene = scenes.sample(seed)
    words = captions.caption(scene, 0, plain=True)
    assert any(name in words for name in COLOUR_WORDS[scene.main.colour])
    assert any(name in words for name in TIMES[scene.time])
    last = [name.rpartition(" ")[2] for name in KINDS[scene.main.kind].names]
    assert any(PLURALS.get(name, name + "s") in words or name in words for name in last)
    terrain = TERRAINS[scene.terrain]
    assert any(name in words for name in (*terrain.on, *terrain.over, *terrain.alone))


def test_captions_vary_and_repeat() -> None:
    scene = scenes.sample(3)
    said = {captions.caption(scene, variant) for variant in range(50)}
    assert len(said) > 25
    assert captions.caption(scene, 7) == captions.caption(scene, 7)


def test_night_is_darker_than_day() -> None:
    def light(time: str) -> float:
        thing = scenes.Thing(kind="house", colour="red")
        scene = scenes.Scene(terrain="hills", time=time, weather="clear", body="none", main=thing, second=None, seed=1)
        return float(scenes.draw(scene, 64).mean())

    assert light("night") < 0.5 * light("day")


def test_one_combination_in_ten_is_held_out() -> None:
    share = np.mean([scenes.held_out(scenes.sample(seed)) for seed in range(4000)])
    assert 0.06 < share < 0.15


def test_grid_is_fixed() -> None:
    digest = hashlib.sha256("\n".join(captions.GRID).encode()).hexdigest()
    assert captions.GRID[0] == "a red house on green hills at sunset"
    assert len(captions.GRID) == 16
    assert digest == "bd8b8ff5c8e60e555cf5b5a09c2ab2c59561e96f464caa9f3f76d4774530b74c"
