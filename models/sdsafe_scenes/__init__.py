"""The embedded model: a small latent diffusion pipeline trained on pictures drawn by our own code.

The package is data: the folder that `path` returns is laid out by `StableDiffusionPipeline.save_pretrained`.
Importing it loads nothing.
"""

from pathlib import Path


def path() -> Path:
    """Return the pipeline folder, for `from_pretrained(..., local_files_only=True)`."""
    return Path(__file__).parent
