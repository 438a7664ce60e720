"""Takes over a diffusers pipe that somebody has configured: quantised, compiled, with a scheduler of their own.

A pipe of ours is made of the very same components, in the state in which they are: nothing is moved, cast or taken
off, and the object that was given is left as it was. What it consists of is hashed in memory, and what a record of
it cannot vouch for is said in words, because whoever gave the pipe still holds its components.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sdsafe.core.request import FileDigest, ModelRef
from sdsafe.errors import GenerationError, RequestError
from sdsafe.generation._engine import Engine
from sdsafe.generation._libraries import diffusers, torch
from sdsafe.generation._translating import translated
from sdsafe.generation.defaults import defaults_of
from sdsafe.generation.devices import Device
from sdsafe.generation.identity import Located, model_digest
from sdsafe.generation.layout import Components
from sdsafe.generation.ways import ways_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.generation.tasks import Kind

__all__ = ["DEFAULT", "Adopted"]

DEFAULT = ModelRef(repo="builtin:scenes")
"""What a request says that says nothing of its model."""

_ASIDE = frozenset({"safety_checker", "watermark", "watermarker"})
"""Ours run at egress, once, and are recorded."""

_DECLARED = (
    "the name of the model is what whoever handed it over says; its digest is over the tensors in memory",
    "whoever handed it over still holds its components: changes that torch does not count would go unseen",
)


class Adopted:
    """A pipe that was taken over. It stands where a generator looks for models, and knows this one only."""

    def __init__(self, pipe: Any, model: ModelRef) -> None:
        """Take over ``pipe``.

        Args:
            pipe: A pipeline of diffusers; it is left as it is.
            model: What it is called, and under which licence it is; a digest insists on these very tensors.

        Raises:
            RequestError: ``request.pipeline``: it is not a pipeline class of diffusers itself, its weights are not in
                memory, or it cannot be used for pictures.
            GenerationError: The digest is another one, or it could not be taken over.
        """
        cls = type(pipe)
        if not isinstance(pipe, diffusers.DiffusionPipeline) or getattr(diffusers, cls.__name__, None) is not cls:
            raise _refused(f"{cls.__name__} is not a pipeline class of diffusers itself")
        modules = dict(_modules(pipe))
        unvouched = [*_DECLARED, *_changes(pipe, modules)]
        files = tuple(_hashed(name, module) for name, module in modules.items())
        self.ref = replace(model, digest=model_digest(files), pipeline=cls.__name__, files=files)
        if model.digest not in {None, self.ref.digest}:
            raise GenerationError(
                f"{model.repo}: wrong hash: the tensors are not those that were asked for",
                code="model.wrong-hash",
                hint="The digest of a pipe that is taken over is over the tensors in memory, not over files.",
            )
        self.unvouched: tuple[str, ...] = tuple(unvouched)
        """What a record of it cannot vouch for, in words."""
        self.device = _device(pipe)
        self.dtype = str(pipe.dtype).removeprefix("torch.")
        self._located = _located(pipe, self.ref)
        self._modules = modules
        self._state = _state(modules)
        self.engine = Engine(_remade(pipe), self.device, None, way=self._located.ways[0])

    @property
    def ways(self) -> tuple[Kind, ...]:
        """What it can be used for."""
        return self._located.ways

    def locate(self, ref: ModelRef) -> Located:
        """Return this model, whether a request names it or says nothing.

        Raises:
            RequestError: ``model.unknown``: another model is meant.
        """
        if ref.repo not in {DEFAULT.repo, self.ref.repo}:
            raise RequestError(
                f"this pipeline was taken over with {self.ref.repo}, and can make nothing with {ref.repo[:100]}",
                code="model.unknown",
                hint="Leave the model out of the request, or open a pipeline of its own for it.",
            )
        return self._located

    def require_unchanged(self) -> None:
        """Make sure that nobody has exchanged or overwritten a tensor since it was hashed.

        Raises:
            GenerationError: ``model.changed``.
        """
        if _state(self._modules) != self._state:
            raise GenerationError(
                "the model was changed after it was taken over",
                code="model.changed",
                hint="Take it over again: its digest has to be that of what runs.",
            )


def _modules(pipe: Any) -> Iterator[tuple[str, Any]]:
    for name, component in sorted(pipe.components.items()):
        if isinstance(component, torch.nn.Module) and name not in _ASIDE:
            yield name, component


def _tensors(module: Any) -> Iterator[tuple[str, torch.Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _hashed(name: str, module: Any) -> FileDigest:
    """Return the digest of a component: over name, type, shape and bytes of each of its tensors, sorted by name."""
    digest, size = hashlib.sha256(), 0
    for key, tensor in sorted(_tensors(module)):
        if tensor.is_meta:
            raise _refused(f"weights of {name} are not in memory but waiting elsewhere")
        with translated("hashed"):
            plain = tensor.detach().cpu().contiguous()
            data = plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b""
        digest.update(f"{key}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(data)
        size += len(data)
    return FileDigest(name=f"memory:{name}", size=size, sha256=digest.hexdigest())


def _state(modules: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Return where every tensor is and how often it was written; cheap, and blind to writes past torch."""
    return {
        f"{name}.{key}": (tensor.data_ptr(), tensor._version)  # noqa: SLF001 - torch has no public name for it
        for name, module in modules.items()
        for key, tensor in _tensors(module)
    }


