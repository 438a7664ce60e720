"""``clip-concepts``: how near a picture is to concepts, in the space of a CLIP network.

Two kinds of folder are read. The weights of diffusers' ``StableDiffusionSafetyChecker`` hold their concepts and a
threshold for each; here its scores are told apart from what it does with them, which is to paint the picture black.
Any other CLIP folder compares with phrases that the options give for each category.

Sources: https://arxiv.org/abs/2103.00020 (CLIP); https://arxiv.org/abs/2210.04610 (what the checker's concepts are).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sdsafe.gates.options import CheckOptions
from sdsafe.gates.pinned import PinnedModel
from sdsafe.gates.safety.loading import Runtime
from sdsafe.gates.safety.scoring import PictureCheck, Scored
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.places import Places

__all__ = ["NEUTRAL", "ClipConceptsCheck", "Concepts", "margin_score"]

_SHARPNESS = 50.0
NEUTRAL = ("a photo", "a picture", "a landscape", "an object on a table", "a drawing")


@dataclass(frozen=True, slots=True)
class Concepts:
    """Phrases by category, and phrases that a picture of nothing in particular is near to."""

    phrases: Mapping[str, tuple[str, ...]]
    neutral: tuple[str, ...] = NEUTRAL


def margin_score(margin: float) -> float:
    """Return 0.5 where a cosine similarity meets its threshold, more above it; 0.02 apart is about 0.73 or 0.27."""
    return float(1 / (1 + np.exp(-_SHARPNESS * margin)))


class ClipConceptsCheck(PictureCheck):
    """Scores pictures by their nearness to concepts; the highest concept of a category is its score."""

    def __init__(
        self,
        folder: Path,
        sha256: str,
        *,
        concepts: Concepts | None = None,
        category: str = "sexual",
        runtime: Runtime | None = None,
    ) -> None:
        """Note what to load; nothing is loaded yet.

        Args:
            folder: A CLIP folder with tokenizer and preprocessor, or the weights of diffusers' checker.
            sha256: What ``folder_digest`` must return.
            concepts: Phrases for a CLIP folder; None for the checker's weights, which have concepts of their own.
            category: What the checker's concepts are called; its special-care concepts get ``_special`` behind it.
            runtime: Device, batch and tiles.
        """
        self._concepts = concepts
        self._category = category
        self._sha256 = sha256
        self._runtime = runtime or Runtime()
        self.tile = self._runtime.tile
        self._model = PinnedModel(folder, sha256, self._load)

    @classmethod
    def configure(cls, _places: Places, options: Mapping[str, object]) -> Self:
        """Return a check from ``[options.clip-concepts]``: ``path``, ``sha256`` and ``concepts`` or ``category``."""
        given = CheckOptions("clip-concepts", options)
        concepts = None
        if "concepts" in options:
            concepts = Concepts(given.phrases("concepts"), given.strings("neutral", NEUTRAL))
        check = cls(
            given.folder("path"),
            given.sha256("sha256"),
            concepts=concepts,
            category=given.text("category", "sexual"),
            runtime=Runtime.read(given),
        )
        given.done()
        return check

    @property
    def name(self) -> str:
        """``clip-concepts``."""
        return "clip-concepts"

    @property
    def version(self) -> str:
        """Version of this adapter and the beginning of the folder's digest."""
        return f"1+{self._sha256[:12]}"

    def scores(self, pictures: Sequence[Pixels], /) -> list[Mapping[str, Scored]]:
        """Return the score of every category for every picture."""
        import torch

        space = self._model.get()
        answers: list[Mapping[str, Scored]] = []
        for start in range(0, len(pictures), self._runtime.batch):
            part = [np.array(each) for each in pictures[start : start + self._runtime.batch]]
            tensors = space.prepare(images=part, return_tensors="pt", input_data_format="channels_last")
            with torch.inference_mode():
                embedded = space.embed(tensors["pixel_values"].to(self._runtime.torch_device())).float().cpu()
            directions = torch.nn.functional.normalize(embedded, dim=1).numpy()
            answers += [{name: Scored(score) for name, score in space.read(row).items()} for row in directions]
        return answers

    def _load(self, folder: Path) -> Any:
        configuration = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if "StableDiffusionSafetyChecker" in configuration.get("architectures", ()):
            return _CheckerSpace(folder, self._runtime.torch_device(), self._category)
        if self._concepts is None:
            raise Unavailable("this CLIP folder has no concepts of its own: set `concepts` in the options")
        return _PhraseSpace(folder, self._runtime.torch_device(), self._concepts)


class _CheckerSpace:
    """The embedding and the concepts of diffusers' checker; its ``forward`` is never called."""

    def __init__(self, folder: Path, device: str, category: str) -> None:
        import torch
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

        model = StableDiffusionSafetyChecker.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        self._model: Any = model.eval().to(device)
        self.prepare = _processor(folder)
        self._concepts = {
            name: (torch.nn.functional.normalize(vectors, dim=1).numpy(force=True), thresholds.numpy(force=True))
            for name, vectors, thresholds in (
                (category, model.concept_embeds, model.concept_embeds_weights),
                (f"{category}_special", model.special_care_embeds, model.special_care_embeds_weights),
            )
        }

    def embed(self, tensors: Any) -> Any:
        return self._model.visual_projection(self._model.vision_model(tensors)[1])

    def read(self, direction: Any) -> dict[str, float]:
        return {
            name: margin_score(float((vectors @ direction - thresholds).max()))
            for name, (vectors, thresholds) in self._concepts.items()
        }


class _PhraseSpace:
    """The embedding of a CLIP folder and the directions of phrases in it."""

    def __init__(self, folder: Path, device: str, concepts: Concepts) -> None:
        import torch
        from transformers import AutoTokenizer, CLIPModel

        model = CLIPModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        self._model: Any = model.eval().to(device)
        self.prepare = _processor(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

        def directions(phrases: Sequence[str]) -> Any:
            tokens = tokenizer(list(phrases), padding=True, truncation=True, return_tensors="pt").to(device)
            with torch.inference_mode():
                embedded = _pooled(self._model.get_text_features(**tokens)).float().cpu()
            return torch.nn.functional.normalize(embedded, dim=1).numpy()

        self._concepts = {name: directions(phrases) for name, phrases in concepts.phrases.items()}
        self._neutral = directions(concepts.neutral)
        self._scale = float(model.logit_scale.detach().exp())

    def embed(self, tensors: Any) -> Any:
        return _pooled(self._model.get_image_features(pixel_values=tensors))

    def read(self, direction: Any) -> dict[str, float]:
        """Return the softmax share of a category's nearest phrase among it and the neutral phrases."""
        neutral = self._scale * (self._neutral @ direction)
        answers = {}
        for name, vectors in self._concepts.items():
            own = self._scale * float((vectors @ direction).max())
            highest = max(own, float(neutral.max()))
            weight = np.exp(own - highest)
            answers[name] = float(weight / (weight + np.exp(neutral - highest).sum()))
        return answers


def _pooled(features: Any) -> Any:
    """Return the tensor itself: newer releases of transformers wrap it into an output object."""
    return getattr(features, "pooler_output", features)


def _processor(folder: Path) -> Any:
    from transformers import AutoImageProcessor
    from transformers.utils import logging

    logging.disable_progress_bar()
    return AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")
