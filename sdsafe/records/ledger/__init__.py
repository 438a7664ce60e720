"""An append-only RFC 6962 log of releases."""
