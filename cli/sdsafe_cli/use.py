"""The options that say for what, with which model and by whom a picture would be made; they mean the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import click

from sdsafe_cli.context import settings_from
from sdsafe_cli.options import with_options

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sdsafe.core.request import GenerationRequest, Size
    from sdsafe.settings import Settings

__all__ = ["Facts", "Use", "amount", "request_for", "settings_for", "size_of", "use_options"]

_MAX_DIGITS = 18


class Facts(TypedDict):
    """What the options say about the use and the organisation."""

    use: str | None
    revenue: int | None
    users: int | None
    territory: tuple[str, ...]
    attest: tuple[str, ...]


class Use(Facts):
    """What the options gave."""

    model: str | None
    adapter: tuple[str, ...]


def amount(text: str) -> int:
    """Return a whole number from 0 up, also written ``2e6``, exactly: rounding could cross a limit."""
    from decimal import Decimal, InvalidOperation

    try:
        number = Decimal(text.strip())
        if number.is_finite() and number.adjusted() < _MAX_DIGITS and number >= 0 and number == int(number):
            return int(number)
    except InvalidOperation:
        pass
    msg = f"{text[:40]!r} is not a whole amount such as 2000000 or 2e6"
    raise click.BadParameter(msg)


def size_of(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Size | None:
    """Return ``WIDTHxHEIGHT`` as a size."""
    if value is None:
        return None
    from sdsafe.core.request import Size

    width, _, height = value.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise click.BadParameter(f"{value!r} is not WIDTHxHEIGHT, such as 512x512")
    return Size(width=int(width), height=int(height))


_OPTIONS = (
    click.option("--model", metavar="ID", help="builtin:NAME, a hub id owner/name, or a local folder."),
    click.option("--adapter", multiple=True, metavar="REPO", help="LoRA, ControlNet or other adapter (repeatable)."),
    click.option("--use", metavar="USE", help="private, internal, commercial or marketplace:ID (brings the pack ID)."),
    click.option("--revenue", type=amount, metavar="AMOUNT", help="Annual revenue in USD, with affiliates."),
    click.option("--users", type=amount, metavar="AMOUNT", help="Monthly active users."),
    click.option("--territory", multiple=True, metavar="CODE", help="Country code, EU or WORLDWIDE (repeatable)."),
    click.option("--attest", multiple=True, metavar="CODE", help="What you vouch for, such as registration:ID."),
)


def use_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of ``Use``."""
    return with_options(command, _OPTIONS)


def settings_for(policy: tuple[str, ...], given: Facts) -> Settings:
    """Return settings with what the options say about the use and the organisation; what is not given is missing."""
    from sdsafe.core.organisation import Organisation
    from sdsafe.gates.registry.use import DeclaredUse

    # The same words are wrong everywhere: DeclaredUse says so, as a mistake of the command line.
    checked = DeclaredUse(use=given["use"], territory=given["territory"] or None)
    stated = Organisation(
        revenue_usd=given["revenue"],
        monthly_users=given["users"],
        territories=checked.territory,
        attested=given["attest"],
    )
    return settings_from(policy=policy, intended_use=given["use"], organisation=stated)


def request_for(settings: Settings, prompt: str, given: Use) -> GenerationRequest:
    """Return the request that the options describe."""
    from sdsafe.core.request import AdapterRef, GenerationRequest, ModelRef

    return GenerationRequest(
        prompt=prompt,
        model=ModelRef(repo=given["model"] or settings.model),
        adapters=tuple(AdapterRef(kind="adapter", repo=repo) for repo in given["adapter"]),
        intended_use=settings.intended_use,
        attestations=given["attest"],
    )
