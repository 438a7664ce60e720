"""What starts, and what it drags in: heavy imports are an accident that only a fresh process shows."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_HEAVY = ("torch", "diffusers", "transformers", "onnxruntime", "cv2", "scipy", "c2pa", "pydantic")


def _modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys, json\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(result.stdout.splitlines()[-1]))


def _run(code: str) -> set[str]:
    return {name for name in _modules_after(code) if name in _HEAVY}


def test_the_facade_imports_nothing_heavy() -> None:
    assert _run("import sdsafe; sdsafe.GenerationRequest; sdsafe.Settings; sdsafe.Report") == set()


def test_help_imports_nothing_heavy() -> None:
    code = """
from sdsafe_cli.main import main
try:
    main(["--help"])
except SystemExit:
    pass
"""
    assert _run(code) == set()


@pytest.mark.parametrize("arguments", [["plugins", "--json"], ["completion", "bash"]])
def test_light_commands_stay_light(arguments: list[str]) -> None:
    code = f"from sdsafe_cli.main import main\nmain({arguments!r}, standalone_mode=False)"
    assert _run(code) == set()


def test_verifying_a_signed_picture_needs_no_torch(signed_png: Path) -> None:
    code = f"""
import os
os.environ["SDSAFE_HOME"] = {str(signed_png.parent)!r}
from sdsafe_cli.main import main
try:
    main(["verify", {str(signed_png)!r}], standalone_mode=False)
except Exception as end:
    assert end.exit_code == 0, end
"""
    loaded = _run(code)
    assert "c2pa" in loaded
    assert loaded <= {"c2pa"}, loaded
