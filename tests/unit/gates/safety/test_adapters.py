"""The contract suite over every adapter, and what is particular to each."""

from __future__ import annotations

import importlib.metadata
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe.core.findings import Box, Stage
from sdsafe.core.places import Places
from sdsafe.errors import PluginError
from sdsafe.gates.pinned import folder_digest
from sdsafe.gates.safety.classifier import ClassifierCheck
from sdsafe.gates.safety.clip_concepts import ClipConceptsCheck, Concepts, margin_score
from sdsafe.gates.safety.loading import Runtime
from sdsafe.gates.safety.nudenet import NudeNetCheck
from sdsafe.protocols import Unavailable
from sdsafe.testing.contracts import OutputCheckContract
from sdsafe.testing.samples import sample_generated, sample_picture

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.gates.safety.scoring import PictureCheck

PLACES_NOT_USED: Any = None
needs_nudenet = pytest.mark.skipif(
    not any(each.name == "nudenet" for each in importlib.metadata.distributions()),
    reason="the extra nudenet is not installed (AGPL-3.0 weights)",
)


class AdapterContract(OutputCheckContract):
    """The suite of every output check, and what batches and threads add."""

    def make(self) -> PictureCheck:  # type: ignore[override]
        return self.check

    def test_a_batch_answers_like_singles_in_order(self) -> None:
        pictures = [sample_picture(seed, height=64 + 8 * seed, width=96) for seed in range(5)]
        together = self.check.scores(pictures)
        for picture, answer in zip(pictures, together, strict=True):
            (alone,) = self.check.scores([picture])
            assert alone.keys() == answer.keys()
            for category in alone:
                assert alone[category].score == pytest.approx(answer[category].score, abs=1e-5)

    def test_different_pictures_are_told_apart(self) -> None:
        answers = self.check.scores([sample_picture(seed) for seed in range(4)])
        assert len({tuple(round(each.score, 9) for each in answer.values()) for answer in answers}) > 1

    def test_threads_agree_with_a_single_one(self) -> None:
        pictures = [sample_picture(seed) for seed in range(6)]
        expected = [self.check.scores([each])[0] for each in pictures]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda each: self.check.scores([each])[0], pictures))
        for one, other in zip(found, expected, strict=True):
            assert {k: v.score for k, v in one.items()} == pytest.approx({k: v.score for k, v in other.items()})


class TestClassifier(AdapterContract):
    @pytest.fixture(autouse=True)
    def _made(self, vit_folder: Path) -> None:
        self.check = ClassifierCheck(
            vit_folder, folder_digest(vit_folder), {"nsfw": "nudity"}, runtime=Runtime(batch=2)
        )


class TestClipConcepts(AdapterContract):
    @pytest.fixture(autouse=True)
    def _made(self, clip_folder: Path) -> None:
        concepts = Concepts({"weapon": ("a gun", "a rifle"), "logo": ("a logo",)})
        self.check = ClipConceptsCheck(clip_folder, folder_digest(clip_folder), concepts=concepts)


