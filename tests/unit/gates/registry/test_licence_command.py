"""``sdsafe models licence``, as a shell sees it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from sdsafe_cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., tuple[int, str, str]]

FLUX = "black-forest-labs/FLUX.1-dev"
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
SD35 = "stabilityai/stable-diffusion-3.5-large"


@pytest.fixture
def licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SDSAFE_CONFIG", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    def answer(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sdsafe", "models", "licence", *arguments])
        with pytest.raises(SystemExit) as ended:
            run()
        captured = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return code, captured.out, captured.err

    return answer


def test_a_refusal_exits_3_and_names_clause_and_source(licence: Command) -> None:
    code, out, err = licence(FLUX, "--use", "commercial", "--revenue", "2e6")
    assert code == 3
    assert "deny" in out.splitlines()[0]
    assert "4(a)(i)" in out
    assert "not legal advice" in err


def test_an_allowed_use_exits_0_and_lists_duties(licence: Command) -> None:
    code, out, _ = licence(SDXL, "--use", "commercial")
    assert code == 0
    assert "flow_down" in out
    assert "Attachment A [1]" in out
    assert out.count("accessed 2026-11-22") == 1, "each source is printed once"
    assert "- medical advice or interpretation of medical results\n" in out


def test_review_exits_3_until_a_person_vouches(licence: Command) -> None:
    vouched = ("--attest", "licence:stability-ai-community", "--attest", "registration:stability-ai-community")
    assert licence(SD35, "--use", "commercial", "--revenue", "1e6")[0] == 3
    assert licence(SD35, "--use", "commercial", "--revenue", "1e6", *vouched)[0] == 0
    assert licence(SD35, "--use", "commercial", "--revenue", "1000001", *vouched)[0] == 3


def test_an_adapter_of_unknown_licence(licence: Command) -> None:
    assert licence(SDXL, "--use", "commercial", "--adapter", "someone/a-lora")[0] == 3
    assert licence(SDXL, "--use", "private", "--adapter", "someone/a-lora")[0] == 0


def test_json_holds_reasons_facts_and_the_digest_of_the_data(licence: Command) -> None:
    code, out, _ = licence(
        "Tencent-Hunyuan/HunyuanDiT", "--use", "commercial", "--users", "5", "--territory", "EU", "--json"
    )
    document = json.loads(out)
    assert code == 3
    assert document["schema"] == "sdsafe.licence/1"
    assert document["effect"] == "deny"
    assert document["reasons"][0]["code"] == "licence.territory"
    assert document["facts"]["excluded_territories"] == ["EU"]
    assert len(document["data"]["digest"]) == 64
    assert "not legal advice" in document["note"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--use", "comercial"),
        ("--revenue", "1.5"),
        ("--revenue", "nan"),
        ("--revenue", "-1"),
        ("--revenue", "1e400"),
        ("--users", "many"),
        ("--territory", "XX"),
    ],
)
def test_nonsense_is_a_usage_error(licence: Command, arguments: tuple[str, ...]) -> None:
    assert licence(SDXL, *arguments)[0] == 2


def test_the_users_registry_counts(licence: Command, tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "sdsafe"
    folder.mkdir(parents=True)
    (folder / "registry.yaml").write_text(
        "schema: sdsafe.registry/1\nmodels:\n- id: mine\n  name: mine\n  kind: lora\n  repos: [me/mine]\n"
        "  licence: mit\n  sources: [{note: own work, accessed: 2026-11-23}]\n  verified: primary\n",
        encoding="utf-8",
    )
    assert licence(SDXL, "--use", "commercial", "--adapter", "me/mine")[0] == 0
    (folder / "registry.yaml").write_text("schema: sdsafe.registry/1\nmodel: []\n", encoding="utf-8")
    code, _, err = licence(SDXL, "--use", "commercial")
    assert code == 1
    assert "registry.yaml" in err
