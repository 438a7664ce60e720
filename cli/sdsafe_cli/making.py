"""The part that every command shares which makes pictures: options, targets, the run, and what is told of it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from sdsafe.generation.devices import DTYPES
from sdsafe.generation.fitting import MAX_BUDGET_GIB
from sdsafe_cli._errors import Exit
from sdsafe_cli.adapters import adapter_options
from sdsafe_cli.asking import ask, stated_in
from sdsafe_cli.context import interactive, settings_from
from sdsafe_cli.options import disclose_to_option, disclosure_option, force_option, json_option, policy_option
from sdsafe_cli.render import emit_json, message, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from sdsafe.core.request import AdapterRef, GenerationRequest, InputImage, Scalar, Size, Task
    from sdsafe.core.states import Outcome, Recorded, Refused
    from sdsafe.pipeline import Pipeline

__all__ = [
    "NO_MODEL",
    "PICTURE",
    "Choices",
    "Model",
    "Output",
    "input_argument",
    "make",
    "model_options",
    "output_options",
    "read_inputs",
]


class Output(TypedDict):
    """What the options of every command gave: where to, what for, by whom."""

    output: Path
    quality: int | None
    sidecar: bool
    use: str | None
    attest: tuple[str, ...]
    signer: str | None
    policy: tuple[str, ...]
    prompt_disclosure: str | None
    disclose_to: Path | None
    unsafe_unchecked: bool
    force: bool
    as_json: bool
    config: Path | None


class Model(TypedDict):
    """What the options gave of commands in which a model takes part."""

    count: int | None
    seed: int | None
    model: str | None
    steps: int | None
    guidance: float | None
    scheduler: str | None
    negative_prompt: str | None
    device: str | None
    dtype: str | None
    vram_budget: float | None
    lora: tuple[AdapterRef, ...]
    controlnet: AdapterRef | None
    control_image: Path | None
    ip_adapter: AdapterRef | None
    ip_adapter_image: Path | None


NO_MODEL = Model(
    count=None,
    seed=None,
    model=None,
    steps=None,
    guidance=None,
    scheduler=None,
    negative_prompt=None,
    device=None,
    dtype=None,
    vram_budget=None,
    lora=(),
    controlnet=None,
    control_image=None,
    ip_adapter=None,
    ip_adapter_image=None,
)
"""What a command without those options passes on."""


class Choices(Output, Model):
    """Both."""


_MODEL = (
    click.option("--n", "count", type=click.IntRange(1, 1000), help="How many pictures (FILE-1.png, ...)."),
    click.option(
        "--seed", type=click.IntRange(0, 2**53 - 1), help="Same request and seed, same pixels before marking."
    ),
    click.option("--model", metavar="ID", help="builtin:NAME, a hub id owner/name[@revision], or a local folder."),
    click.option("--steps", type=click.IntRange(1, 1000), help="Denoising steps."),
    click.option("--guidance", type=click.FloatRange(0, 100), help="Classifier-free guidance scale."),
    click.option("--scheduler", metavar="NAME", help="ddim, euler, dpmpp, ..."),
    click.option("--negative-prompt", metavar="TEXT", help="What not to show; goes through the same checks."),
    click.option("--device", metavar="NAME", help="auto, cuda, rocm, mps, xpu or cpu."),
    click.option("--dtype", type=click.Choice(DTYPES), help="Number type of the weights."),
    click.option(
        "--vram-budget",
        metavar="GIB",
        type=click.FloatRange(0, MAX_BUDGET_GIB, min_open=True),
        help="Memory that the model may use: it is laid out to fit.",
    ),
    *adapter_options,
)

_OUTPUT = (
    click.option(
        "-o",
        "--output",
        required=True,
        type=click.Path(path_type=Path),
        help="File to write: .png, .jpg, .webp, .avif or .tiff.",
    ),
    click.option("--sidecar", is_flag=True, help="Write the manifest beside the file (.c2pa) instead of into it."),
    click.option("--quality", type=click.IntRange(1, 100), help="Of JPEG, WebP and AVIF. Default 95."),
    click.option(
        "--use", metavar="USE", help="What for: private, internal, commercial or marketplace:ID (adds the pack ID)."
    ),
    click.option(
        "--attest",
        multiple=True,
        metavar="CODE",
        help="What you vouch for (repeatable): release_form=ID, registration:ID.",
    ),
    click.option("--signer", metavar="URI", help="Credential that signs, such as file:FOLDER."),
    policy_option,
    disclosure_option,
    disclose_to_option,
    click.option("--unsafe-unchecked", is_flag=True, help="Release without any output check; every manifest says so."),
    click.option(
        "--config",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Request file (YAML or JSON), such as `sdsafe inspect FILE --request` writes; options win over it.",
    ),
    force_option,
    json_option,
)

PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)
"""A picture file that exists."""

input_argument = click.argument("source", metavar="IN", type=PICTURE)
"""The picture that a command starts from."""


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of ``Model``."""
    return _with(command, _MODEL)


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of ``Output``."""
    return _with(command, _OUTPUT)


def _with(command: Callable[..., Any], options: tuple[Callable[..., Any], ...]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command


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
    _show(outcomes, targets, request, as_json=given["as_json"])
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


def _show(outcomes: list[Outcome], targets: list[Path], request: GenerationRequest, *, as_json: bool) -> None:
    rows = [_row(outcome, path) for outcome, path in zip(outcomes, targets, strict=True)]
    if as_json:
        emit_json(f"sdsafe.{request.task.value}/1", {"outcomes": rows})
        return
    for row, outcome in zip(rows, outcomes, strict=True):
        if row["outcome"] == "recorded":
            click.echo(f"{row['path']}  asset {row['asset_id']}  seed {row['seed']}  ledger #{row['log_index']}")
        else:
            message(f"{row['outcome']}: {row['message']}")
            if row.get("hint"):
                message(f"  {row['hint']}")
            for line in _marked(outcome, request):
                message(f"  {line}")


def _marked(outcome: Outcome, request: GenerationRequest) -> Iterator[str]:
    """Yield the characters of the request that findings point at: the user's own words, on the user's own screen."""
    from sdsafe.core.states import Refused

    texts = dict(request.texts())
    for check in outcome.checks if isinstance(outcome, Refused) else ():
        for finding in check.findings:
            if span := finding.span:
                words = texts.get(span.field, "")[span.start : span.end]
                yield f"{span.field}, characters {span.start} to {span.end}: {words!r} ({finding.category})"


def _row(outcome: Outcome, path: Path) -> dict[str, object]:
    from sdsafe.core.states import InReview, Recorded, Refused

    match outcome:
        case Recorded():
            return _recorded_row(outcome, path)
        case Refused():
            return _refused_row(outcome)
        case InReview():
            return {
                "outcome": "in_review",
                "ticket": outcome.ticket,
                "message": f"waits for a person as {outcome.ticket}",
                "hint": f"sdsafe review show {outcome.ticket}",
                "seed": outcome.seed,
            }


def _recorded_row(outcome: Recorded, path: Path) -> dict[str, object]:
    cleared = outcome.signed.encoded.marked.cleared
    return {
        "outcome": "recorded",
        "path": str(path),
        "asset_id": str(outcome.asset_id),
        "seed": outcome.seed,
        **_digest(outcome),
        "asset_sha256": outcome.receipt.entry.asset_sha256,
        "manifest": outcome.signed.manifest_label,
        "log_index": outcome.receipt.log_index,
        "unchecked": cleared.unchecked,
        "decision": plain(cleared.judgement),
        "discharges": plain(outcome.signed.discharges),
    }


def _digest(outcome: Recorded) -> dict[str, str]:
    """Return what two makings of one request have in common, by the name that the manifest has for it."""
    sound = outcome.generated.sound
    return {"pixels_sha256": outcome.generated.pixels_sha256} if sound is None else {"sound_sha256": sound.sha256}


def _refused_row(outcome: Refused) -> dict[str, object]:
    return {
        "outcome": "refused",
        "reason": outcome.reason,
        "message": outcome.message,
        "hint": outcome.hint,
        "stage": outcome.stage.value,
        "seed": outcome.seed,
        "decision": plain(outcome.decision),
        "checks": plain(outcome.checks),
    }
