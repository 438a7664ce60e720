"""The door to sentence embeddings: a local folder for ``transformers``, pooled as the folder says.

The layout of sentence-transformers is read (``modules.json``, ``1_Pooling/config.json``), without its code: a folder
that asks for more than a transformer, mean or first-token pooling and normalisation would give other embeddings here
than it was trained for, and is refused.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Embedding"]

_MODULES = {"Transformer", "Pooling", "Normalize"}
_BATCH = 32
_LONGEST = 512  # tokens, where a tokenizer names no limit


class Embedding:
    """Sentences as directions of one space. Safe to use from several threads."""

    def __init__(self, folder: Path, device: str) -> None:
        """Load weights and tokenizer; nothing is ever fetched, and no code of the folder runs."""
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        self._pool = _pooling(folder)
        model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, trust_remote_code=False)
        if hasattr(model, "text_model") and hasattr(model, "vision_model"):
            model = model.text_model  # the text half of a folder that also sees pictures
        self._model: Any = model.eval().to(device)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        limits = (
            self._tokenizer.model_max_length,
            getattr(model.config, "max_position_embeddings", _LONGEST),
            _LONGEST,
        )
        self._longest = min(int(limit) for limit in limits)
        self._device = device

    def reads(self, text: str) -> bool:
        """Say whether ``text`` goes into the model as a whole.

        Raises:
            Unavailable: The model does not know most of its words: nearness would say nothing about it.
        """
        tokens = self._tokenizer(text, truncation=False, verbose=False)["input_ids"]
        unknown = self._tokenizer.unk_token_id
        own = [token for token in tokens if token not in self._tokenizer.all_special_ids or token == unknown]
        if own and own.count(unknown) * 2 > len(own):
            raise Unavailable("the embedding model does not know most of the words of a text")
        return len(tokens) <= self._longest

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row of length 1 for each text."""
        import torch

        rows: list[NDArray[np.float32]] = []
        for start in range(0, len(texts), _BATCH):
            tokens = self._tokenizer(
                list(texts[start : start + _BATCH]),
                padding=True,
                truncation=True,
                max_length=self._longest,
                return_tensors="pt",
            ).to(self._device)
            with torch.inference_mode():
                pooled = self._pooled(self._model(**tokens), tokens["attention_mask"])
            rows.append(torch.nn.functional.normalize(pooled.float(), dim=1).numpy(force=True))
        found = np.concatenate(rows)
        if not np.isfinite(found).all():
            raise Unavailable("the embedding model gives numbers that are not finite")
        return found

    def _pooled(self, output: Any, mask: Any) -> Any:
        if self._pool == "pooler":
            return output.pooler_output
        if self._pool == "cls":
            return output.last_hidden_state[:, 0]
        weight = mask.unsqueeze(-1).to(output.last_hidden_state.dtype)
        return (output.last_hidden_state * weight).sum(1) / weight.sum(1).clamp(min=1)


def _pooling(folder: Path) -> str:
    """Return ``mean``, ``cls`` or ``pooler``, whichever the folder asks for."""
    modules = _json(folder / "modules.json")
    if isinstance(modules, list):
        named = [str(each.get("type", "")).rpartition(".")[2] for each in modules]
        if unknown := [name for name in named if name not in _MODULES]:
            raise Unavailable(f"the model folder {folder.name!r} asks for a {unknown[0]} layer, which is not read here")
    pooling = _json(folder / "1_Pooling" / "config.json")
    if isinstance(pooling, dict):
        modes = {key for key, value in pooling.items() if key.startswith("pooling_mode_") and value is True}
        known = {frozenset({"pooling_mode_mean_tokens"}): "mean", frozenset({"pooling_mode_cls_token"}): "cls"}
        if frozenset(modes) not in known:
            raise Unavailable(f"the model folder {folder.name!r} asks for a pooling that is not read here")
        return known[frozenset(modes)]
    configuration = _json(folder / "config.json")
    kind = str(configuration.get("model_type", "")) if isinstance(configuration, dict) else ""
    return "pooler" if kind.startswith("clip") else "mean"


def _json(path: Path) -> object:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
