"""Asking a person for a secret, where there is one: a program that has a terminal says how; otherwise nobody is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ask_person", "set_prompt"]


class _Prompt:
    """Of this process, because what asks (a signer) is made far from what can (the command line)."""

    ask: Callable[[str], str] | None = None


def set_prompt(ask: Callable[[str], str] | None) -> None:
    """Say how a person is asked: with a question, for an answer that nobody else sees. None: nobody is."""
    _Prompt.ask = ask


def ask_person(question: str) -> str | None:
    """Return the answer to a question, such as "Password of leaf.key"; None where nobody can be asked, or says nothing."""
    return (_Prompt.ask(question) or None) if _Prompt.ask is not None else None
