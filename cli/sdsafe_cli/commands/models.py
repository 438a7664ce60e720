"""``sdsafe models``: weights that are pulled on request, and what licences let models be used for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdsafe_cli.assessment import print_assessment
from sdsafe_cli.context import settings_from
from sdsafe_cli.options import force_option, json_option
from sdsafe_cli.render import emit_json, message, plain, table
from sdsafe_cli.use import Facts, amount, settings_for

if TYPE_CHECKING:
    from sdsafe.gates.safety.hub_models import HubSource
    from sdsafe.settings import Settings

__all__ = ["command"]


@click.group("models")
def command() -> None:
    """Pull, verify and list weights of output checks; assess licences. Nothing is ever fetched without `pull`."""


@command.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List known weights and whether they are in the cache."""
    from sdsafe.bindings.watermark import trustmark_weights as trustmark
    from sdsafe.gates.safety import hub_models, weights

    places = settings_from().places
    found = weights.status(places)
    if as_json:
        emit_json("sdsafe.models/1", {"models": plain(found)})
        return
    rows = [(s.source.name, "pulled" if s.present else "-", s.source.licence, s.source.description) for s in found]
    rows += [(each.name, "hub", each.licence, each.description) for each in hub_models.HUB_SOURCES.values()]
    for variant, files in trustmark.PUBLISHED.items():
        there = all((trustmark.folder_of(places) / each.name).is_file() for each in files)
        what = f"Adobe TrustMark {variant}, the two networks of a watermark"
        rows.append((f"{trustmark.PREFIX}{variant}", "pulled" if there else "-", trustmark.LICENCE, what))
    table("Weights", ("name", "cache", "licence", "what it is"), rows)


@command.command("pull")
@click.argument("name")
@force_option
def pull(*, name: str, force: bool) -> None:
    """Fetch the weights NAME (`models list` shows names), or hub:OWNER/NAME@COMMIT, and check their hashes."""
    from sdsafe.bindings.watermark import trustmark_weights as trustmark
    from sdsafe.errors import ConfigurationError
    from sdsafe.gates.safety import hub_models, weights

    settings = settings_from()
    if settings.offline:
        raise ConfigurationError(
            "nothing is pulled while `offline` is set", hint="Unset SDSAFE_OFFLINE, or the setting."
        )
    if (hub := hub_models.source_of(name)) is not None:
        _pull_hub(hub, settings, force=force)
        return
    if name.startswith(trustmark.PREFIX):
        _pull_trustmark(name.removeprefix(trustmark.PREFIX), settings, force=force)
        return
    message(f"pulling {name} ...")
    weights.pull(name, settings.places, force=force)
    source = weights.SOURCES[name]
    message(f"{name}: {source.size >> 20} MiB, SHA-256 {source.sha256[:12]}..., licence {source.licence}")


def _pull_hub(source: HubSource, settings: Settings, *, force: bool) -> None:
    """Pull a folder from the hub and say how to use it."""
    from sdsafe.gates.safety.hub_models import pull_hub

    message(f"pulling {source.repo} at {source.commit[:12]} ... ({source.licence})")
    pulled = pull_hub(source, settings.places, force=force)
    labels = ", ".join(f'{label} = "{category}"' for label, category in source.labels.items()) or 'LABEL = "CATEGORY"'
    click.echo("[options.transformers]")
    click.echo(f'path = "{pulled.folder}"')
    click.echo(f'sha256 = "{pulled.sha256}"')
    click.echo(f"labels = {{ {labels} }}")


def _pull_trustmark(variant: str, settings: Settings, *, force: bool) -> None:
    """Pull the two networks of a watermark and say how to use them."""
    from sdsafe.bindings.watermark import trustmark_weights as trustmark

    message(f"pulling {trustmark.PREFIX}{variant} from {trustmark.ADDRESS} ... ({trustmark.LICENCE})")
    trustmark.pull(variant, settings.places, force=force)
    click.echo('watermarker = "trustmark"')
    click.echo("[options.trustmark]")
    click.echo(f'variant = "{variant}"')


