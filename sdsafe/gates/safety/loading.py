"""Loads a network from a pinned folder once, for all threads, and keeps it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sdsafe.gates.safety.folders import require_digest
from sdsafe.gates.safety.scoring import DEFAULT_TILE
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sdsafe.gates.safety.options import CheckOptions

__all__ = ["PinnedModel", "Runtime"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """How a network is run."""

    device: str = "cpu"
    """A torch device, or ``auto``."""
    batch: int = 8
    """Views of one forward pass."""
    tile: int = DEFAULT_TILE
    """Side of the tiles of large pictures, in pixels; 0 looks at the whole picture alone."""

    @classmethod
    def read(cls, given: CheckOptions) -> Runtime:
        """Read ``device``, ``batch`` and ``tile``."""
        return cls(
            device=given.text("device", "cpu"),
            batch=given.integer("batch", 8, least=1),
            tile=given.integer("tile", DEFAULT_TILE),
        )

    def torch_device(self) -> str:
        """Return the torch device; ``auto`` is a GPU where torch sees one."""
        if self.device != "auto":
            return self.device
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"


class PinnedModel:
    """What ``load(folder)`` returned, made on first use; the folder's digest is right before and after loading.

    A file that is swapped while it is being read shows in one of the two. What is loaded stays as it was, whatever
    happens to the folder later.
    """

    def __init__(self, folder: Path, sha256: str, load: Callable[[Path], Any]) -> None:
        """Note what to load; nothing is read yet."""
        self._folder = folder
        self._sha256 = sha256
        self._load = load
        self._loaded: Any = None
        self._lock = threading.Lock()

    def get(self) -> Any:
        """Return the loaded network.

        Raises:
            Unavailable: The folder is missing, changed, not what the adapter reads, or a library is not installed.
        """
        with self._lock:
            if self._loaded is None:
                require_digest(self._folder, self._sha256)
                loaded = self._try()
                require_digest(self._folder, self._sha256)
                self._loaded = loaded
            return self._loaded

    def _try(self) -> Any:
        try:
            return self._load(self._folder)
        except Unavailable:
            raise
        except ImportError as missing:
            raise Unavailable(f"no module {missing.name}: pip install 'sdsafe[generate]'") from missing
        except Exception as error:
            raise Unavailable(
                f"the model folder {self._folder.name!r} cannot be loaded ({type(error).__name__}): it needs the files "
                "that save_pretrained writes, with safetensors weights"
            ) from error
