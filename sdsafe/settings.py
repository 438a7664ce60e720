"""Frozen settings: site file < user file < environment < argument, stated once.

The site file (``/etc/sdsafe/settings.toml``) is read whatever the environment says. What an organisation demands there
cannot be dropped by a file, a variable or a flag: ``required_policies`` of all sources unite, signed packs stay demanded
with its own keys, and what it says about itself in ``[organisation]`` stands.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sdsafe._internal.locations import default_places
from sdsafe.core.organisation import Organisation
from sdsafe.core.places import Places
from sdsafe.core.request import PromptDisclosure
from sdsafe.errors import ConfigurationError, RequestError
from sdsafe.gates.registry.territory import parse_territory
from sdsafe.gates.registry.use import DeclaredUse

__all__ = ["SITE_FILE", "Settings"]

SITE_FILE = Path("/etc/sdsafe/settings.toml")
"""Written by the organisation's administrator; no variable points elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be chosen without writing code. Names refer to plug-ins."""

    places: Places
    model: str = "builtin:scenes"
    policies: tuple[str, ...] = ("baseline",)
    required_policies: tuple[str, ...] = ()
    policy_folders: tuple[Path, ...] = ()
    require_signed_packs: bool = False
    """True: a pack of your own judges only if one of ``trusted_pack_keys`` has signed it."""
    trusted_pack_keys: tuple[Path, ...] = ()
    intended_use: str | None = None
    """What pictures are for where a request does not say; ``marketplace:ID`` adds the pack ID."""
    organisation: Organisation = field(default_factory=Organisation)
    """Table ``[organisation]`` of the file."""
    generator: str = "diffusers"
    prompt_checks: tuple[str, ...] = ("lexicon",)
    output_checks: tuple[str, ...] = ("open-nsfw",)
    sound_checks: tuple[str, ...] = ("sound-signal",)
    """What looks at sounds; none: none is made."""
    thresholds: tuple[Path, ...] = ()
    """Threshold files of ``sdsafe safety calibrate``; rules name them ``threshold.CATEGORY``."""
    watermarker: str = "lattice"
    noise_marker: str = ""
    """What draws the initial noise of pictures so that it carries their id; an empty string: only the seed does."""
    fingerprinters: tuple[str, ...] = ("phash",)
    signer: str = "file:"
    ledger: str = "sqlite"
    repository: str = "sqlite"
    reviews: str = "queue"
    """Where pictures wait for a person; an empty string: nowhere, then *review* refuses."""
    prompt_disclosure: PromptDisclosure = PromptDisclosure.FULL
    disclosure_recipient: Path | None = None
    """PEM file of an auditor's public key (X25519 or RSA), for prompts that are ``encrypted``."""
    label_font: Path | None = None
    """TrueType or OpenType font of visible labels; needed for scripts that the built-in one lacks."""
    timestamp_authorities: tuple[str, ...] = ()
    """Addresses of RFC 3161 authorities, asked in order; none: nothing is time-stamped."""
    timestamp_policy: str = "require"
    """``require``; ``best_effort``: sign without a time-stamp when no authority answers and no pack demands one;
    ``later``: ask nobody while signing, and leave it to ``sdsafe timestamp``."""
    timestamp_timeout: float = 5.0
    """Seconds for each authority."""
    trust_manifest: tuple[Path, ...] = ()
    trust_tsa: tuple[Path, ...] = ()
    trust_cawg: tuple[Path, ...] = ()
    device: str = "auto"
    dtype: str = "auto"
    vram_budget: float | None = None
    """GiB of the device's memory that a model may use; on a CPU of the process's. None: no limit."""
    offline: bool = False
    options: Mapping[str, Mapping[str, object]] = field(default_factory=lambda: MappingProxyType({}))
    """Options per plug-in, by its name: table ``[options.NAME]`` of the file."""

    @classmethod
    def load(cls, env: Mapping[str, str] | None = None, *, site: Path = SITE_FILE, **arguments: Any) -> Settings:
        """Gather settings from all sources.

        Args:
            env: Environment variables; default: those of the process.
            site: The organisation's file; only tests point it elsewhere.
            **arguments: Field names of this class; None means "not given".

        Raises:
            ConfigurationError: An unknown key, a value of the wrong type, or a file that cannot be read.
        """
        env = os.environ if env is None else env
        values: dict[str, object] = {"places": default_places(env)}
        demands = _file(site)
        sources = (demands, _user_file(env), _environment(env), _arguments(arguments))
        for source in sources:
            values |= source
        required = (name for source in sources for name in _strings(source.get("required_policies", ())))
        values["required_policies"] = tuple(dict.fromkeys(required))
        values["require_signed_packs"] = any(source.get("require_signed_packs") for source in sources)
        if demands.get("require_signed_packs") and "trusted_pack_keys" in demands:
            values["trusted_pack_keys"] = demands["trusted_pack_keys"]
        site_first = (demands, *reversed(sources[1:]))
        values["organisation"] = _stated(each["organisation"] for each in site_first if "organisation" in each)
        return cls(**values)  # type: ignore[arg-type]  # every value went through its parser

    @property
    def effective_policies(self) -> tuple[str, ...]:
        """Required packs first, then the chosen ones, then that of the declared marketplace, each once."""
        market = (self.intended_use or "").partition("marketplace:")[2]
        return tuple(dict.fromkeys((*self.required_policies, *self.policies, *([market] if market else []))))

    def options_for(self, plugin: str) -> Mapping[str, object]:
        """Return the options of one plug-in; empty when none are set."""
        return self.options.get(plugin, {})


