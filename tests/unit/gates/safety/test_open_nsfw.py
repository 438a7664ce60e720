from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sdsafe.core.places import Places
from sdsafe.errors import PluginError
from sdsafe.gates.safety.open_nsfw import OpenNsfwCheck, preprocess
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.core.pixels import Pixels


def _gradient() -> Pixels:
    y, x = np.mgrid[0:300, 0:400]
    return np.stack([y % 256, x % 256, (x + y) % 256], axis=-1).astype(np.uint8)


class TestPreprocess:
    def test_is_bgr_with_the_mean_subtracted(self) -> None:
        red = np.zeros((64, 64, 3), np.uint8)
        red[..., 0] = 255
        prepared = preprocess(red)
        assert prepared.shape == (1, 224, 224, 3)
        assert prepared.dtype == np.float32
        np.testing.assert_allclose(prepared[0, 0, 0], [-104, -117, 255 - 123])

    def test_crops_the_middle(self) -> None:
        picture = np.zeros((256, 256, 3), np.uint8)
        picture[16:240, 16:240] = 255
        assert (preprocess(picture)[..., 0] == 255 - 104).all()

    def test_leaves_its_input_alone(self) -> None:
        picture = _gradient()
        before = picture.copy()
        preprocess(picture)
        np.testing.assert_array_equal(picture, before)


def test_without_weights_it_is_unavailable_and_says_what_to_do(tmp_path: Path) -> None:
    check = OpenNsfwCheck(Places(state=tmp_path, cache=tmp_path))
    with pytest.raises(Unavailable, match="sdsafe models pull open-nsfw"):
        check.score(_gradient())


def test_without_onnxruntime_it_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    check = OpenNsfwCheck(Places(state=tmp_path, cache=tmp_path))
    with pytest.raises(Unavailable, match=r"sdsafe\[generate\]"):
        check.score(_gradient())


@pytest.mark.parametrize("options", [{"speed": 1}, {"threads": "two"}, {"threads": -1}])
def test_unknown_options_are_refused(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(PluginError):
        OpenNsfwCheck.configure(Places(state=tmp_path, cache=tmp_path), options)


@pytest.mark.parametrize(
    "answer", [np.array([[np.nan, np.nan]]), np.array([[0.5, 0.9]]), np.array([[1.0]]), np.array([0.5, 0.5])]
)
def test_an_answer_that_is_not_two_probabilities_is_an_error(tmp_path: Path, answer: np.ndarray) -> None:
    check = OpenNsfwCheck(Places(state=tmp_path, cache=tmp_path))

    class Session:
        def run(self, *_: object) -> list[np.ndarray]:
            return [answer]

    check._model._session = Session()
    with pytest.raises(ValueError, match="two probabilities"):
        check.score(_gradient())


@pytest.fixture(scope="module")
def check(model_cache: Path) -> OpenNsfwCheck:
    return OpenNsfwCheck(Places(state=model_cache, cache=model_cache), threads=1)


@pytest.mark.weights
class TestWithWeights:
    def test_scores_are_probabilities_and_repeat(self, check: OpenNsfwCheck) -> None:
        score = check.score(_gradient())
        assert 0 <= score <= 1
        assert check.score(_gradient()) == score

    def test_a_photograph_of_coffee_scores_low(self, check: OpenNsfwCheck) -> None:
        from skimage import data

        assert check.score(data.coffee()) < 0.1

    def test_channel_order_matters(self, check: OpenNsfwCheck) -> None:
        from skimage import data

        portrait = data.astronaut()
        right, swapped = check.score(portrait), check.score(np.ascontiguousarray(portrait[..., ::-1]))
        assert abs(right - swapped) > 1e-3

    def test_threads_share_a_session(self, check: OpenNsfwCheck) -> None:
        pictures = [np.roll(_gradient(), 40 * i, axis=1) for i in range(4)]
        alone = [check.score(picture) for picture in pictures]
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(check.score, pictures)) == alone

    def test_changed_weights_are_never_loaded(self, model_cache: Path, tmp_path: Path) -> None:
        original = (model_cache / "models" / "open-nsfw" / "open-nsfw.onnx").read_bytes()
        target = tmp_path / "models" / "open-nsfw" / "open-nsfw.onnx"
        target.parent.mkdir(parents=True)
        target.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
        with pytest.raises(Unavailable, match="SHA-256"):
            OpenNsfwCheck(Places(state=tmp_path, cache=tmp_path)).score(_gradient())
