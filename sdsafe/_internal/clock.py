"""The one place that asks what time it is."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["now", "rfc3339"]


def now() -> datetime:
    """Return the current time in UTC, cut to whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def rfc3339(moment: datetime | None = None) -> str:
    """Return ``moment`` (default: now) as RFC 3339 in UTC, such as ``2026-11-22T07:00:00Z``."""
    return (moment or now()).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
