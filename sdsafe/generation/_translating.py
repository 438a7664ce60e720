"""Turns whatever goes wrong inside foreign libraries into errors of ours."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sdsafe.errors import GenerationError, SdsafeError
from sdsafe.generation._libraries import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["translated"]


@contextmanager
def translated(what: str, *, quiet: bool = False) -> Iterator[None]:
    """Turn whatever goes wrong inside into a ``GenerationError`` that repeats nothing of the foreign message.

    Those messages hold paths and, where the model runs, the prompt. The original is chained for those who debug;
    ``quiet`` keeps it out of printed and logged tracebacks, where only ``__context__`` still leads to it.
    """
    try:
        yield
    except SdsafeError:
        raise
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise GenerationError(
            f"out of memory while the model was being {what}",
            code="generation.out-of-memory",
            hint="Ask for a smaller size, or set dtype to float16 or bfloat16.",
        ) from error
    except Exception as error:  # noqa: BLE001 - raised again; quiet leaves its message behind
        raise GenerationError(
            f"the model could not be {what}: {type(error).__name__}",
            code="generation.failed",
            hint="If the model works in diffusers with the same settings, please report it.",
        ) from (None if quiet else error)
