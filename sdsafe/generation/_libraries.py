"""The one door to torch, diffusers and transformers: they are made quiet before anything uses them.

Import them from here. What they log of prompts and of packages that nobody misses must not reach any log.
"""

from __future__ import annotations

import logging
import warnings

# transformers warns, once per image processor, that torchvision is absent. There is no build of it to pin that fits
# every torch, diffusers falls back to Pillow, and text to image uses none of them. The other line that is filtered
# tells of "indexing errors" with long prompts; every pipeline cuts them, and we say so ourselves.
logging.getLogger("transformers.utils.import_utils").addFilter(
    lambda record: "requires torchvision (not installed)" not in record.getMessage()
)
logging.getLogger("transformers.tokenization_utils_base").addFilter(
    lambda record: "Token indices sequence length is longer" not in record.getMessage()
)

# The autoencoder of Stable Audio builds its layers with what torch would rather see spelt otherwise.
warnings.filterwarnings("ignore", r".*torch\.nn\.utils\.weight_norm.* is deprecated", FutureWarning)

import diffusers  # noqa: E402 - after the filter, which must be there when it imports transformers
import torch  # noqa: E402 - beside diffusers
import transformers  # noqa: E402 - beside diffusers

__all__ = ["diffusers", "torch", "transformers"]

# diffusers warns of truncated prompts and quotes them: a leak into logs that outlives every prompt.
diffusers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
transformers.utils.logging.disable_progress_bar()
