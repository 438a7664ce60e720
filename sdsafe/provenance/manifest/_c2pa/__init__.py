"""The one door to the C2PA library: sign, read, and nothing foreign beyond it."""

import c2pa

from sdsafe.provenance.manifest._c2pa.builders import sign, update
from sdsafe.provenance.manifest._c2pa.readers import STORE_TYPE, read, read_crjson, read_store

__all__ = ["STORE_TYPE", "library_version", "read", "read_crjson", "read_store", "sign", "update"]


def library_version() -> str:
    """Return name and version of the library behind this door."""
    return f"c2pa-rs/{c2pa.sdk_version()}"
