"""``sdsafe review`` through the shell's eyes: a picture waits, is shown, approved or rejected, and released."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from sdsafe import api, plugins
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import load_policies
from sdsafe.testing.pipeline import fake_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PACK = """\
format: sdsafe.policy/1
id: house
version: 1.0.0
title: t
description: d
rules:
  - {id: look, stage: output, when: "true", effect: review, because: everything is looked at}
"""


@pytest.fixture
def sdsafe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Callable[..., tuple[int, str, str]]
) -> Callable[..., tuple[int, str, str]]:
    (tmp_path / "packs" / "house").mkdir(parents=True)
    (tmp_path / "packs" / "house" / "policy.yaml").write_text(PACK)
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    policy = PackPolicy(load_policies(["house"], [tmp_path / "packs"]))

    def open_pipeline(settings: Any, **_: object) -> Any:
        reviews = plugins.load("sdsafe.reviews", settings.reviews, settings.places)
        return fake_pipeline(settings.places, policy=policy, reviews=reviews)

    monkeypatch.setattr(api, "open_pipeline", open_pipeline)

    return typed


@pytest.fixture
def ticket(sdsafe: Callable[..., tuple[int, str, str]]) -> str:
    code, out, _ = sdsafe("generate", "waves", "--seed", "7", "-o", "a.png", "--json")
    assert code == 3
    (outcome,) = json.loads(out)["outcomes"]
    assert outcome["outcome"] == "in_review"
    return str(outcome["ticket"])


def test_a_case_is_listed_shown_approved_and_released(
    sdsafe: Callable[..., tuple[int, str, str]], ticket: str, tmp_path: Path
) -> None:
    assert not (tmp_path / "a.png").exists()
    assert ticket in sdsafe("review", "list")[1]
    _, shown, _ = sdsafe("review", "show", ticket)
    assert "prompt: waves" in shown
    assert "house.look [review]: everything is looked at" in shown
    code, out, _ = sdsafe("review", "approve", ticket, "--reviewer", "Ada", "--reason", "fine", "-o", "a.png")
    assert (code, out.startswith("a.png  asset")) == (0, True)
    root = str(tmp_path / "state" / "keys" / "root.pem")
    code, report, _ = sdsafe("verify", "a.png", "--trust", root, "--json")
    assert code == 0
    assert json.loads(report)["verdict"] == "trusted"
    assert ticket not in sdsafe("review", "list")[1]
    assert "released" in sdsafe("review", "list", "--all")[1]
    assert sdsafe("ledger", "prove", "a.png")[0] == 0


def test_approving_and_releasing_can_be_two_steps(
    sdsafe: Callable[..., tuple[int, str, str]], ticket: str, tmp_path: Path
) -> None:
    code, out, _ = sdsafe("review", "approve", ticket, "--reviewer", "Ada", "--reason", "fine")
    assert (code, "is approved: 1 of 1" in out) == (0, True)
    assert sdsafe("review", "release", ticket, "-o", "a.jpg")[0] == 2
    (tmp_path / "a.png").write_bytes(b"mine")
    assert sdsafe("review", "release", ticket, "-o", "a.png")[0] == 1
    assert (tmp_path / "a.png").read_bytes() == b"mine"
    code, out, _ = sdsafe("review", "release", ticket, "-o", "b.png")
    assert code == 0
    assert ticket not in out  # the first id was withdrawn with the file that could not be written
    assert sdsafe("verify", "b.png")[0] == 0
    assert sdsafe("review", "release", ticket, "-o", "c.png")[0] == 1


def test_a_rejected_case_is_closed(sdsafe: Callable[..., tuple[int, str, str]], ticket: str) -> None:
    code, out, _ = sdsafe("review", "reject", ticket, "--reviewer", "Ada", "--reason", "not ours", "--json")
    assert (code, json.loads(out)["state"]) == (0, "rejected")
    code, _, err = sdsafe("review", "release", ticket, "-o", "a.png")
    assert (code, "rejected" in err) == (1, True)


def test_previews_are_small_and_hidden_unless_asked_for(
    sdsafe: Callable[..., tuple[int, str, str]], ticket: str, tmp_path: Path
) -> None:
    assert sdsafe("review", "show", ticket, "--picture", "hidden.png")[0] == 0
    assert sdsafe("review", "show", ticket, "--picture", "clear.png", "--clear")[0] == 0
    hidden, clear = (
        np.asarray(Image.open(tmp_path / name).convert("L"), float) for name in ("hidden.png", "clear.png")
    )
    assert max(hidden.shape) <= 512
    assert np.abs(np.diff(hidden, n=2)).mean() < np.abs(np.diff(clear, n=2)).mean()


@pytest.mark.parametrize("arguments", [("show", "beef"), ("approve", "beef", "--reviewer", "Ada", "--reason", "x")])
def test_an_unknown_ticket_is_said(sdsafe: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...]) -> None:
    code, _, err = sdsafe("review", *arguments)
    assert (code, "no case 'beef'" in err) == (1, True)
