"""Sealed bytes and their keys, for every record that must be erasable."""
