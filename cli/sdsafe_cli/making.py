"""The run that every command shares which makes pictures: what is asked for, where to, and what is told of it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from sdsafe_cli._errors import Exit
from sdsafe_cli.asking import ask, stated_in
from sdsafe_cli.context import interactive, settings_from
from sdsafe_cli.outcomes import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from sdsafe.core.request import GenerationRequest, InputImage, Scalar, Size, Task
    from sdsafe.core.states import Outcome, Recorded
    from sdsafe.pipeline import Pipeline
    from sdsafe_cli.choices import Choices, Output

__all__ = ["make", "read_inputs"]


def read_inputs(image: Path, mask: Path | None = None) -> tuple[InputImage, ...]:
    """Read the pictures that go in."""
    from sdsafe.api import read_input

    return (read_input(image), *([] if mask is None else [read_input(mask, "mask")]))


def make(  # noqa: PLR0913 - what differs between the commands
    task: Task,
    prompt: str | None,
    given: Choices,
    *,
    size: Size | None = None,
    inputs: tuple[InputImage, ...] = (),
    parameters: Mapping[str, Scalar | None] | None = None,
    further: Mapping[str, Any] | None = None,
) -> None:
    """Carry out what a command asks for, write what is released, and tell what became of each picture or sound.

    Args:
        task: Of the request.
        prompt: ``-`` is read from standard input; None: not given.
        given: What the shared options gave.
        size: Of the result, where the command has an option for it.
        inputs: Pictures that go in.
        parameters: Those that are None were not given.
        further: Fields of the request that single commands have.
    """
    from sdsafe import api
    from sdsafe.core.request import Task
    from sdsafe.gates.registry.use import DeclaredUse
    from sdsafe.pipeline import UnsafeNoOutputCheck

    stated = stated_in(given["config"], task)
    use = given["use"] or stated.fields.get("intended_use")
    media_type = _media_type(given["output"], task)
    targets = _targets(given["output"], given["count"] or stated.fields.get("count", 1), given)
    DeclaredUse(use=use)  # a use that does not exist is a mistake of the command line, not of the settings
    settings = settings_from(
        policy=given["policy"],
        device=given["device"],
        dtype=given["dtype"],
        vram_budget=given["vram_budget"],
        signer=given["signer"],
        prompt_disclosure=given["prompt_disclosure"] or ("encrypted" if given["disclose_to"] else None),
        disclosure_recipient=given["disclose_to"],
        intended_use=use,
    )
    asked = ask(
        task, prompt, given, stated,
        model=_own_model(task, settings.model), size=size, inputs=inputs, parameters=parameters, further=further,
    )  # fmt: skip
    request = replace(
        asked,
        intended_use=settings.intended_use,
        media_type=media_type,
        quality=given["quality"],
        sidecar=given["sidecar"],
    )
    opened = api.open_keeper if task is Task.SIGN else api.open_pipeline
    pipeline = opened(settings, unsafe=UnsafeNoOutputCheck() if given["unsafe_unchecked"] else None)
    outcomes = list(_run(pipeline, request, targets, force=given["force"]))
    show(outcomes, targets, request, as_json=given["as_json"])
    if any(_is_refused(outcome) for outcome in outcomes):
        raise click.exceptions.Exit(Exit.REFUSED)


def _own_model(task: Task, generating: str) -> str:
    """Return the model of a request that names none: that of the settings is one that generates."""
    from sdsafe.core.request import LANCZOS, Task

    return LANCZOS if task in {Task.UPSCALE, Task.RESTORE} else generating


def _media_type(output: Path, task: Task) -> str:
    """Return what a file of this name holds."""
    from sdsafe._internal import images, wav
    from sdsafe.core.request import Task

    known = {".wav": wav.MEDIA_TYPE} if task is Task.AUDIO else images.SUFFIXES
    media_type = known.get(output.suffix.lower())
    if media_type is None:
        raise click.BadParameter(
            f"{output.name}: the ending has to be one of {', '.join(known)}", param_hint="--output"
        )
    return media_type


def _targets(output: Path, count: int, given: Output) -> list[Path]:
    """Return one path per result, after making sure that each can be written: before anything is generated."""
    from sdsafe.api import SIDECAR

    folder = output.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise click.BadParameter(f"the folder {folder} does not exist or cannot be written", param_hint="--output")
    paths = [output] if count == 1 else [output.with_stem(f"{output.stem}-{i + 1}") for i in range(count)]
    beside = [path.with_suffix(SIDECAR) for path in paths] if given["sidecar"] else []
    for path in (*paths, *beside):
        if path.exists() and (path.is_dir() or not given["force"]):
            raise click.BadParameter(f"{path} exists; --force overwrites it", param_hint="--output")
    return paths


def _run(pipeline: Pipeline, request: GenerationRequest, targets: list[Path], *, force: bool) -> Iterator[Outcome]:
    from sdsafe.api import save_to
    from sdsafe_cli.progress import watching

    def deliver(recorded: Recorded) -> None:
        save_to(targets[recorded.generated.index], force=force)(recorded)

    with watching(show=interactive()) as watch:
        yield from pipeline.stream(request, deliver=deliver, watch=watch)


def _is_refused(outcome: Outcome) -> bool:
    from sdsafe.core.states import Recorded

    return not isinstance(outcome, Recorded)
