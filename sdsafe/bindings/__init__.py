"""Soft bindings: what leads back to a manifest after the file was stripped of it."""
