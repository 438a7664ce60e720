from __future__ import annotations

import hashlib
import json

import pytest

from sdsafe.core.disclosure import prompt_commitment
from sdsafe.core.request import GenerationRequest

SALT = bytes(range(32))


def test_anyone_with_salt_and_texts_can_repeat_it() -> None:
    request = GenerationRequest(prompt="ein rotes Häuschen", negative_prompt="rain")
    # Written out here without our canonical encoder: this is what an auditor computes.
    text = json.dumps(
        {"negative_prompt": "rain", "prompt": "ein rotes Häuschen"}, separators=(",", ":"), ensure_ascii=False
    )
    assert prompt_commitment(request, SALT) == hashlib.sha256(SALT + text.encode()).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        GenerationRequest(prompt="a calm sea "),
        GenerationRequest(prompt="a calm sea", negative_prompt=""),
        GenerationRequest(prompt="a calm sea", prompt_2="a calm sea"),
    ],
)
def test_every_text_field_counts(other: GenerationRequest) -> None:
    assert prompt_commitment(other, SALT) != prompt_commitment(GenerationRequest(prompt="a calm sea"), SALT)


def test_only_texts_count() -> None:
    one = GenerationRequest(prompt="a calm sea", seed=1, steps=2)
    other = GenerationRequest(prompt="a calm sea", seed=9, guidance=3.0)
    assert prompt_commitment(one, SALT) == prompt_commitment(other, SALT)
    assert prompt_commitment(one, SALT[::-1]) != prompt_commitment(one, SALT)


def test_a_short_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        prompt_commitment(GenerationRequest(prompt="a calm sea"), b"short")


def test_strange_text_is_committed_to_all_the_same() -> None:
    assert len(prompt_commitment(GenerationRequest(prompt="\ud800\x00"), SALT)) == 64
