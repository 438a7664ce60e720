"""Frozen values and pure functions: no I/O, nothing but the standard library and numpy."""
