"""What a model folder holds, read from its small JSON files and its file names alone.

The layout is that of diffusers' ``save_pretrained``: ``model_index.json`` names the components, each of which has
a folder of its own. Nothing here imports a model library, so a request can be judged before anything heavy is
loaded, and a folder that asks for pickles or for foreign code is refused before anybody looks inside its weights.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdsafe.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["INDEX", "Components", "Selection", "config_files", "read_components", "read_json", "select_weights"]

INDEX = "model_index.json"

_SET_ASIDE = frozenset({"safety_checker", "watermark", "watermarker"})
"""Components that are never loaded: sdsafe's own checks and mark run at egress."""

_WEIGHTLESS = re.compile(r"(Scheduler|Tokenizer(Fast)?|Processor(Fast|Pil)?|Extractor(Fast)?)$")
_WEIGHTS = re.compile(
    r"(diffusion_pytorch_model|model)(\.(?P<variant>[A-Za-z0-9_-]+?))?(-\d{5}-of-\d{5})?\.safetensors"
)
_FOREIGN = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle", ".msgpack", ".h5", ".onnx", ".gguf", ".flashpack")
_CONFIG = (".json", ".txt", ".model", ".jinja")
_VARIANTS = ("fp16", "bf16")  # tried in this order where a component has no file without a variant
_MAX_JSON = 16 << 20  # tokenizers of large vocabularies are a few MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """What ``model_index.json`` says that the pipeline is made of."""

    pipeline: str
    """Class name."""
    loaded: Mapping[str, tuple[str, str]]
    """Component name to library and class name."""
    set_aside: tuple[str, ...]
    """Components that the index names and that are left out."""
    absent: tuple[str, ...] = ()
    """Components that its class knows and that this model does not have, as SD 3 without its largest encoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which weight files are loaded."""

    files: tuple[str, ...]
    """Paths inside the model folder, sorted."""
    variant: str | None
    """``fp16`` or ``bf16`` where a component has nothing else."""


def read_json(path: Path) -> Any:
    """Return the JSON value in ``path``; None where there is no such file.

    Raises:
        RequestError: It is too large, unreadable or no JSON. The message names the file, not the folder.
    """
    try:
        if path.stat().st_size > _MAX_JSON:
            raise _broken(f"{path.name} is larger than {_MAX_JSON >> 20} MiB")
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(f"{path.name} cannot be read: {type(error).__name__}") from error


def read_components(index: object) -> Components:
    """Read the contents of ``model_index.json``.

    Raises:
        RequestError: It is not an index, or it names classes outside diffusers and transformers: loading those
            would run foreign code.
    """
    if not isinstance(index, dict):
        raise _broken(f"{INDEX} does not hold an object")
    pipeline = index.get("_class_name")
    if isinstance(pipeline, list | tuple):
        raise _foreign_code("its pipeline class")
    if not isinstance(pipeline, str) or not pipeline.isidentifier():
        raise _broken(f"{INDEX} names no pipeline class")
    entries = {name: value for name, value in index.items() if _is_component(name, value)}
    aside = tuple(sorted(_SET_ASIDE & entries.keys()))
    if "safety_checker" in index and "feature_extractor" in entries:
        aside += ("feature_extractor",)  # it prepares pictures for the safety checker and for nothing else
    loaded = {name: (library, cls) for name, (library, cls) in entries.items() if name not in aside}
    for name, (library, cls) in loaded.items():
        if not name.isidentifier() or not _is_known_library(library) or cls.startswith(("Onnx", "ORT", "FlashPack")):
            raise _foreign_code(f"the component {name[:40]!r}")
    absent = tuple(sorted(name for name, value in index.items() if value == [None, None] and name.isidentifier()))
    return Components(pipeline=pipeline, loaded=loaded, set_aside=aside, absent=absent)


def select_weights(names: Collection[str], components: Components) -> Selection:
    """Choose the safetensors files that loading will read, by the naming rule of diffusers.

    Args:
        names: Paths of all files, relative to the model folder, with forward slashes.
        components: What the index names.

    Raises:
        RequestError: A component has no safetensors weights (pickles are refused by name), or brings code.
    """
    found: dict[str, dict[str | None, list[str]]] = {}
    for component, (_, cls) in components.loaded.items():
        inside = sorted(name for name in names if name.startswith(f"{component}/") and name.count("/") == 1)
        if code := [name for name in inside if name.endswith(".py")]:
            raise _foreign_code(f"{code[0]!r}")
        if _WEIGHTLESS.search(cls):
            continue
        found[component] = _by_variant(inside)
        if not found[component]:
            raise _no_weights(component, inside)
    variant = _common_variant(found)
    files = [name for each in found.values() for name in each.get(variant) or each[None]]
    return Selection(files=tuple(sorted(files)), variant=variant)


def config_files(names: Collection[str], components: Components) -> tuple[str, ...]:
    """Return the configuration and vocabulary files that loading reads, sorted."""
    folders = {f"{component}/" for component in components.loaded}
    inside = {name for name in names if name.endswith(_CONFIG) and name[: name.find("/") + 1] in folders}
    return tuple(sorted({INDEX} | {name for name in inside if name.count("/") == 1}))


def _is_component(name: str, value: object) -> bool:
    # [null, null] stands for an optional component that this model does not have.
    pair = 2
    return (
        not name.startswith("_")
        and isinstance(value, list)
        and len(value) == pair
        and all(isinstance(item, str) for item in value)
    )


def _is_known_library(library: str) -> bool:
    if library in {"diffusers", "transformers"}:
        return True
    # Classes of single pipelines are recorded under the name of their folder in diffusers.pipelines.
    spec = find_spec("diffusers") if library.isidentifier() else None
    places = spec.submodule_search_locations if spec else None
    return any((Path(place) / "pipelines" / library / "__init__.py").is_file() for place in places or ())


def _by_variant(inside: list[str]) -> dict[str | None, list[str]]:
    variants: dict[str | None, list[str]] = {}
    for name in inside:
        if match := _WEIGHTS.fullmatch(name.partition("/")[2]):
            variants.setdefault(match["variant"], []).append(name)
    known = {None, *_VARIANTS}
    return {variant: files for variant, files in variants.items() if variant in known}


def _common_variant(found: Mapping[str, Mapping[str | None, list[str]]]) -> str | None:
    for variant in (None, *_VARIANTS):
        if all(None in files or variant in files for files in found.values()):
            return variant
    raise _broken("its components come in different precisions, no one of which is complete")


def _no_weights(component: str, inside: list[str]) -> RequestError:
    pickles = [name for name in inside if name.endswith(_FOREIGN)]
    if pickles:
        return RequestError(
            f"the model has no safetensors weights for {component}; {pickles[0]} is refused: "
            "such files can run code when they are read",
            code="model.pickle-only",
            hint="Use a revision with safetensors files, or convert it: load it where you trust it and call "
            "save_pretrained(..., safe_serialization=True).",
        )
    return RequestError(
        f"the model is incomplete: no weights for {component}",
        code="model.incomplete",
        hint="Expected diffusion_pytorch_model.safetensors or model.safetensors in the component's folder.",
    )


def _foreign_code(what: str) -> RequestError:
    return RequestError(
        f"the model brings code of its own ({what}), which is never run",
        code="model.custom-code",
        hint="Use a model whose classes are all in diffusers and transformers.",
    )


def _broken(why: str) -> RequestError:
    return RequestError(
        f"not a usable model: {why}",
        code="model.malformed",
        hint="A model folder is laid out as diffusers' save_pretrained writes it.",
    )
