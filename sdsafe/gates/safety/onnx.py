"""A network that onnxruntime runs: made on first use, once for all threads, and kept."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from sdsafe._internal.onnx import open_session
from sdsafe.protocols import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OnnxModel"]


class OnnxModel:
    """A session over bytes that ``read`` returned; onnxruntime sessions may be called from several threads."""

    def __init__(self, read: Callable[[], bytes], *, threads: int, install: str) -> None:
        """Note what to load; nothing is loaded yet.

        Args:
            read: Returns the network, whose digest it has checked on these very bytes; may raise ``Unavailable``.
            threads: Threads of one inference; 0 leaves it to onnxruntime.
            install: What to install where onnxruntime is missing.
        """
        self._read = read
        self._threads = threads
        self._install = install
        self._session: Any = None
        self._lock = threading.Lock()

    def get(self) -> Any:
        """Return the session.

        Raises:
            Unavailable: onnxruntime or the weights are missing, or the weights were changed on disk.
        """
        with self._lock:
            if self._session is None:
                self._session = self._load()
            return self._session

    def _load(self) -> Any:
        try:
            return open_session(self._read, threads=self._threads)
        except ImportError as missing:
            raise Unavailable(f"onnxruntime is not installed: pip install '{self._install}'") from missing
