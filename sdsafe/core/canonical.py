"""Canonical JSON: one byte string per value, so that digests can be compared.

The form is that of RFC 8785 for the values it accepts: keys sorted, no white space, UTF-8.
Floats are refused: two libraries may print the same double differently, and a digest must not depend on that.
Callers pass a string (``repr(0.85)``) or a scaled integer.
"""

from __future__ import annotations

import hashlib
import json

__all__ = ["canonical_digest", "canonical_json", "exact"]


def canonical_json(value: object) -> bytes:
    """Return the one canonical encoding of ``value``.

    Args:
        value: None, bool, int, str, and lists, tuples or string-keyed mappings of these.

    Returns:
        UTF-8 bytes; equal values give equal bytes.

    Raises:
        TypeError: A float, a non-string key, or any other type was found; the message names where.
    """
    return json.dumps(
        _checked(value, "$"), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode("utf-8", errors="surrogatepass")


def canonical_digest(value: object) -> str:
    """Return the SHA-256 of the canonical encoding, as 64 lower-case hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def exact(value: object) -> object:
    """Return ``value`` as ``canonical_json`` takes it: floats as ``repr`` writes them, inside mappings and lists too."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    return [exact(item) for item in value] if isinstance(value, list | tuple) else value


def _checked(value: object, where: str) -> object:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple):
        return [_checked(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if hasattr(value, "items"):
        checked: dict[str, object] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                msg = f"canonical JSON at {where}: key of type {type(key).__name__}, expected str"
                raise TypeError(msg)
            checked[key] = _checked(item, f"{where}.{key}")
        return checked
    msg = f"canonical JSON at {where}: {type(value).__name__} is not allowed"
    raise TypeError(msg)
