"""The slots that a plug-in may fill.

At every slot an image is ``Pixels``: a ``uint8`` RGB array of shape (height, width, 3).
Files, modes, ICC profiles and EXIF are dealt with once, in ``_internal.images``.

A plug-in is a class behind an entry point. ``plugins.load`` makes an instance: with ``configure(places,
options)`` where the class has it, else by calling the class with the options as keyword arguments.
So the smallest plug-in is a class without arguments.
"""

from sdsafe.protocols.bindings import Discriminating, Fingerprinter, Legible, NoiseMarker, Sized, Watermarker
from sdsafe.protocols.configuring import Configurable
from sdsafe.protocols.gates import InputCheck, Named, OutputCheck, PolicyEngine, PromptCheck, SoundCheck, Unavailable
from sdsafe.protocols.generation import Generator, Invertible, Watch
from sdsafe.protocols.provenance import Demanding, Signer, TimeStamper
from sdsafe.protocols.records import Ledger, ManifestRepository, Reviews, StoredManifest
from sdsafe.protocols.verification import Probe

__all__ = [
    "Configurable",
    "Demanding",
    "Discriminating",
    "Fingerprinter",
    "Generator",
    "InputCheck",
    "Invertible",
    "Ledger",
    "Legible",
    "ManifestRepository",
    "Named",
    "NoiseMarker",
    "OutputCheck",
    "PolicyEngine",
    "Probe",
    "PromptCheck",
    "Reviews",
    "Signer",
    "Sized",
    "SoundCheck",
    "StoredManifest",
    "TimeStamper",
    "Unavailable",
    "Watch",
    "Watermarker",
]
