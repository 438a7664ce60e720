"""How the library is set up, with what it does by default switched off.

What is switched off, with the reason:

- thumbnails: 50 ms and 150 KB an image, and they show the whole picture;
- verifying after signing: the pipeline reads back from the final bytes anyway;
- fetching remote manifests: an untrusted file would choose which address we call;
- its own list of extended key usages: it does not know the one that C2PA's authorities use.

It is never given trust lists for signers: it does not enforce their kind. ``provenance.trust`` decides.
Contexts do not survive a fork, so each process makes its own, when it first needs one.
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import c2pa

from sdsafe._internal.certificates import SIGNER_USAGES
from sdsafe.errors import ConfigurationError
from sdsafe.provenance.manifest import jumbf
from sdsafe.provenance.manifest._interpreting import MAX_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["context", "message", "stamping_context"]

_TIME_STAMPING = "1.3.6.1.5.5.7.3.8"


@lru_cache(maxsize=8)
def context(_process: int, time_anchors: tuple[bytes, ...]) -> c2pa.Context:
    """Return this process's context for a set of time-stamp anchors."""
    usages = [usage.dotted_string for usage in SIGNER_USAGES]
    trust: dict[str, object] = {"trust_config": "\n".join((*usages, _TIME_STAMPING) if time_anchors else usages)}
    if time_anchors:
        pem = b"\n".join(time_anchors).decode("utf-8", errors="replace")
        trust["anchors"] = [{"trust_anchors": pem, "trust_uri": "urn:sdsafe:tsa", "trust_kind": "tsa"}]
    return _made({"trust": trust})


def stamping_context(time_authority: str) -> c2pa.Context:
    """Return a context that has time-stamps fetched for manifests that have none, and may ask one address."""
    usages = [usage.dotted_string for usage in SIGNER_USAGES]
    every = {"enabled": True, "skip_existing": True, "fetch_scope": "all"}
    return _made(
        {"trust": {"trust_config": "\n".join((*usages, _TIME_STAMPING))}},
        builder={"auto_timestamp_assertion": every},
        core={"allowed_network_hosts": [urlsplit(time_authority).netloc]},
    )


def _made(
    settings: Mapping[str, object],
    *,
    builder: Mapping[str, object] = MappingProxyType({}),
    core: Mapping[str, object] = MappingProxyType({}),
) -> c2pa.Context:
    largest = {"max_decompressed_manifest_size_in_mb": jumbf.MAX_STORE_BYTES >> 20}
    settings = {
        **settings,
        "verify": {"verify_after_sign": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
        "builder": {"thumbnail": {"enabled": False}, **builder},
        "core": {"allowed_network_hosts": [], **largest, **core},
    }
    try:
        return c2pa.Context.from_dict(dict(settings))
    except c2pa.C2paError as error:
        raise ConfigurationError(
            f"the C2PA library refuses its settings: {message(error)}",
            code="manifest.settings",
            hint="Check the trust list for time-stamps.",
        ) from error


def message(error: c2pa.C2paError) -> str:
    """Return what the library says, cut short: its texts may repeat parts of a hostile file."""
    return " ".join(str(error).split())[:MAX_MESSAGE]