def _changes(pipe: Any, modules: dict[str, Any]) -> Iterator[str]:
    """Say what was done to the components that their tensors do not show."""
    for name, module in modules.items():
        if hasattr(module, "_orig_mod"):
            yield f"{name} was compiled"
        config = getattr(module, "config", None)
        if quantised := getattr(config, "quantization_config", None):
            yield f"{name} was quantised ({type(quantised).__name__})"
        inside = list(module.modules())
        if any(getattr(each, "_hf_hook", None) is not None for each in inside):
            yield f"{name} has hooks of accelerate, such as for offload"
        elif any("forward" in vars(each) for each in inside):
            yield f"{name} has a forward pass that was replaced"
        # Hooks of the overflow watch are not there yet: whatever hangs here is somebody else's.
        if any(each._forward_hooks or each._forward_pre_hooks for each in inside):  # noqa: SLF001 - as above
            yield f"{name} has forward hooks"
        if any(hasattr(each, "lora_A") for each in inside):
            yield f"{name} has adapters: their licences were not looked at"
        if getattr(module, "encoder_hid_proj", None) is not None:
            yield f"{name} has an image projection, such as of an IP-adapter"
    scheduler = getattr(pipe, "scheduler", None)
    if scheduler is not None and getattr(diffusers, type(scheduler).__name__, None) is not type(scheduler):
        yield f"the scheduler {type(scheduler).__name__} is not one of diffusers"


def _device(pipe: Any) -> Device:
    place = torch.device(pipe._execution_device)  # noqa: SLF001 - where offloaded weights are brought to run
    name = "rocm" if place.type == "cuda" and torch.version.hip else place.type
    return Device(torch=str(place), name=name)


def _located(pipe: Any, ref: ModelRef) -> Located:
    parts = pipe.components
    loaded = {name: ("diffusers", type(part).__name__) for name, part in parts.items() if part is not None}
    absent = tuple(sorted(name for name, part in parts.items() if part is None))
    components = Components(pipeline=type(pipe).__name__, loaded=loaded, set_aside=(), absent=absent)
    configs = {name: dict(parts[name].config) for name in ("unet", "vae") if hasattr(parts.get(name), "config")}
    channels = configs.get("unet", {}).get("in_channels")
    defaults = defaults_of(components, vae=configs.get("vae"), unet=configs.get("unet"))
    return Located(ref=ref, pipeline=components.pipeline, defaults=defaults, ways=ways_of(components, channels))


def _remade(pipe: Any) -> Any:
    """Return another pipe of the same class and components: what is set on it is not set on the one that was given."""
    cls = type(pipe)
    known, optional = cls._get_signature_keys(cls)
    switches = {"requires_safety_checker": False, "add_watermarker": False}
    settings = {name: pipe.config[name] for name in optional if name in pipe.config} | {
        name: value for name, value in switches.items() if name in optional
    }
    with translated("taken over"):
        return cls(**{name: None if name in _ASIDE else pipe.components.get(name) for name in known}, **settings)


def _refused(why: str) -> RequestError:
    return RequestError(
        f"the pipeline cannot be taken over: {why}",
        code="request.pipeline",
        hint="Give a pipeline of diffusers whose weights are on a device or offloaded whole models at a time.",
    )
