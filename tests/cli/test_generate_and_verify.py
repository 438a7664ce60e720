"""The two commands most people run, through the shell's eyes: exit codes, streams, files. A fake makes the pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe import api
from sdsafe.core.places import Places
from sdsafe.testing.fakes import Behaviour, FakeOutputCheck
from sdsafe.testing.pipeline import fake_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.pipeline import UnsafeNoOutputCheck
    from sdsafe.settings import Settings

Sdsafe = "Callable[..., tuple[int, str, str]]"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def sdsafe(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Sdsafe
) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process and return (exit code, stdout, stderr)."""
    monkeypatch.setenv("SDSAFE_HOME", str(state))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def open_pipeline(settings: Settings, *, unsafe: UnsafeNoOutputCheck | None = None) -> Any:
        others: dict[str, Any] = {"disclosure": settings.prompt_disclosure}
        if unsafe is not None:
            others["output_checks"] = unsafe
        return fake_pipeline(settings.places, **others)

    monkeypatch.setattr(api, "open_pipeline", open_pipeline)

    return typed


def test_a_picture_is_made_and_proven(sdsafe: Callable[..., Any], state: Path, tmp_path: Path) -> None:
    code, out, _ = sdsafe("generate", "waves", "-o", "a.png", "--seed", "7")
    assert code == 0
    assert "a.png" in out
    assert "seed 7" in out
    code, out, _ = sdsafe("verify", "a.png")
    assert code == 0
    assert "verdict     valid" in out
    assert "on none of your lists" in out
    code, out, _ = sdsafe("verify", "a.png", "--trust", str(state / "keys" / "root.pem"), "--watermark")
    assert code == 0
    assert "verdict     trusted" in out
    assert "mark        match" in out


def test_results_go_to_stdout_as_json_with_a_schema(sdsafe: Callable[..., Any]) -> None:
    code, out, _ = sdsafe("generate", "waves", "-o", "a.png", "--seed", "7", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["schema"] == "sdsafe.generate/1"
    (row,) = document["outcomes"]
    code, out, _ = sdsafe("verify", "a.png", "--json")
    report = json.loads(out)
    assert report["schema"] == "sdsafe.report/1"
    assert report["manifest"]["asset_id"] == row["asset_id"]
    assert report["manifest"]["generation"]["pixels_sha256"] == row["pixels_sha256"]
    assert report["states"] == {"manifest": "valid", "soft_binding": "not_checked", "ledger": "included"}


def test_several_pictures_are_numbered(sdsafe: Callable[..., Any], tmp_path: Path) -> None:
    code, out, _ = sdsafe("generate", "waves", "-o", "a.png", "--n", "2", "--seed", "1")
    assert code == 0
    assert {p.name for p in tmp_path.glob("*.png")} == {"a-1.png", "a-2.png"}
    assert len(out.splitlines()) == 2


def test_a_refusal_exits_3_names_the_rule_and_writes_nothing(sdsafe: Callable[..., Any], tmp_path: Path) -> None:
    code, out, err = sdsafe("generate", "waves sdsafe-canary-refuse-me", "-o", "a.png")
    assert code == 3
    assert out == ""
    assert "refused" in err
    assert "canary" in err
    assert "prompt, characters 6 to 29: 'sdsafe-canary-refuse-me'" in err
    assert not list(tmp_path.glob("*.png"))


def test_a_refusal_in_json_shows_the_characters(sdsafe: Callable[..., Any]) -> None:
    prompt = "waves sdsafe-canary-refuse-me"
    code, out, _ = sdsafe("generate", prompt, "-o", "a.png", "--json")
    (row,) = json.loads(out)["outcomes"]
    spans = [f["span"] for check in row["checks"] for f in check["findings"] if f["span"]]
    assert code == 3
    assert row["reason"] == "refused.prompt"
    assert any(prompt[s["start"] : s["end"]] == "sdsafe-canary-refuse-me" for s in spans)


def test_an_existing_file_is_kept_without_force(sdsafe: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"mine")
    code, _, err = sdsafe("generate", "waves", "-o", "a.png")
    assert code == 2
    assert "--force" in err
    assert (tmp_path / "a.png").read_bytes() == b"mine"
    assert sdsafe("generate", "waves", "-o", "a.png", "--force")[0] == 0
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    "arguments",
    [
        ["-o", "a.gif"],
        ["-o", "no/such/folder/a.png"],
        ["-o", "a.png", "--size", "large"],
        ["-o", "a.png", "--size", "255x256"],
        ["-o", "a.png", "--seed", "-1"],
        ["-o", "a.png", "--n", "0"],
        ["-o", "a.png", "--nonsense"],
        [],
    ],
)
def test_wrong_usage_exits_2_before_anything_happens(
    sdsafe: Callable[..., Any], tmp_path: Path, arguments: list[str]
) -> None:
    code, _, err = sdsafe("generate", "waves", *arguments)
    assert code == 2
    assert err
    assert not list(tmp_path.glob("*.png"))


