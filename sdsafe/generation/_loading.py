"""Loads models whose files were hashed, and says what this machine and its libraries are."""

from __future__ import annotations

import functools
import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sdsafe._internal.versions import version
from sdsafe.core.placement import Offload
from sdsafe.errors import GenerationError, RequestError
from sdsafe.generation._engine import Engine
from sdsafe.generation._libraries import diffusers, torch
from sdsafe.generation._pipes import MAKERS
from sdsafe.generation._translating import translated
from sdsafe.generation.devices import Probe
from sdsafe.generation.identity import model_digest
from sdsafe.generation.tasks import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.request import FileDigest, ModelRef
    from sdsafe.generation.devices import Device
    from sdsafe.generation.identity import Model

__all__ = ["libraries", "load", "load_tiny", "probe", "set_threads", "threads", "tiny_ref"]

_STRICT = {"use_safetensors": True, "local_files_only": True, "trust_remote_code": False}

_LIBRARIES = ("accelerate", "diffusers", "numpy", "safetensors", "torch", "transformers")


def load(model: Model, *, dtype: str, device: Device, offload: Offload = Offload.NONE) -> Engine:
    """Load a model whose files were hashed, and make sure that they were still the same afterwards.

    Args:
        model: What to load.
        dtype: Number type of its weights.
        device: Where it runs.
        offload: Where its weights wait while they are not used.

    Raises:
        RequestError: Its class does not go the way that the model is made for.
        GenerationError: It does not load, or its files changed meanwhile.
    """
    cls = getattr(diffusers, model.components.pipeline, None)
    known = inspect.signature(cls.__init__).parameters if cls is not None else {}
    aside = dict.fromkeys((*model.components.set_aside, *(each for each in model.components.absent if each in known)))
    switches = {name: False for name in ("requires_safety_checker", "add_watermarker") if name in known}
    chosen = {"dtype": getattr(torch, dtype)}
    with translated("loaded"):
        pipe = _opened(model, {**_STRICT, "variant": model.selection.variant, **chosen, **aside, **switches})
    if not model.unchanged():
        raise GenerationError(
            "files of the model changed while it was loaded", code="model.changed", hint="Run again when it rests."
        )
    return Engine(pipe, device, offload, way=model.way)


def _opened(model: Model, arguments: Mapping[str, Any]) -> Any:
    """Load the class that diffusers maps the model's own to, for the way that it is loaded for; else its own."""
    maker, name = MAKERS.get(model.way), model.components.pipeline
    try:
        if maker is not None:
            return maker.from_pretrained(str(model.folder), **arguments)
    except ValueError as error:
        if "AutoPipeline can't find" not in str(error):
            raise
    own = getattr(diffusers, name, None)
    if own is None or model.way is Kind.TEXT:
        raise RequestError(
            f"{name} is not a class by which the installed diffusers does {model.way.value}",
            code="request.pipeline",
            hint="Choose a model of another family, such as Stable Diffusion XL; video has no way out yet.",
        )
    return own.from_pretrained(str(model.folder), **arguments)


def load_tiny(device: Device) -> Engine:
    """Return ``builtin:tiny``, ready to run."""
    from sdsafe.generation import _tiny

    return Engine(_tiny.build(), device)


def tiny_ref(asked: ModelRef) -> ModelRef:
    """Return the complete reference of ``builtin:tiny``."""
    files = _tiny_files()
    digest = model_digest(files)
    return replace(asked, revision=digest, digest=digest, files=files)


@functools.cache
def _tiny_files() -> tuple[FileDigest, ...]:
    from sdsafe.generation import _tiny

    return _tiny.weight_files(_tiny.build())


def probe() -> Probe:
    """Return what torch reports about this machine."""
    return Probe(
        cuda=torch.cuda.is_available(),
        hip=torch.version.hip,
        mps=torch.backends.mps.is_available(),
        xpu=torch.xpu.is_available(),
    )


def libraries() -> dict[str, str]:
    """Return the versions of everything that takes part in making an image."""
    return {name: version(name) for name in _LIBRARIES}


def threads() -> int:
    """Return how many CPU threads torch uses: another number may change single pixels by one level."""
    return torch.get_num_threads()


def set_threads(number: int) -> None:
    """Set the number of CPU threads, for the whole process."""
    torch.set_num_threads(number)
