"""Fits adapters onto a loaded model, and takes them off again without a trace.

LoRA layers are set beside the layers of the model and never merged into them; an IP-adapter replaces attention
processors, which are kept and put back; a ControlNet is a model of its own, for which a pipe is made of the same
components. What is fitted stays until other adapters are asked for, so that the images of one request share it.
"""

from __future__ import annotations

import hashlib
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import safetensors.torch

from sdsafe.errors import GenerationError, RequestError
from sdsafe.generation._libraries import diffusers, torch, transformers
from sdsafe.generation._pipes import denoiser_of
from sdsafe.generation._translating import translated
from sdsafe.generation.adapters import CONTROLNET, IP_ADAPTER, LORA
from sdsafe.generation.layout import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sdsafe.generation.adapters import Adapter
    from sdsafe.generation.tasks import Kind

__all__ = ["Adapting"]

_CONTROLNETS = frozenset({"ControlNetModel", "FluxControlNetModel", "QwenImageControlNetModel", "SD3ControlNetModel"})


class Adapting:
    """What is fitted onto the components of one model. Used by one thread at a time."""

    def __init__(self, first: Any, derive: Callable[[Kind, Any], Any]) -> None:
        """Start with nothing fitted.

        Args:
            first: The pipe that was loaded; all others share its components.
            derive: Makes the pipe of a kind with a ControlNet.
        """
        self._first = first
        self._derive = derive
        self._key: tuple[tuple[str | None, float], ...] = ()
        self._net: Any = None
        self._net_weight = 1.0
        self._steered: dict[Kind, Any] = {}
        self._attention: Any = None
        self._encoder: Any = None
        self._reader: Any = None
        self.spoiled = False
        """Whether something could not be taken off again: the model must not be used any more."""

    def fit(self, adapters: tuple[Adapter, ...]) -> None:
        """Make sure that exactly ``adapters`` are fitted.

        Raises:
            RequestError: One does not fit the model.
            GenerationError: One cannot be read, or its files changed meanwhile.
        """
        key = tuple((each.ref.digest, each.ref.weight) for each in adapters)
        if key == self._key:
            return
        self._remove()
        try:
            self._apply(adapters)
        except BaseException:
            self._remove()
            raise
        self._key = key

    def pipe(self, kind: Kind, plain: Any) -> Any:
        """Return the pipe that runs: ``plain``, or the one that a ControlNet steers."""
        pipe = plain
        if self._net is not None:
            if kind not in self._steered:
                self._steered[kind] = self._derive(kind, self._net)
            pipe = self._steered[kind]
        if self._encoder is not None:
            pipe.register_modules(image_encoder=self._encoder, feature_extractor=self._reader)
        return pipe

    def arguments(self) -> dict[str, Any]:
        """Return the call arguments that the adapters need besides pictures."""
        return {} if self._net is None else {"controlnet_conditioning_scale": self._net_weight}

    @contextmanager
    def running(self, pipe: Any) -> Iterator[None]:
        """Take the image encoder off ``pipe`` when it has run: other pipes of the model must not see it there."""
        try:
            yield
        finally:
            if self._encoder is not None:
                pipe.register_modules(image_encoder=None, feature_extractor=None)

    def _apply(self, adapters: tuple[Adapter, ...]) -> None:
        loras = [each for each in adapters if each.ref.kind == LORA]
        if loras:
            self._fit_loras(loras)
        for each in adapters:
            if each.ref.kind == IP_ADAPTER:
                self._fit_picture_prompt(each)
            elif each.ref.kind == CONTROLNET:
                self._net, self._net_weight = _controlnet(each, denoiser_of(self._first)), each.ref.weight

    def _fit_loras(self, loras: list[Adapter]) -> None:
        if not hasattr(self._first, "load_lora_weights"):
            raise _unfit(loras[0], f"{type(self._first).__name__} takes no LoRA")
        names = [f"lora_{number}" for number in range(len(loras))]
        for name, each in zip(names, loras, strict=True):
            tensors = _tensors(each)
            with _fitting(each), warnings.catch_warnings():
                # peft warns of a second adapter on one model, which is what was asked for.
                warnings.filterwarnings("ignore", message="Already found a `peft_config`")
                self._first.load_lora_weights(tensors, adapter_name=name)
            if name not in {found for fitted in self._first.get_list_adapters().values() for found in fitted}:
                raise _unfit(each, "none of its layers is one of the model")
        with _fitting(loras[0]):
            self._first.set_adapters(names, [each.ref.weight for each in loras])

    def _fit_picture_prompt(self, adapter: Adapter) -> None:
        unet = getattr(self._first, "unet", None)
        if unet is None or not hasattr(self._first, "load_ip_adapter"):
            raise _unfit(adapter, f"{type(self._first).__name__} takes no IP-adapter")
        tensors = _tensors(adapter)
        parts = {part: _under(tensors, f"{part}.") for part in ("image_proj", "ip_adapter")}
        if not all(parts.values()) or any("lora" in name for name in parts["ip_adapter"]):
            raise _unfit(adapter, "it is not an IP-adapter that reads pictures alone")
        encoder = _encoder(adapter, unet)
        self._attention = unet.attn_processors
        self._encoder = encoder
        size = encoder.config.image_size
        self._reader = transformers.CLIPImageProcessor(size={"shortest_edge": size}, crop_size=size)
        self._first.register_modules(image_encoder=encoder, feature_extractor=self._reader)
        with _fitting(adapter):
            self._first.load_ip_adapter(parts, subfolder="", weight_name="")
            self._first.set_ip_adapter_scale(adapter.ref.weight)

    def _remove(self) -> None:
        """Take everything off; where that fails nobody knows what the model is any more."""
        self._net, self._steered, self._key = None, {}, ()
        try:
            if hasattr(self._first, "unload_lora_weights"):
                self._first.unload_lora_weights()
            if self._attention is not None:
                self._first.unload_ip_adapter()
                self._first.unet.set_attn_processor(self._attention)
                self._attention = None
            if self._encoder is not None:
                self._first.register_modules(image_encoder=None, feature_extractor=None)
                self._encoder = self._reader = None
        except Exception as error:
            self.spoiled = True
            raise GenerationError(
                "an adapter could not be taken off the model, which is loaded again next time",
                code="generation.failed",
            ) from error