def _user_file(env: Mapping[str, str]) -> dict[str, object]:
    named = env.get("SDSAFE_CONFIG")
    if named:
        if not Path(named).is_file():
            msg = "SDSAFE_CONFIG names a file that does not exist"
            raise ConfigurationError(msg, hint="Correct the variable, or unset it to use the default location.")
        return _file(Path(named))
    home = Path(env.get("HOME") or Path.home())
    return _file(Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "sdsafe" / "settings.toml")


def _file(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as stream:
            table = tomllib.load(stream)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path.name}: cannot be read as TOML: {type(error).__name__}"
        raise ConfigurationError(msg, hint="Repair the settings file; nothing runs on settings half read.") from error
    return {key: _parse(key, value, path.name) for key, value in table.items()}


_VARIABLES = {
    "SDSAFE_MODEL": "model",
    "SDSAFE_SIGNER": "signer",
    "SDSAFE_NOISE_MARKER": "noise_marker",
    "SDSAFE_DEVICE": "device",
    "SDSAFE_DTYPE": "dtype",
    "SDSAFE_VRAM_BUDGET": "vram_budget",
    "SDSAFE_PROMPT_DISCLOSURE": "prompt_disclosure",
    "SDSAFE_DISCLOSURE_RECIPIENT": "disclosure_recipient",
    "SDSAFE_USE": "intended_use",
}


