"""A progress bar per image, and a clean stop on Ctrl-C."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from rich.progress import Progress, TaskID

__all__ = ["watching"]


class _Watch:
    """Counts steps, draws them where somebody looks, and says stop after the first Ctrl-C."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._tasks: dict[int, TaskID] = {}
        self._stop = False

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stop = True

    def step(self, image: int, step: int, total: int) -> None:
        if self._progress is None:
            return
        if image not in self._tasks:
            self._tasks[image] = self._progress.add_task(f"image {image + 1}", total=total)
        self._progress.update(self._tasks[image], completed=step)

    def cancelled(self) -> bool:
        return self._stop


@contextmanager
def watching(*, show: bool) -> Iterator[_Watch]:
    """Yield a watch for ``Pipeline.run``; while it lasts, Ctrl-C stops after the current step."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True) if show else None
    watch = _Watch(progress)
    before = signal.signal(signal.SIGINT, watch.stop)
    try:
        if progress is not None:
            progress.start()
        yield watch
    finally:
        if progress is not None:
            progress.stop()
        signal.signal(signal.SIGINT, before)
