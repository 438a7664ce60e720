"""The tokenizer, byte-level so that any prompt encodes, and the small text encoder."""

import json
from typing import Any, Final

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from train import captions, scenes

VOCABULARY: Final = 1024
LENGTH: Final = 64
WIDTH: Final = 160
LAYERS: Final = 3
_START: Final = "<|startoftext|>"
_END: Final = "<|endoftext|>"
_SUFFIX: Final = "</w>"


def build_tokenizer(captions_read: int = 20_000) -> Any:
    """Return a `CLIPTokenizer` whose merges were learned from captions; the same on every machine."""
    shape = CLIPTokenizer().backend_tokenizer
    learner = Tokenizer(models.BPE(end_of_word_suffix=_SUFFIX))
    learner.normalizer = shape.normalizer
    learner.pre_tokenizer = shape.pre_tokenizer
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 2 - len(letters),
        initial_alphabet=letters,
        end_of_word_suffix=_SUFFIX,
        min_frequency=8,
        show_progress=False,
    )
    learner.train_from_iterator(
        (captions.caption(scenes.sample(seed), seed % 7) for seed in range(captions_read)), trainer
    )
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    # Every byte must have a token both inside a word and at its end, seen in training or not.
    words = [*letters, *(letter + _SUFFIX for letter in letters), *("".join(pair) for pair in merges)]
    words = list(dict.fromkeys(words))[: VOCABULARY - 2]
    known = set(words)
    merges = [pair for pair in merges if "".join(pair) in known]
    vocabulary = {word: index for index, word in enumerate([*words, _START, _END])}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LENGTH)


def build_encoder(tokenizer: Any) -> Any:
    """Return an untrained `CLIPTextModel` for the tokenizer."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=WIDTH * 4,
            projection_dim=WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=5,
            max_position_embeddings=LENGTH,
            hidden_act="quick_gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            # The default range is made for wide models: this one starts small enough to learn fast.
            initializer_factor=1.0,
        )
    )


def encode(tokenizer: Any, prompts: list[str]) -> Any:
    """Return token ids (N, LENGTH), padded and truncated as the pipeline does."""
    return tokenizer(prompts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt").input_ids