@command.command("verify")
@click.argument("name")
def verify(*, name: str) -> None:
    """Check the SHA-256 of the weights NAME; exit 1 if they are missing or changed."""
    from sdsafe.bindings.watermark import trustmark_weights as trustmark
    from sdsafe.gates.safety import weights

    places = settings_from().places
    if name.startswith(trustmark.PREFIX):
        trustmark.verify(name.removeprefix(trustmark.PREFIX), places)
    else:
        weights.verify(name, places)
    click.echo(f"{name}: intact")


@command.command("path")
@click.argument("name")
def path(*, name: str) -> None:
    """Print where the weights NAME lie."""
    from sdsafe.bindings.watermark import trustmark_weights as trustmark
    from sdsafe.gates.safety import weights

    places = settings_from().places
    click.echo(trustmark.folder_of(places) if name.startswith(trustmark.PREFIX) else weights.path(name, places))


@command.command("digest")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def digest(*, folder: Path) -> None:
    """Print the SHA-256 that pins the model in FOLDER: the option `sha256` of the checks that load one."""
    from sdsafe.errors import ConfigurationError
    from sdsafe.gates.pinned import folder_digest
    from sdsafe.protocols import Unavailable

    try:
        click.echo(folder_digest(folder))
    except Unavailable as missing:
        raise ConfigurationError(str(missing), code="weights.unusable") from missing


@command.command("licence")
@click.argument("model")
@click.option("--use", default=None, metavar="USE", help="private, internal, commercial or marketplace:ID.")
@click.option("--revenue", type=amount, metavar="AMOUNT", default=None, help="Annual revenue in USD, with affiliates.")
@click.option("--users", type=amount, metavar="AMOUNT", default=None, help="Monthly active users.")
@click.option("--territory", multiple=True, metavar="CODE", help="Country code, EU or WORLDWIDE (repeatable).")
@click.option("--adapter", multiple=True, metavar="REPO", help="LoRA, ControlNet or other adapter (repeatable).")
@click.option("--attest", multiple=True, metavar="CODE", help="registration:ID or licence:ID, vouched for by you.")
@json_option
def licence(  # noqa: PLR0913 - one argument per option
    *,
    model: str,
    use: str | None,
    revenue: int | None,
    users: int | None,
    territory: tuple[str, ...],
    adapter: tuple[str, ...],
    attest: tuple[str, ...],
    as_json: bool,
) -> None:
    """Assess what the licences of MODEL and its adapters allow; exit 0 if allowed, 3 if refused or for review.

    What is given neither here nor in the settings is missing, not zero. This is not legal advice.
    """
    from sdsafe.core.request import AdapterRef, GenerationRequest, ModelRef
    from sdsafe.gates.registry.assessment import NOT_ADVICE
    from sdsafe.gates.registry.gate import LicenceGate
    from sdsafe.gates.registry.loading import load_registry, user_registry
    from sdsafe.gates.registry.use import DeclaredUse
    from sdsafe_cli._errors import Exit

    gate = LicenceGate(load_registry(user=user_registry()))
    settings = settings_for((), Facts(use=use, revenue=revenue, users=users, territory=territory, attest=attest))
    own = settings.organisation
    declared = DeclaredUse(
        use=settings.intended_use,
        revenue_usd=own.revenue_usd,
        monthly_users=own.monthly_users,
        territory=own.territories,
        attested=frozenset(own.attested),
    )
    adapters = tuple(AdapterRef(kind="adapter", repo=repo) for repo in adapter)
    request = GenerationRequest(prompt="", model=ModelRef(repo=model), adapters=adapters)
    assessment = gate.assess_request(request, declared)
    hint = gate.hint(request, declared)
    if as_json:
        effective = gate.effective(request.model, adapters)
        payload = {"model": model, "effect": assessment.effect, "facts": effective.facts()}
        rest = {
            "reasons": assessment.reasons,
            "duties": assessment.duties,
            "hint": hint,
            "data": gate.ref,
            "note": NOT_ADVICE,
        }
        emit_json("sdsafe.licence/1", payload | rest)
    else:
        print_assessment(model, settings.intended_use, assessment)
        if hint:
            message(hint)
        message(NOT_ADVICE)
    if not assessment.allows:
        click.get_current_context().exit(int(Exit.REFUSED))
