"""What is asked for: a request of options, arguments and a request file, the command line winning."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from sdsafe_cli.adapters import adapters_of
from sdsafe_cli.render import message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sdsafe.core.request import AdapterRef, GenerationRequest, InputImage, ModelRef, Scalar, Size, Task
    from sdsafe.requests import Stated
    from sdsafe_cli.choices import Choices

__all__ = ["ask", "stated_in"]

_PROMPTED = frozenset({"generate", "transform", "inpaint", "outpaint"})
"""Tasks that mean nothing without a prompt; an empty one has to be given as such."""


def stated_in(path: Path | None, task: Task) -> Stated:
    """Return what the request file at ``path`` states for ``task``; without a file, nothing.

    Raises:
        click.BadParameter: It cannot be read, or is a request for something else.
        RequestError: It is malformed.
    """
    from sdsafe.requests import Stated, read_request

    if path is None:
        return Stated(fields={})
    try:
        stated = read_request(path.read_bytes(), path.name)
    except OSError as error:
        raise click.BadParameter(f"{path}: cannot be read: {error.strerror}", param_hint="--config") from None
    if (found := stated.fields["task"]) is not task:
        raise click.BadParameter(f"{path.name} is a request to {found.value}: use that command", param_hint="--config")
    return stated


def ask(  # noqa: PLR0913 - everything that a request is made of
    task: Task,
    prompt: str | None,
    given: Choices,
    stated: Stated,
    *,
    model: str,
    size: Size | None = None,
    inputs: tuple[InputImage, ...] = (),
    parameters: Mapping[str, Scalar | None] | None = None,
    further: Mapping[str, Any] | None = None,
) -> GenerationRequest:
    """Return the request of a command; say what of the request file the command line replaces.

    Args:
        task: Of the command.
        prompt: ``-`` is read from standard input; None: not given.
        given: What the shared options gave.
        stated: What the request file says.
        model: Used where neither option nor file names one.
        size: Of the result, where the command has an option for it.
        inputs: Pictures that go in.
        parameters: Those that are None were not given.
        further: Fields of single commands.

    Raises:
        click.UsageError: The file withholds something that was not given.
        RequestError: A picture is not the one that the file names.
    """
    from sdsafe.core.request import GenerationRequest, ModelRef
    from sdsafe.requests import require_inputs

    adapters, steering = adapters_of(given)
    file = given["config"].name if given["config"] else ""
    pictures = (*inputs, *steering)
    require_inputs(stated, pictures)
    options = {
        "prompt": sys.stdin.read().rstrip("\n") if prompt == "-" else prompt,
        "negative_prompt": given["negative_prompt"],
        "count": given["count"],
        "seed": given["seed"],
        "size": size,
        "steps": given["steps"],
        "guidance": given["guidance"],
        "scheduler": given["scheduler"],
        "model": _model(given["model"], stated.fields.get("model")),
        "adapters": _adapters(adapters, stated.fields.get("adapters", ())) or None,
        **(further or {}),
    }
    chosen = {name: value for name, value in options.items() if value is not None}
    for name in sorted(chosen.keys() & stated.fields.keys() - {"model", "adapters"}):
        if chosen[name] != stated.fields[name]:
            message(f"{name} of the command line replaces that of {file}")
    own = {name: value for name, value in (parameters or {}).items() if value is not None}
    fields = {
        "model": ModelRef(repo=model),
        "prompt": "",
        **stated.fields,
        **chosen,
        "task": task,
        "inputs": pictures,
        "intended_use": given["use"] or stated.fields.get("intended_use"),
        "attestations": tuple(dict.fromkeys((*stated.fields.get("attestations", ()), *given["attest"]))),
        "parameters": {**stated.fields.get("parameters", {}), **own},
    }
    if "prompt" not in chosen and "prompt" not in (*stated.fields, *stated.withheld) and task in _PROMPTED:
        raise click.UsageError("Missing argument 'PROMPT'.")
    missing = [name for name in stated.unstated if name not in chosen and name.partition(".")[2] not in own]
    if missing:
        raise click.UsageError(f"{file} was written from a file that withholds {', '.join(missing)}: give it")
    return GenerationRequest(**fields)


def _model(named: str | None, stated: ModelRef | None) -> ModelRef | None:
    """Return the model that an option names: of a local one the file knows the digest and not the folder."""
    from sdsafe.core.request import ModelRef

    if named is None:
        return None
    if stated is not None and stated.repo.startswith("local:"):
        return replace(stated, repo=named)
    return ModelRef(repo=named)


def _adapters(named: tuple[AdapterRef, ...], stated: tuple[AdapterRef, ...]) -> tuple[AdapterRef, ...]:
    """Return the adapters that options name, in place of those of their kinds; digests of local ones are kept."""
    kinds = {each.kind for each in named}
    replaced = [each for each in stated if each.kind in kinds]
    kept = tuple(each for each in stated if each.kind not in kinds)
    if len(replaced) != len(named):
        return (*named, *kept)
    pinned = (
        replace(each, digest=was.digest) if was.repo.startswith("local:") else each
        for each, was in zip(named, replaced, strict=True)
    )
    return (*pinned, *kept)