def _environment(env: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {key: _parse(key, env[name], name) for name, key in _VARIABLES.items() if env.get(name)}
    if env.get("SDSAFE_TRUST"):
        values["trust_manifest"] = tuple(Path(part) for part in env["SDSAFE_TRUST"].split(os.pathsep) if part)
    if env.get("SDSAFE_OFFLINE"):
        values["offline"] = env["SDSAFE_OFFLINE"].lower() not in {"0", "false", "no"}
    return values


def _arguments(arguments: Mapping[str, object]) -> dict[str, object]:
    return {key: _parse(key, value, "argument") for key, value in arguments.items() if value is not None}


def _parse(key: str, value: object, source: str) -> object:
    parser = _PARSERS.get(key)
    if parser is None:
        msg = f"{source}: unknown setting {key!r}"
        raise ConfigurationError(msg, hint=f"Known settings: {', '.join(sorted(_PARSERS))}.")
    try:
        return parser(value)
    except (TypeError, ValueError) as error:
        msg = f"{source}: {key}: {error}"
        raise ConfigurationError(msg) from error


def _string(value: object) -> str:
    if not isinstance(value, str):
        msg = f"expected a string, found {type(value).__name__}"
        raise TypeError(msg)
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        msg = f"expected true or false, found {type(value).__name__}"
        raise TypeError(msg)
    return value


def _strings(value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple):
        msg = f"expected a list of strings, found {type(value).__name__}"
        raise TypeError(msg)
    return tuple(_string(item) for item in value)


def _paths(value: object) -> tuple[Path, ...]:
    if isinstance(value, str | Path) or not isinstance(value, list | tuple):
        msg = f"expected a list of paths, found {type(value).__name__}"
        raise TypeError(msg)
    return tuple(item if isinstance(item, Path) else Path(_string(item)) for item in value)


def _path(value: object) -> Path:
    return value if isinstance(value, Path) else Path(_string(value))


def _use(value: object) -> str:
    try:
        return DeclaredUse(use=_string(value)).use or ""
    except RequestError as error:
        msg = f"{error}. {error.hint}"
        raise ValueError(msg) from error


def _organisation(value: object) -> Organisation:
    if isinstance(value, Organisation):
        return value
    if not isinstance(value, Mapping):
        msg = f"expected a table, found {type(value).__name__}"
        raise TypeError(msg)
    unknown = sorted(set(value) - set(_ORGANISATION))
    if unknown:
        msg = f"unknown key {unknown[0]!r}; known are {', '.join(_ORGANISATION)}"
        raise ValueError(msg)
    try:
        return Organisation(**{key: _ORGANISATION[key](item) for key, item in value.items()})
    except RequestError as error:
        msg = f"{error}. {error.hint}"
        raise ValueError(msg) from error


def _gibibytes(value: object) -> float:
    number = float(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < math.inf:
        msg = f"expected a number of GiB above 0, found {value!r}"
        raise ValueError(msg)
    return float(number)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        msg = f"expected a number of seconds above 0, found {value!r}"
        raise ValueError(msg)
    return float(value)


def _amount(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        msg = f"expected a whole amount from 0 up, found {value!r}"
        raise ValueError(msg)
    return value


def _stated(found: Iterable[object]) -> Organisation:
    """Return all that was stated; of two words on one thing the first counts."""
    merged: dict[str, Any] = {}
    for each in found:
        for item in fields(Organisation):
            value = getattr(each, item.name)
            if value not in (None, ()):
                merged.setdefault(item.name, value)
    return Organisation(**merged)


_ORGANISATION: Mapping[str, Callable[[object], Any]] = {
    "name": _string,
    "code": _string,
    "revenue_usd": _amount,
    "monthly_users": _amount,
    "territories": lambda value: tuple(parse_territory(code) for code in _strings(value)),
    "attested": _strings,
}


def _disclosure(value: object) -> PromptDisclosure:
    return PromptDisclosure(_string(value))


def _typed_places(value: object) -> Places:
    if not isinstance(value, Places):
        msg = f"expected Places, found {type(value).__name__}"
        raise TypeError(msg)
    return value


def _tables(value: object) -> Mapping[str, Mapping[str, object]]:
    if not isinstance(value, Mapping) or not all(isinstance(table, Mapping) for table in value.values()):
        msg = "expected one table per plug-in"
        raise TypeError(msg)
    return MappingProxyType({str(name): MappingProxyType(dict(table)) for name, table in value.items()})


_BY_TYPE: Mapping[str, Callable[[Any], object]] = {
    "str": _string,
    "bool": _boolean,
    "Path | None": _path,
    "float": _seconds,
    "float | None": _gibibytes,
    "Organisation": _organisation,
    "tuple[str, ...]": _strings,
    "tuple[Path, ...]": _paths,
    "PromptDisclosure": _disclosure,
    "Places": _typed_places,
    "Mapping[str, Mapping[str, object]]": _tables,
}

_PARSERS: Mapping[str, Callable[[Any], object]] = {
    # The annotation is the one statement of a setting's type; a new type without a parser fails at import.
    item.name: _use if item.name == "intended_use" else _BY_TYPE[str(item.type)]
    for item in fields(Settings)
}
