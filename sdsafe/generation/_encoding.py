"""What the text encoders of a pipe read of a prompt: the effective prompt.

An encoder reads so many tokens and no more; what stands behind them was checked but does not reach the picture.
Only encoders are answered for whose limit is known: CLIP's is its own, T5's is the call's ``max_sequence_length``;
pipelines of sounds go by what their tokenizers say.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from sdsafe.core.states import EncodedText

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["encoded_texts"]

_TOKENIZER = re.compile(r"tokenizer(_(?P<number>[23]))?")
_SEQUENCE = "max_sequence_length"
_OF_SOUNDS = {"StableAudioPipeline": 1 << 20, "AudioLDM2Pipeline": 1 << 20, "StableAudio3Pipeline": 256}
"""Pipelines that read as many tokens as their tokenizers say, and at most so many."""


def encoded_texts(pipe: Any, arguments: Mapping[str, Any]) -> tuple[EncodedText, ...]:
    """Return, for every text of a call and every encoder that reads it, what the encoder reads.

    Args:
        pipe: A diffusers pipeline.
        arguments: Of its call, by name.
    """
    return tuple(_all(pipe, arguments))


def _all(pipe: Any, arguments: Mapping[str, Any]) -> Iterator[EncodedText]:
    for name, tokenizer in pipe.components.items():
        match = _TOKENIZER.fullmatch(name)
        limit = _limit(pipe, tokenizer, arguments) if match and tokenizer is not None else None
        if match is None or limit is None:
            continue
        # Without a text of its own an encoder gets the first one: diffusers' ``prompt_2 or prompt``.
        own = f"prompt_{match['number']}" if match["number"] else "prompt"
        for field in (own if arguments.get(own) else "prompt", "negative_prompt"):
            text = arguments.get(field)
            if isinstance(text, str):
                yield _encoded(field, name, tokenizer, text, limit)


def _limit(pipe: Any, tokenizer: Any, arguments: Mapping[str, Any]) -> int | None:
    """Return how many tokens of a text are read, besides those that mark begin and end; None: not known."""
    kind, of_sounds = type(tokenizer).__name__, type(pipe).__name__ in _OF_SOUNDS
    most: object = None
    if of_sounds:
        most = min(tokenizer.model_max_length, _OF_SOUNDS[type(pipe).__name__])
    elif kind.startswith("CLIPTokenizer"):
        most = tokenizer.model_max_length
    elif kind.startswith("T5Tokenizer"):
        parameter = inspect.signature(type(pipe).__call__).parameters.get(_SEQUENCE)
        most = arguments.get(_SEQUENCE, parameter.default if parameter else None)
    if not isinstance(most, int) or not getattr(tokenizer, "is_fast", False):
        return None
    return most - int(tokenizer.num_special_tokens_to_add())


def _encoded(field: str, encoder: str, tokenizer: Any, text: str, limit: int) -> EncodedText:
    spans = tokenizer(
        text, add_special_tokens=False, truncation=False, return_offsets_mapping=True, verbose=False
    )["offset_mapping"]  # fmt: skip
    cut = len(spans) > limit
    return EncodedText(
        name=field,
        encoder=encoder,
        tokens=len(spans),
        limit=limit,
        text=text[: spans[limit - 1][1]] if cut else text,
    )