def test_unsafe_mode_says_so_in_the_report(sdsafe: Callable[..., Any]) -> None:
    assert sdsafe("generate", "waves", "-o", "a.png", "--unsafe-unchecked")[0] == 0
    assert "NO OUTPUT CHECK RAN" in sdsafe("verify", "a.png")[1]


def test_the_prompt_stays_private_when_asked(sdsafe: Callable[..., Any], tmp_path: Path) -> None:
    assert sdsafe("generate", "zebrafinch", "-o", "a.png", "--prompt-disclosure", "commit")[0] == 0
    assert b"zebrafinch" not in (tmp_path / "a.png").read_bytes()
    assert "not disclosed" in sdsafe("verify", "a.png")[1]


class TestVerify:
    def test_a_changed_file_exits_4(self, sdsafe: Callable[..., Any], tmp_path: Path) -> None:
        sdsafe("generate", "waves", "-o", "a.png")
        data = bytearray((tmp_path / "a.png").read_bytes())
        data[data.rindex(b"IDAT") + 30] ^= 4
        (tmp_path / "a.png").write_bytes(bytes(data))
        code, out, err = sdsafe("verify", "a.png")
        assert code == 4
        assert "invalid" in out
        assert "Traceback" not in err

    def test_less_than_required_exits_5(self, sdsafe: Callable[..., Any]) -> None:
        sdsafe("generate", "waves", "-o", "a.png")
        assert sdsafe("verify", "a.png", "--require", "trusted")[0] == 5

    def test_an_unrelated_picture_exits_5(self, sdsafe: Callable[..., Any], tmp_path: Path) -> None:
        from sdsafe._internal import images
        from sdsafe.testing.samples import sample_picture

        (tmp_path / "b.png").write_bytes(images.encode(sample_picture(99)))
        code, out, _ = sdsafe("verify", "b.png")
        assert code == 5
        assert "unknown" in out
        assert sdsafe("inspect", "b.png")[0] == 0

    @pytest.mark.parametrize("content", [b"", b"not a picture at all", b"%PDF-1.7"])
    def test_something_that_is_no_picture_exits_1_with_a_hint(
        self, sdsafe: Callable[..., Any], tmp_path: Path, content: bytes
    ) -> None:
        (tmp_path / "x.png").write_bytes(content)
        code, out, err = sdsafe("verify", "x.png")
        assert code == 1
        assert out == ""
        assert "not a picture" in err

    def test_a_truncated_picture_is_not_a_traceback(self, sdsafe: Callable[..., Any], tmp_path: Path) -> None:
        sdsafe("generate", "waves", "-o", "a.png")
        data = (tmp_path / "a.png").read_bytes()
        for length in (9, 40, 500, 8_000, len(data) - 1):
            (tmp_path / "cut.png").write_bytes(data[:length])
            code, _, err = sdsafe("verify", "cut.png")
            assert code in {4, 5}, length
            assert "Traceback" not in err

    def test_a_missing_file_exits_1(self, sdsafe: Callable[..., Any]) -> None:
        code, _, err = sdsafe("verify", "none.png")
        assert code == 1
        assert "none.png" in err

    def test_a_trust_file_without_certificates_is_an_error(self, sdsafe: Callable[..., Any], tmp_path: Path) -> None:
        sdsafe("generate", "waves", "-o", "a.png")
        (tmp_path / "empty.pem").write_text("nothing here")
        code, _, err = sdsafe("verify", "a.png", "--trust", "empty.pem")
        assert code == 1
        assert "empty.pem" in err


def test_no_credential_is_an_error_that_says_what_to_run(tmp_path: Path) -> None:
    env = {**os.environ, "SDSAFE_HOME": str(tmp_path / "none"), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "sdsafe_cli", "generate", "x", "-o", str(tmp_path / "a.png")]
    result = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "sdsafe keys init" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "a.png").exists()


def test_a_check_that_fails_releases_nothing(tmp_path: Path) -> None:
    pipeline = fake_pipeline(
        Places(state=tmp_path, cache=tmp_path), output_checks=(FakeOutputCheck(behaviour=Behaviour.FAIL),)
    )
    from sdsafe.core.request import GenerationRequest

    (outcome,) = pipeline.run(GenerationRequest(prompt="waves", seed=1))
    assert outcome.reason == "refused.output"  # type: ignore[union-attr]
