"""``transformers``: any image-classification folder as a check, with its own preprocessing and its own labels.

Such folders are what ``save_pretrained`` writes and what hub repositories hold (Falconsai/nsfw_image_detection,
AdamCodd/vit-base-nsfw-detector, a network of your own). Which label means which category of policy is for whoever
configures it to say: a label that the network does not know makes the check unavailable.
"""

from __future__ import annotations

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

__all__ = ["ClassifierCheck"]


class ClassifierCheck(PictureCheck):
    """Scores pictures with ``AutoModelForImageClassification``; several labels of one category add up."""

    def __init__(
        self,
        folder: Path,
        sha256: str,
        labels: Mapping[str, str],
        *,
        name: str = "transformers",
        runtime: Runtime | None = None,
    ) -> None:
        """Note what to load; nothing is loaded yet.

        Args:
            folder: Configuration, preprocessor and safetensors weights.
            sha256: What ``folder_digest`` must return.
            labels: Label of the network to category of policy. Labels left out are not reported.
            name: What findings call this check.
            runtime: Device, batch and tiles.
        """
        self._labels = dict(labels)
        self._sha256 = sha256
        self._name = name
        self._runtime = runtime or Runtime()
        self.tile = self._runtime.tile
        self._model = PinnedModel(folder, sha256, self._load)

    @classmethod
    def configure(cls, _places: Places, options: Mapping[str, object]) -> Self:
        """Return a check from ``[options.transformers]``: ``path``, ``sha256``, ``labels`` and, if wanted, the rest."""
        given = CheckOptions("transformers", options)
        check = cls(
            given.folder("path"),
            given.sha256("sha256"),
            given.categories("labels", keys="labels"),
            name=given.text("name", "transformers"),
            runtime=Runtime.read(given),
        )
        given.done()
        return check

    @property
    def name(self) -> str:
        """``transformers``, or the name that the options gave."""
        return self._name

    @property
    def version(self) -> str:
        """Version of this adapter and the beginning of the folder's digest."""
        return f"1+{self._sha256[:12]}"

    def scores(self, pictures: Sequence[Pixels], /) -> list[Mapping[str, Scored]]:
        """Return the probabilities of the mapped labels, summed by category."""
        import torch

        model, prepare = self._model.get()
        answers: list[Mapping[str, Scored]] = []
        for start in range(0, len(pictures), self._runtime.batch):
            part = [np.array(each) for each in pictures[start : start + self._runtime.batch]]
            tensors = prepare(images=part, return_tensors="pt", input_data_format="channels_last")
            with torch.inference_mode():
                logits = model(tensors["pixel_values"].to(model.device)).logits.float().cpu()
            if logits.ndim != 2 or logits.shape != (len(part), len(model.config.id2label)):  # noqa: PLR2004 - (N, labels)
                msg = f"{self._name} answered in another shape than its labels"
                raise ValueError(msg)
            multi = model.config.problem_type == "multi_label_classification"
            shares = (logits.sigmoid() if multi else logits.softmax(dim=1)).numpy()
            answers += [self._by_category(row, model.config.id2label) for row in shares]
        return answers

    def _by_category(self, shares: Any, id2label: Mapping[int, str]) -> dict[str, Scored]:
        sums = dict.fromkeys(self._labels.values(), 0.0)
        for index, label in id2label.items():
            if label in self._labels:
                sums[self._labels[label]] += float(shares[int(index)])
        # A sum of rounded shares may pass 1 by the last digit; NaN must reach the guard as it is.
        return {category: Scored(min(total, 1.0) if total == total else total) for category, total in sums.items()}  # noqa: PLR0124

    def _load(self, folder: Path) -> tuple[Any, Any]:
        from transformers import AutoImageProcessor, AutoModelForImageClassification
        from transformers.utils import logging

        logging.disable_progress_bar()
        model = AutoModelForImageClassification.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        known = set(model.config.id2label.values())
        unknown = sorted(set(self._labels) - known)
        if unknown:
            raise Unavailable(
                f"the label map does not fit: the network has no label {unknown[0]!r}; it has {', '.join(sorted(known))}"
            )
        prepare = AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")
        return model.eval().to(self._runtime.torch_device()), prepare
