"""The README's example runs as it is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.settings import Settings


@pytest.mark.weights
@pytest.mark.slow
def test_the_sdk_example_runs(repository_root: Path, settings: Settings, tmp_path: Path) -> None:
    text = (repository_root / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    env = {**os.environ, "SDSAFE_HOME": str(settings.places.state), "SDSAFE_CACHE": str(settings.places.cache)}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    asset, verdict = result.stdout.splitlines()
    assert re.fullmatch(r"[0-9a-f]{16} [0-9a-f]{64}", asset)
    assert verdict == "valid"
    assert (tmp_path / "house.png").is_file()
