"""The way back: from a picture to the noise that a model would have made it of.

Deterministic samplers integrate an ordinary differential equation from noise to picture. Integrated the other way round
it leads back: by DDIM inversion (Song et al., arXiv 2010.02502) for models that predict noise or velocity of a diffusion,
and by Euler's method over ascending sigmas for models of flow matching. The pipe itself is run, with a scheduler that
goes backwards, so that texts, sizes and packing stay what they are for its class.

What comes back is as good as the autoencoder is: it encodes a picture to something near what it was decoded from, and
the way back enlarges the difference. The prompt hardly matters for pictures, guidance harms (measured in
``benchmarks/noise_mark.py``): so an empty prompt without guidance is where callers begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sdsafe.errors import GenerationError, RequestError
from sdsafe.generation._libraries import diffusers, torch
from sdsafe.generation._pipes import denoiser_of
from sdsafe.generation._translating import translated
from sdsafe.generation.tasks import Kind

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.placement import Placement
    from sdsafe.generation._placing import Seats

__all__ = ["inverter", "is_invertible"]


class _FlowBack(diffusers.FlowMatchEulerDiscreteScheduler):  # type: ignore[misc]  # diffusers has no types
    """Euler's method over ascending sigmas: each step undoes the one that the forward schedule takes there."""

    def set_timesteps(  # diffusers looks for these very names in the signature
        self,
        num_inference_steps: int | None = None,
        device: Any = None,
        sigmas: list[float] | None = None,
        mu: float | None = None,
        timesteps: list[float] | None = None,
    ) -> None:
        """Lay the forward schedule out, last step first."""
        super().set_timesteps(num_inference_steps, device, sigmas, mu, timesteps)
        own: Any = self
        own.timesteps, own.sigmas = own.timesteps.flip(0), own.sigmas.flip(0)


def is_invertible(pipe: Any, own: Any) -> bool:
    """Say whether pictures of ``pipe``, whose own scheduler is ``own``, can be led back here."""
    return type(pipe).__name__ in _FORMS and _backwards(own) is not None


def inverter(
    pipes: Callable[[Kind], Any], seats: Seats, lock: threading.Lock
) -> Callable[[Mapping[str, Any], Pixels, Placement], npt.NDArray[np.float32]]:
    """Return what leads pictures back to their noise; it takes turns with whatever else holds ``lock``."""

    def invert(arguments: Mapping[str, Any], pixels: Pixels, placement: Placement) -> npt.NDArray[np.float32]:
        pipe = pipes(Kind.TEXT)
        with lock:
            own = pipe.scheduler
            if not is_invertible(pipe, own):
                raise RequestError(
                    f"{type(pipe).__name__} with {type(own).__name__} cannot be run backwards here",
                    code="request.pipeline",
                    hint=f"Noise can be read back through {', '.join(_FORMS)}.",
                )
            seats.seat(pipe)
            seats.arrange(pipe, placement)
            pipe.scheduler = _backwards(own)
            try:
                with translated("run backwards", quiet=True), torch.no_grad():
                    output = pipe(**arguments, latents=_encoded(pipe, pixels), output_type="latent")
                    noise = output.images.detach().to("cpu", torch.float32).numpy()
            finally:
                pipe.scheduler = own
                pipe.maybe_free_model_hooks()
        if not np.isfinite(noise).all():
            raise GenerationError("the way back led to numbers that are not finite", code="generation.not-finite")
        return np.asarray(noise, np.float32)

    return invert


def _backwards(own: Any) -> Any:
    """Return a scheduler that undoes what those of the family of ``own`` do; None for a family that is not known."""
    if type(own).__name__.startswith("FlowMatch"):
        return _FlowBack.from_config(own.config, stochastic_sampling=False)
    ddim = diffusers.DDIMScheduler
    if not isinstance(own, ddim) and ddim not in own.compatibles:
        return None
    spacing = own.config.get("timestep_spacing", "leading")
    known = spacing if spacing in {"leading", "trailing"} else "trailing"
    return diffusers.DDIMInverseScheduler.from_config(own.config, timestep_spacing=known, clip_sample=False)


def _encoded(pipe: Any, pixels: Pixels) -> Any:
    """Return the latents of a picture, in the form in which ``pipe`` takes them."""
    vae = pipe.vae
    kept, upcast = vae.dtype, vae.dtype == torch.float16 and vae.config.force_upcast
    if upcast:  # as diffusers does where pictures go in: it overflows
        vae.to(torch.float32)
    try:
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].to(pipe._execution_device, vae.dtype)  # noqa: SLF001 - diffusers has no public name for it
        latents = vae.encode(image / 127.5 - 1).latent_dist.mode()
    finally:
        if upcast:
            vae.to(kept)
    return _FORMS[type(pipe).__name__](pipe, latents).to(denoiser_of(pipe).dtype)


def _scaled(pipe: Any, latents: Any) -> Any:
    """Undo what pipelines do before they decode."""
    config = pipe.vae.config
    mean, deviation = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is not None and deviation is not None:
        shape = (1, -1, 1, 1)
        mean, deviation = (torch.tensor(each).view(shape).to(latents) for each in (mean, deviation))
        return (latents - mean) * config.scaling_factor / deviation
    return (latents - (getattr(config, "shift_factor", None) or 0)) * config.scaling_factor


def _packed(pipe: Any, latents: Any) -> Any:
    scaled = _scaled(pipe, latents)
    return pipe._pack_latents(scaled, *scaled.shape)  # noqa: SLF001 - what the pipe packs with


_FORMS: Mapping[str, Callable[[Any, Any], Any]] = {
    "StableDiffusionPipeline": _scaled,
    "StableDiffusionXLPipeline": _scaled,
    "StableDiffusion3Pipeline": _scaled,
    "FluxPipeline": _packed,
}
"""Pipelines whose latents can be had of a picture, by class name."""
