"""Packs written into a temporary folder."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MINIMAL = """\
format: sdsafe.policy/1
id: NAME
version: 1.0.0
title: A pack for tests
description: Denies the word umbrella.
terms:
  - category: rain
    terms: [umbrella]
rules:
  - id: no-rain
    stage: prompt
    when: found.rain
    effect: deny
    because: it might rain
"""


@pytest.fixture
def write_pack(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a pack and returns the folder to look for packs in."""

    def write(name: str = "house", text: str = MINIMAL, **others: str) -> Path:
        folder = tmp_path / "packs" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "policy.yaml").write_text(dedent(text).replace("NAME", name), encoding="utf-8")
        for file, content in others.items():
            (folder / file.replace("_", ".")).write_text(content, encoding="utf-8")
        return tmp_path / "packs"

    return write


@pytest.fixture
def minimal() -> str:
    return MINIMAL
