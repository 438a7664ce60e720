"""What a command that makes pictures can be given: the options that such commands share, and what they gave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from sdsafe.generation.devices import DTYPES
from sdsafe.generation.fitting import MAX_BUDGET_GIB
from sdsafe_cli.adapters import adapter_options
from sdsafe_cli.options import (
    FILE,
    disclose_to_option,
    disclosure_option,
    force_option,
    json_option,
    policy_option,
    with_options,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sdsafe.core.request import AdapterRef

__all__ = ["NO_MODEL", "Choices", "Model", "Output", "input_argument", "model_options", "output_options"]


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
        type=FILE,
        help="Request file (YAML or JSON), such as `sdsafe inspect FILE --request` writes; options win over it.",
    ),
    force_option,
    json_option,
)

input_argument = click.argument("source", metavar="IN", type=FILE)
"""The picture that a command starts from."""


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of ``Model``."""
    return with_options(command, _MODEL)


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of ``Output``."""
    return with_options(command, _OUTPUT)