class TestSafetyChecker(AdapterContract):
    @pytest.fixture(autouse=True)
    def _made(self, checker_folder: Path) -> None:
        self.check = ClipConceptsCheck(checker_folder, folder_digest(checker_folder))

    def test_a_score_above_one_half_is_what_diffusers_would_paint_black(self, checker_folder: Path) -> None:
        import torch
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
        from transformers import AutoImageProcessor

        checker = StableDiffusionSafetyChecker.from_pretrained(checker_folder, local_files_only=True)
        prepare = AutoImageProcessor.from_pretrained(checker_folder, local_files_only=True, backend="pil")
        pictures = [sample_picture(seed) for seed in range(12)]
        tensors = prepare(images=pictures, return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            embedded = checker.visual_projection(checker.vision_model(tensors)[1])
        black = (
            torch.nn.functional.cosine_similarity(embedded[:, None], checker.concept_embeds[None], dim=2)
            > checker.concept_embeds_weights
        )
        found = [answer["sexual"].score > 0.5 for answer in self.check.scores(pictures)]
        assert found == black.any(dim=1).tolist()


@needs_nudenet
class TestNudeNet(AdapterContract):
    @pytest.fixture(autouse=True)
    def _made(self) -> None:
        self.check = NudeNetCheck(threads=1)

    def test_the_network_sees_red_as_red(self) -> None:
        """Exchanged channels move the scores of a portrait: the fault of the wheel's own code must not return."""
        skimage = pytest.importorskip("skimage.data")
        portrait = skimage.astronaut()
        right, wrong = self.check.scores([portrait, np.ascontiguousarray(portrait[..., ::-1])])
        assert right["face"].score > wrong["face"].score
        assert right["face"].score > 0.6
        box = right["face"].box
        assert box is not None
        assert 150 < (box.left + box.right) / 2 < 300
        assert 40 < (box.top + box.bottom) / 2 < 200

    def test_its_licence_is_part_of_its_version(self) -> None:
        assert self.check.version.endswith("AGPL-3.0")


def test_without_the_extra_nudenet_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(Unavailable, match=r"sdsafe\[nudenet\]"):
        NudeNetCheck().scores([sample_picture()])


class TestPinnedFolders:
    def test_a_changed_file_is_noticed(self, vit_folder: Path, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        shutil.copytree(vit_folder, folder)
        pinned = folder_digest(folder)
        (folder / "config.json").write_text((folder / "config.json").read_text().replace("gelu", "relu"))
        with pytest.raises(Unavailable, match=f"pinned is {pinned[:12]}"):
            ClassifierCheck(folder, pinned, {"nsfw": "nudity"}).scores([sample_picture()])

    def test_a_file_swapped_while_it_is_loaded_is_noticed(
        self, vit_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "model"
        shutil.copytree(vit_folder, folder)
        check = ClassifierCheck(folder, folder_digest(folder), {"nsfw": "nudity"})
        load = ClassifierCheck._load

        def swap(self: ClassifierCheck, path: Path) -> Any:
            loaded = load(self, path)
            (path / "config.json").write_text((path / "config.json").read_text() + " ")
            return loaded

        monkeypatch.setattr(ClassifierCheck, "_load", swap)
        check = ClassifierCheck(folder, folder_digest(folder), {"nsfw": "nudity"})
        with pytest.raises(Unavailable, match="was changed"):
            check.scores([sample_picture()])

    def test_pickled_weights_are_not_looked_at(self, vit_folder: Path, tmp_path: Path) -> None:
        shutil.copy(vit_folder / "config.json", tmp_path)
        (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
        with pytest.raises(Unavailable, match="pickled"):
            folder_digest(tmp_path)

    def test_a_missing_folder_is_unavailable(self, tmp_path: Path) -> None:
        with pytest.raises(Unavailable, match="no safetensors"):
            ClassifierCheck(tmp_path / "none", "0" * 64, {"nsfw": "nudity"}).scores([sample_picture()])

    def test_a_label_that_the_network_does_not_have_makes_it_unavailable(self, vit_folder: Path) -> None:
        check = ClassifierCheck(vit_folder, folder_digest(vit_folder), {"porn": "nudity"})
        with pytest.raises(Unavailable, match="no label 'porn'; it has normal, nsfw"):
            check.scores([sample_picture()])

    def test_a_clip_folder_without_concepts_is_unavailable(self, clip_folder: Path) -> None:
        with pytest.raises(Unavailable, match="set `concepts`"):
            ClipConceptsCheck(clip_folder, folder_digest(clip_folder)).scores([sample_picture()])


class TestViews:
    def test_a_large_picture_is_looked_at_in_tiles_and_the_finding_says_where(self, vit_folder: Path) -> None:
        whole = ClassifierCheck(vit_folder, folder_digest(vit_folder), {"nsfw": "nudity"}, runtime=Runtime(tile=0))
        tiled = ClassifierCheck(vit_folder, folder_digest(vit_folder), {"nsfw": "nudity"}, runtime=Runtime(tile=128))
        picture = sample_picture(3, height=300, width=500)
        (one,), (many,) = whole.check(sample_generated(picture)), tiled.check(sample_generated(picture))
        assert (one.box, one.data["views"]) == (None, 1)
        assert many.data["views"] > 6
        assert many.score is not None
        assert one.score is not None
        assert many.score >= one.score - 1e-6
        if many.box is not None:
            crop = picture[many.box.top : many.box.bottom, many.box.left : many.box.right]
            assert whole.scores([crop])[0]["nudity"].score == pytest.approx(many.score, abs=1e-5)

    def test_inputs_are_findings_of_their_own_stage(self, vit_folder: Path) -> None:
        from sdsafe.core.request import InputImage

        check = ClassifierCheck(vit_folder, folder_digest(vit_folder), {"nsfw": "nudity"})
        image = InputImage(role="image", pixels=sample_picture(), sha256="0" * 64, media_type="image/png", data=b"")
        (finding,) = check.check_input(image)
        assert (finding.stage, finding.code) == (Stage.INPUT, "input.score")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "'path'"),
        ({"path": "m"}, "'sha256'"),
        ({"path": "m", "sha256": "abc"}, "64 lower-case"),
        ({"path": "m", "sha256": "0" * 64}, "'labels'"),
        ({"path": "m", "sha256": "0" * 64, "labels": {}}, "'labels'"),
        ({"path": "m", "sha256": "0" * 64, "labels": {"nsfw": "Nudity!"}}, "lower case"),
        ({"path": "m", "sha256": "0" * 64, "labels": {"nsfw": "nudity"}, "batch": 0}, "'batch'"),
        ({"path": "m", "sha256": "0" * 64, "labels": {"nsfw": "nudity"}, "speed": 1}, "unknown option 'speed'"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=says):
        ClassifierCheck.configure(Places(state=tmp_path, cache=tmp_path), options)


def test_options_reach_the_check(vit_folder: Path, tmp_path: Path) -> None:
    options = {
        "path": str(vit_folder),
        "sha256": folder_digest(vit_folder),
        "labels": {"nsfw": "nudity"},
        "name": "vit",
    }
    check = ClassifierCheck.configure(Places(state=tmp_path, cache=tmp_path), options)
    assert check.name == "vit"
    assert 0 <= check.scores([sample_picture()])[0]["nudity"].score <= 1


def test_a_margin_of_nothing_is_one_half() -> None:
    assert margin_score(0.0) == 0.5
    assert margin_score(-1.0) < 0.01
    assert margin_score(1.0) > 0.99


def test_boxes_of_tiles_are_places_in_the_picture() -> None:
    from sdsafe.gates.safety.scoring import _in_picture
    from sdsafe.gates.safety.views import View

    view = View(box=Box(left=100, top=50, right=200, bottom=150), pixels=sample_picture())
    assert _in_picture(Box(left=1, top=2, right=3, bottom=4), view) == Box(left=101, top=52, right=103, bottom=54)
    assert _in_picture(None, view) == view.box
