"""Without the extra ``policy`` nothing is judged, and the error says what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sdsafe.errors import MissingExtraError
from sdsafe.gates.policy.cel import Door
from sdsafe.gates.policy.loader import available_packs, load_policies


def test_conditions_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    with pytest.raises(MissingExtraError) as caught:
        Door({"found.a": "bool"})
    assert "sdsafe[policy]" in f"{caught.value} {caught.value.hint}"
    with pytest.raises(MissingExtraError):
        load_policies(["baseline"])


def test_packs_can_be_named_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    assert "baseline" in available_packs()


def test_the_library_is_loaded_by_the_first_condition_only() -> None:
    program = (
        "import sys, sdsafe.gates.policy.judge, sdsafe.gates.policy.loader, sdsafe.gates.policy.cases;"
        "assert not [name for name in sys.modules if name.startswith('cel_expr_python')];"
        "sdsafe.gates.policy.loader.load_policies(['baseline']);"
        "assert 'cel_expr_python' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
