"""Whose noise a picture was made of: the statistics by themselves, then everything around them over small models."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe import api
from sdsafe.api import slots
from sdsafe.bindings.watermark.latent import LatentMarker
from sdsafe.bindings.watermark.lattice import LatticeWatermarker
from sdsafe.core.ids import AssetId
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, ModelRef, Size
from sdsafe.errors import PluginError, RequestError, WatermarkError
from sdsafe.noise import judge_noises, read_noise_mark
from sdsafe.settings import Settings
from sdsafe.testing.fakes import FakeGenerator
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels

KEY, SHAPE = bytes(range(32)), (1, 4, 32, 32)
ID, OTHERS = AssetId(b"asset--A"), [AssetId(i.to_bytes(8, "big")) for i in range(50)]
MARKER = LatentMarker(KEY)


def recovered(correlation: float, asset_id: AssetId = ID, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> Any:
    true = MARKER.noise(asset_id.value, shape)
    other = np.random.default_rng(seed).standard_normal(shape)
    return (correlation * true + np.sqrt(1 - correlation**2) * other).astype(np.float32)


class TestJudging:
    def test_of_many_candidates_the_right_one_is_told_by_little(self) -> None:
        found = judge_noises([recovered(0.2)], MARKER, [*OTHERS, ID])
        assert (found.asset_id, found.blind, found.candidates) == (ID, False, 51)
        assert found.match is not None
        assert found.p_value == pytest.approx(found.match.p_value * 52)

    def test_everything_that_would_be_asked_counts(self) -> None:
        one = judge_noises([recovered(0.2)], MARKER, [ID], blind=False)
        four = judge_noises([recovered(0.2)], MARKER, [ID], blind=False, planned=4)
        assert four.p_value == pytest.approx(4 * one.p_value)
        border = one.p_value * 2
        assert judge_noises([recovered(0.2)], MARKER, [ID], blind=False, rate=border).asset_id == ID
        assert judge_noises([recovered(0.2)], MARKER, [ID], blind=False, rate=border, planned=4).asset_id is None

    def test_much_of_the_noise_reads_without_candidates(self) -> None:
        found = judge_noises([recovered(0.0), recovered(0.9)], MARKER, [])
        assert (found.asset_id, found.blind) == (ID, True)
        assert found.match is not None
        assert found.match.p_value < 1e-12

    def test_nothing_is_found_where_nothing_is(self) -> None:
        found = judge_noises([recovered(0.0)], MARKER, OTHERS)
        assert found.asset_id is None
        assert found.likeliest in OTHERS
        assert found.p_value > 1e-3
        assert judge_noises([], MARKER, []).p_value == 1.0

    def test_false_positives_stay_below_the_rate(self) -> None:
        """At a rate that can be seen: of 200 noises without the mark, 5 % may be told to have one of 10 candidates."""
        small = (4, 16, 16)
        wrong = [
            judge_noises([recovered(0.0, shape=small, seed=i)], MARKER, OTHERS[:10], rate=0.05, blind=False).asset_id
            for i in range(200)
        ]
        assert sum(each is not None for each in wrong) < 22  # 10 expected; 22 or more: 1 in 2,000


class Inverting(FakeGenerator):
    """Leads every picture back to noise that was kept for its size."""

    def __init__(self, noises: dict[Size, npt.NDArray[np.float32]]) -> None:
        super().__init__(side=512)
        self.noises, self.asked = noises, list[GenerationRequest]()

    def mark_noise(self, marker: object, /) -> None:
        """Leave it."""

    def invert(self, image: Pixels, request: GenerationRequest, /) -> npt.NDArray[np.float32]:
        assert request.size == Size(width=image.shape[1], height=image.shape[0])
        self.asked.append(request)
        known = self.noises.get(request.size)
        return np.asarray(recovered(0.0) if known is None else known, np.float32)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    places = Places(state=tmp_path / "state", cache=tmp_path / "cache")
    (tmp_path / "key").write_bytes(KEY)
    empty = Settings.load({"HOME": str(tmp_path)}, site=tmp_path / "none.toml")
    return replace(empty, places=places, options={"gaussian-shading": {"key_file": str(tmp_path / "key")}})


@pytest.fixture
def using(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(generator: object) -> None:
        monkeypatch.setattr(api, "open_generator", lambda _settings: generator)

    return use


ASKED = GenerationRequest(prompt="", model=ModelRef(repo="fake"))
HALF, FULL = Size(width=256, height=256), Size(width=512, height=512)


def test_a_picture_is_led_back_at_its_own_and_at_the_usual_size(settings: Settings, using: Any) -> None:
    generator = Inverting({FULL: recovered(0.3)})
    using(generator)
    found = read_noise_mark(sample_picture(height=256, width=256), ASKED, settings=settings, asset_id=ID)
    assert (found.asset_id, found.sizes, found.mirrored) == (ID, (HALF, FULL), False)
    assert found.match is not None
    assert found.p_value == pytest.approx(4 * found.match.p_value)
    odd = read_noise_mark(sample_picture(height=359, width=358), ASKED, settings=settings, asset_id=ID)
    assert (odd.asset_id, odd.sizes) == (ID, (FULL,))


def test_a_size_that_is_named_is_the_only_one(settings: Settings, using: Any) -> None:
    generator = Inverting({})
    using(generator)
    found = read_noise_mark(
        sample_picture(height=256, width=256), replace(ASKED, size=HALF), settings=settings, asset_id=ID
    )
    assert (found.asset_id, found.sizes, found.mirrored) == (None, (HALF,), True)
    assert [each.size for each in generator.asked] == [HALF, HALF]


def test_the_pixel_mark_names_a_candidate(settings: Settings, using: Any) -> None:
    using(Inverting({FULL: recovered(0.25)}))
    plain = sample_picture(height=512, width=512)
    assert read_noise_mark(plain, ASKED, settings=settings).candidates == 0
    lattice = LatticeWatermarker.configure(settings.places, {"quality": "standard"})
    (marked,) = lattice.embed([plain], [ID.value])
    found = read_noise_mark(marked, ASKED, settings=settings)
    assert (found.asset_id, found.candidates, found.blind) == (ID, 1, False)
    (copied,) = lattice.embed([plain], [OTHERS[3].value])  # the mark of another asset says nothing about the noise
    assert read_noise_mark(copied, ASKED, settings=settings).asset_id is None


def test_unknown_proportions_need_a_size(settings: Settings, using: Any) -> None:
    using(Inverting({}))
    with pytest.raises(RequestError, match="nobody says at which") as caught:
        read_noise_mark(sample_picture(height=250, width=311), ASKED, settings=settings)
    assert caught.value.code == "request.size"


def test_a_generator_that_cannot_go_back_is_named(settings: Settings, using: Any) -> None:
    using(FakeGenerator())
    with pytest.raises(PluginError, match="cannot lead pictures back"):
        read_noise_mark(sample_picture(), ASKED, settings=settings)


def test_without_a_key_no_model_is_asked(settings: Settings, using: Any) -> None:
    generator = Inverting({})
    using(generator)
    with pytest.raises(WatermarkError, match="no watermark key") as caught:
        read_noise_mark(sample_picture(), ASKED, settings=replace(settings, options={}))
    assert caught.value.code == "watermark.no-key"
    assert generator.asked == []
    assert not settings.places.state.exists()


def test_generators_that_cannot_mark_are_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "plugin", lambda *_args: FakeGenerator())
    api.open_generator(settings)
    with pytest.raises(PluginError, match="cannot begin with the noise of 'gaussian-shading'"):
        api.open_generator(replace(settings, noise_marker="gaussian-shading"))


def test_an_unknown_marker_is_named(settings: Settings) -> None:
    with pytest.raises(PluginError, match="no plug-in 'tree-ring'"):
        api.open_generator(replace(settings, noise_marker="tree-ring"))


def test_the_setting_can_be_given_by_the_environment(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "SDSAFE_NOISE_MARKER": "gaussian-shading"}
    assert Settings.load(env, site=tmp_path / "none.toml").noise_marker == "gaussian-shading"
    assert not Settings.load({"HOME": str(tmp_path)}, site=tmp_path / "none.toml").noise_marker


@pytest.mark.parametrize("options", [{"strength": 1}, {"blind": "yes"}, {"key_file": 3}])
def test_wrong_options_of_the_marker_are_named(settings: Settings, options: dict[str, object]) -> None:
    chosen = replace(settings, noise_marker="gaussian-shading", options={"gaussian-shading": options})
    with pytest.raises(PluginError, match="unknown or has the wrong type"):
        api.open_generator(chosen)


def test_the_key_is_that_of_the_pixel_mark(settings: Settings) -> None:
    shared = LatentMarker.configure(settings.places, {})
    with pytest.raises(WatermarkError, match="no watermark key"):
        shared.match(recovered(0.9), ID.value)
    drawn = shared.noise(ID.value, SHAPE)  # drawing makes the key
    lattice = LatticeWatermarker.configure(settings.places, {})
    assert shared.key_id == lattice.key_id
    assert LatentMarker.configure(settings.places, {}).match(drawn, ID.value).p_value < 1e-100