def _controlnet(adapter: Adapter, denoiser: Any) -> Any:
    config = read_json(adapter.folder / "config.json")
    name = config.get("_class_name") if isinstance(config, dict) else None
    if name not in _CONTROLNETS:
        raise _unfit(adapter, f"its class is {str(name)[:60]}, known are {', '.join(sorted(_CONTROLNETS))}")
    with translated("given its ControlNet"):
        net = getattr(diffusers, name).from_pretrained(
            str(adapter.folder),
            torch_dtype=denoiser.dtype,
            use_safetensors=True,
            local_files_only=True,
        )
    _require_unchanged(adapter)
    return net


def _encoder(adapter: Adapter, unet: Any) -> Any:
    with translated("given its image encoder"):
        encoder = transformers.CLIPVisionModelWithProjection.from_pretrained(
            str(adapter.encoder),
            dtype=unet.dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    _require_unchanged(adapter)
    return encoder.to(unet.device)


def _tensors(adapter: Adapter) -> dict[str, torch.Tensor]:
    """Return the tensors of the very bytes that were hashed."""
    expected = next(each.sha256 for each in adapter.files if each.name == adapter.weights)
    try:
        data = (adapter.folder / adapter.weights).read_bytes()
    except OSError as error:
        raise GenerationError(f"{adapter.weights} of the adapter cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != expected:
        raise _changed()
    try:
        tensors: dict[str, torch.Tensor] = safetensors.torch.load(data)
    except Exception as error:
        raise _unfit(adapter, "it is no safetensors file") from error
    return tensors


def _under(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}


def _require_unchanged(adapter: Adapter) -> None:
    if not adapter.unchanged():
        raise _changed()


def _changed() -> GenerationError:
    return GenerationError(
        "files of an adapter changed while it was loaded", code="model.changed", hint="Run again when it rests."
    )


@contextmanager
def _fitting(adapter: Adapter) -> Iterator[None]:
    """Say of whatever goes wrong but memory that the adapter does not fit."""
    try:
        with translated("given its adapter"):
            yield
    except GenerationError as error:
        if error.code != "generation.failed":
            raise
        raise _unfit(adapter, "its layers are not those of the model") from error


def _unfit(adapter: Adapter, why: str) -> RequestError:
    return RequestError(
        f"the {adapter.ref.kind} {adapter.ref.repo} does not fit this model: {why}",
        code="request.adapter",
        hint="Choose an adapter that was made for this family of models.",
    )
