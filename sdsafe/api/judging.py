"""What judges: packs, thresholds, the engine made of both, and the checks of prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.api.slots import check
from sdsafe.errors import ConfigurationError, PluginError

if TYPE_CHECKING:
    from sdsafe.core.thresholds import Thresholds
    from sdsafe.gates.policy.loader import LoadedPolicies
    from sdsafe.protocols import PolicyEngine, PromptCheck
    from sdsafe.settings import Settings

__all__ = ["judging_packs", "open_policy", "open_prompt_checks", "required_packs"]


def judging_packs(settings: Settings) -> LoadedPolicies:
    """Return the packs that judge, signed by those who may sign them where settings demand it.

    Raises:
        ConfigurationError: A pack does not load, or is not signed by a trusted key.
    """
    from sdsafe.gates.policy.loader import load_policies

    loaded = load_policies(settings.effective_policies, settings.policy_folders)
    if settings.require_signed_packs:
        from sdsafe.gates.policy.signing import read_public_keys, verify_policies

        verify_policies(loaded, read_public_keys(settings.trusted_pack_keys))
    return loaded


def required_packs(settings: Settings) -> frozenset[str]:
    """Return the ids of all packs that the organisation requires, with those that they extend."""
    from sdsafe.gates.policy.loader import load_policies

    if not settings.required_policies:
        return frozenset()
    try:
        return frozenset(ref.id for ref in load_policies(settings.required_policies, settings.policy_folders).refs)
    except ConfigurationError as error:
        if error.code != "policy.none":
            raise
        return frozenset()  # lists of terms alone: no rule of theirs needs a look at the output


def open_policy(settings: Settings, policies: LoadedPolicies) -> PolicyEngine:
    """Return the engine that judges with these packs, and with the thresholds that ``settings`` name."""
    from sdsafe.gates.policy.judge import PackPolicy

    return PackPolicy(policies, _thresholds(settings))


def _thresholds(settings: Settings) -> Thresholds:
    """Return the thresholds of all files that the settings name."""
    from sdsafe.core import thresholds

    given = []
    for path in settings.thresholds:
        try:
            given.append(thresholds.parse(path.read_bytes(), path.name))
        except OSError as error:
            raise ConfigurationError(
                f"{path.name}: the threshold file cannot be read: {error.strerror}",
                code="thresholds.unreadable",
                hint="Correct `thresholds` in the settings.",
            ) from error
    return thresholds.unite(tuple(given))


def open_prompt_checks(settings: Settings, policies: LoadedPolicies) -> tuple[PromptCheck, ...]:
    """Return the prompt checks that ``settings`` name; the lexicon looks for the terms of the very packs that judge.

    Raises:
        PluginError: One is unknown, or was given an option that it does not know.
    """
    from sdsafe.gates.policy.check import LexiconCheck

    if settings.options_for("lexicon"):
        raise PluginError(
            "lexicon: takes no options", hint="Its terms are those of the packs: name them in `policies`."
        )
    return tuple(
        LexiconCheck(policies) if name == "lexicon" else check("prompt_checks", name, settings)
        for name in settings.prompt_checks
    )
