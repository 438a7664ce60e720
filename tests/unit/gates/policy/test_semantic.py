from __future__ import annotations

import json
import shutil
from textwrap import dedent
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sdsafe import plugins
from sdsafe.core.findings import CheckStatus
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest
from sdsafe.errors import ConfigurationError, PluginError, PolicyFormatError
from sdsafe.gates.guard import run_prompt_check
from sdsafe.gates.pinned import folder_digest
from sdsafe.gates.policy.exemplars import Calibration, Exemplars, calibrated, read_exemplars
from sdsafe.gates.policy.semantic import SemanticCheck

if TYPE_CHECKING:
    from pathlib import Path

WATER = ["river", "lake", "sea", "rain", "ocean", "stream", "wave"]
STONE = ["rock", "hill", "sand", "cliff", "desert", "mountain", "stone"]
OTHER = [
    "the",
    "a",
    "of",
    "with",
    "and",
    "house",
    "cat",
    "dog",
    "tree",
    "red",
    "blue",
    "green",
    "street",
    "night",
    "day",
    "man",
    "woman",
    "bird",
    "car",
    "road",
]
RNG = np.random.default_rng(0)
HARMLESS = [" ".join(RNG.choice([*OTHER, *STONE], size=6)) for _ in range(400)]

FILE = """\
    format: sdsafe.exemplars/1
    version: 1.0.0
    language: en
    source: Own wording.
    categories:
      water:
        exemplars: [river and lake, the sea with rain, ocean wave, stream of rain]
        counter_exemplars: [rock and hill, the sand with cliff, desert mountain, hill of stone]
    """


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random BERT: what it says of a text is a mixture of its words."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "-", *WATER, *STONE, *OTHER]
    config = BertConfig(
        vocab_size=len(words), hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    BertTokenizer(vocab={word: index for index, word in enumerate(words)}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def exemplars(bert_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is calibrated with the small BERT."""
    path = tmp_path_factory.mktemp("exemplars") / "water.yaml"
    path.write_text(dedent(FILE), encoding="utf-8")
    check = SemanticCheck(bert_folder, folder_digest(bert_folder), read_exemplars(path))
    found = check.calibrate(HARMLESS, false_positives=0.02)["water"]
    path.write_text(dedent(FILE) + f"    calibration: {json.dumps(found.model_dump())}\n", encoding="utf-8")
    return path


@pytest.fixture
def check(bert_folder: Path, exemplars: Path) -> SemanticCheck:
    return SemanticCheck(bert_folder, folder_digest(bert_folder), read_exemplars(exemplars))


def _score(check: SemanticCheck, prompt: str, **texts: str) -> float:
    (finding,) = check.check(GenerationRequest(prompt=prompt, **texts))
    assert finding.score is not None
    return finding.score


def test_what_means_it_scores_above_the_threshold_and_what_does_not_below(check: SemanticCheck) -> None:
    assert _score(check, "a stream with rain and ocean") > 0.6
    assert _score(check, "the desert with sand and rock") < 0.4
    assert _score(check, "a house and a dog") < 0.5
    flagged = [_score(check, prompt) >= 0.5 for prompt in HARMLESS]
    assert 0 < sum(flagged) <= 8  # of 400: the share that was asked for


def test_the_finding_points_at_the_nearest_part(check: SemanticCheck) -> None:
    far = " ".join(["the red house"] * 40)
    second = f"{far} river lake sea rain ocean wave river lake"
    (finding,) = check.check(GenerationRequest(prompt=far, prompt_2=second))
    assert (finding.category, finding.code, finding.source) == ("water", "prompt.semantic", "semantic")
    assert finding.span is not None
    assert finding.span.field == "prompt_2"
    assert second[finding.span.start : finding.span.end].endswith("river lake")
    assert "river" not in f"{finding.explanation} {finding.data}"


def test_long_texts_do_not_thin_out_what_they_hide(check: SemanticCheck) -> None:
    far = " ".join(["the red house"] * 100)
    assert _score(check, f"{far} river lake sea rain ocean wave stream rain lake sea {far}") > _score(check, far)
    with pytest.raises(Exception, match="more than 2,000 words"):
        _score(check, "house " * 2001)


def test_a_text_that_no_window_holds_is_read_in_pieces(check: SemanticCheck) -> None:
    glued = "-".join(["house"] * 200 + ["river", "lake", "sea"] * 20)  # one word of 520 tokens, of 64 at a time
    assert _score(check, glued) > _score(check, "-".join(["house"] * 260))


def test_what_nobody_sees_changes_nothing(check: SemanticCheck) -> None:
    plain = _score(check, "a stream with rain")
    assert _score(check, "a str\u200beam with r\u00adain") == plain
    assert _score(check, "\uff41 \uff53\uff54ream with rain") == plain


def test_negative_prompts_are_not_scored_and_empty_ones_score_zero(check: SemanticCheck) -> None:
    assert _score(check, "", negative_prompt="river lake sea rain") == 0
    assert _score(check, " \u200b ") == 0


def test_a_language_that_the_model_does_not_know_is_not_passed(check: SemanticCheck) -> None:
    result = run_prompt_check(check, GenerationRequest(prompt="реки и озёра, дождь"))
    assert result.status is CheckStatus.UNAVAILABLE
    assert "does not know" in result.detail


class TestPinning:
    def test_a_model_that_was_swapped_is_unavailable(self, bert_folder: Path, exemplars: Path, tmp_path: Path) -> None:
        folder = tmp_path / "copy"
        shutil.copytree(bert_folder, folder)
        check = SemanticCheck(folder, folder_digest(bert_folder), read_exemplars(exemplars))
        weights = folder / "model.safetensors"
        data = bytearray(weights.read_bytes())
        data[-1] ^= 1
        weights.write_bytes(data)
        result = run_prompt_check(check, GenerationRequest(prompt="a house"))
        assert result.status is CheckStatus.UNAVAILABLE
        assert "was changed" in result.detail
        assert str(tmp_path) not in result.detail

    def test_a_missing_folder_is_unavailable(self, exemplars: Path, tmp_path: Path) -> None:
        check = SemanticCheck(tmp_path / "none", "0" * 64, read_exemplars(exemplars))
        assert run_prompt_check(check, GenerationRequest(prompt="a house")).status is CheckStatus.UNAVAILABLE

    def test_numbers_of_another_model_do_not_count(self, bert_folder: Path, exemplars: Path, tmp_path: Path) -> None:
        folder = tmp_path / "copy"
        shutil.copytree(bert_folder, folder)
        (folder / "config_sentence_transformers.json").write_text("{}")
        check = SemanticCheck(folder, folder_digest(folder), read_exemplars(exemplars))
        result = run_prompt_check(check, GenerationRequest(prompt="a house"))
        assert result.detail == "the category 'water' of the semantic check was calibrated with another model"

    def test_a_category_without_threshold_is_unavailable(self, bert_folder: Path, tmp_path: Path) -> None:
        (tmp_path / "x.yaml").write_text(dedent(FILE), encoding="utf-8")
        check = SemanticCheck(bert_folder, folder_digest(bert_folder), read_exemplars(tmp_path / "x.yaml"))
        result = run_prompt_check(check, GenerationRequest(prompt="a house"))
        assert result.detail == "the category 'water' of the semantic check has no calibrated threshold"

    def test_the_version_names_both_digests(self, check: SemanticCheck, bert_folder: Path, exemplars: Path) -> None:
        assert folder_digest(bert_folder)[:12] in check.version
        assert read_exemplars(exemplars).digest[:12] in check.version


class TestFolders:
    def _check(self, folder: Path, exemplars: Exemplars) -> SemanticCheck:
        return SemanticCheck(folder, folder_digest(folder), exemplars)

    def _copy(self, bert_folder: Path, tmp_path: Path, modes: dict[str, bool]) -> Path:
        folder = tmp_path / "copy"
        shutil.copytree(bert_folder, folder)
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 64, **modes}))
        return folder

    @pytest.mark.parametrize(
        ("modes", "reads"),
        [
            ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, True),
            ({"pooling_mode_cls_token": True}, True),
            ({"pooling_mode_max_tokens": True}, False),
            ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, False),
            ({}, False),
        ],
    )
    def test_pooling_follows_the_folder_or_is_refused(
        self, bert_folder: Path, exemplars: Path, tmp_path: Path, modes: dict[str, bool], reads: bool
    ) -> None:
        check = self._check(self._copy(bert_folder, tmp_path, modes), read_exemplars(exemplars))
        if reads:
            assert check.calibrate(HARMLESS[:200], false_positives=0.02)["water"].harmless == 200
        else:
            with pytest.raises(Exception, match="a pooling that is not read here"):
                check.calibrate(HARMLESS[:200])

    def test_first_token_and_mean_differ(self, bert_folder: Path, exemplars: Path, tmp_path: Path) -> None:
        folder = self._copy(bert_folder, tmp_path, {"pooling_mode_cls_token": True})
        read = read_exemplars(exemplars)
        thresholds = [
            self._check(each, read).calibrate(HARMLESS[:200], false_positives=0.02)["water"].threshold
            for each in (bert_folder, folder)
        ]
        assert thresholds[0] != thresholds[1]

    def test_further_layers_are_refused(self, bert_folder: Path, exemplars: Path, tmp_path: Path) -> None:
        folder = self._copy(bert_folder, tmp_path, {"pooling_mode_mean_tokens": True})
        modules = [{"type": f"sentence_transformers.models.{name}"} for name in ("Transformer", "Pooling", "Dense")]
        (folder / "modules.json").write_text(json.dumps(modules))
        with pytest.raises(Exception, match="a Dense layer, which is not read here"):
            self._check(folder, read_exemplars(exemplars)).calibrate(HARMLESS[:200])

    def test_the_text_half_of_a_clip_folder_is_enough(self, exemplars: Path, tmp_path: Path) -> None:
        import torch
        from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

        torch.manual_seed(1)
        config = CLIPTextConfig(
            vocab_size=600, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=32, bos_token_id=0, eos_token_id=1, pad_token_id=1,
        )  # fmt: skip
        CLIPTextModel(config).save_pretrained(tmp_path)
        letters = [chr(code) for code in range(97, 123)]
        words = ["<|startoftext|>", "<|endoftext|>", *letters, *(letter + "</w>" for letter in letters)]
        CLIPTokenizer(vocab={word: n for n, word in enumerate(words)}, merges=[]).save_pretrained(tmp_path)
        found = self._check(tmp_path, read_exemplars(exemplars)).calibrate(HARMLESS[:100], false_positives=0.02)
        assert -2 < found["water"].threshold < 2


class TestCalibration:
    def test_at_most_the_asked_share_reaches_the_threshold(self) -> None:
        margins = np.linspace(-1, 1, 1000).tolist()
        found = calibrated(margins, model="0" * 64, false_positives=0.01)
        assert (found.false_positives, found.harmless) == (0.01, 1000)
        assert sum(found.score(margin) >= 0.5 for margin in margins) == 10
        assert found.score(found.threshold) == 0.5
        assert found.score(1e9) == pytest.approx(1)
        assert found.score(-1e9) == pytest.approx(0)

    def test_equal_margins_do_not_all_count(self) -> None:
        found = calibrated([0.5] * 500, model="0" * 64)
        assert found.false_positives == 0
        assert found.spread > 0

    @pytest.mark.parametrize(("count", "share"), [(199, 0.01), (0, 0.01), (100, 0), (100, 1), (100, -1)])
    def test_too_few_prompts_tell_nothing(self, count: int, share: float) -> None:
        with pytest.raises(ConfigurationError, match="cannot tell a share"):
            calibrated([0.0] * count, model="0" * 64, false_positives=share)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sdsafe.exemplars/1", "sdsafe.exemplars/2", "format: expected 'sdsafe.exemplars/1'"),
        ("exemplars: [river and lake, the sea", "exemplars: [the sea", "expected at least|expected a list|expected"),
        ("water:", "Water:", "categories"),
        ("counter_exemplars", "counterexemplars", "did you mean|unknown key"),
        ("hill of stone", "ocean wave", "expected texts that are on one side only, found 1 on both"),
        ("source: Own wording.", "sauce: x", "unknown key"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = dedent(FILE)
    assert old in text
    if old.startswith("exemplars: ["):
        text = text.replace("[river and lake, the sea with rain, ocean wave, stream of rain]", "[river and lake]")
    (tmp_path / "x.yaml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(PolicyFormatError, match=f"^x.yaml: .*({message})"):
        read_exemplars(tmp_path / "x.yaml")


class TestConfigure:
    def test_it_is_loaded_as_a_plug_in(self, bert_folder: Path, exemplars: Path, tmp_path: Path) -> None:
        options = {"path": str(bert_folder), "sha256": folder_digest(bert_folder), "exemplars": str(exemplars)}
        places = Places(state=tmp_path, cache=tmp_path)
        check = plugins.load("sdsafe.prompt_checks", "semantic", places, options)
        assert check.name == "semantic"
        (finding,) = check.check(GenerationRequest(prompt="river and lake"))
        assert finding.source_version == check.version

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"path": "x", "sha256": "0" * 64},
            {"path": "x", "sha256": "1", "exemplars": "x"},
            {"path": "x", "sha256": "0" * 64, "exemplars": "nowhere.yaml"},
            {"path": "x", "sha256": "0" * 64, "exemplars": "x", "threshold": 1},
        ],
    )
    def test_missing_or_unknown_options_are_refused(self, options: dict[str, object]) -> None:
        with pytest.raises(PluginError):
            SemanticCheck.configure(Places(state=None, cache=None), options)  # type: ignore[arg-type]  # no place is looked at


def test_scores_are_monotonous() -> None:
    made = Calibration(model="0" * 64, threshold=0.1, spread=0.05, harmless=10, false_positives=0.0)
    scores = [made.score(margin) for margin in np.linspace(-2, 2, 50)]
    assert scores == sorted(scores)
