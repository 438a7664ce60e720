"""Invisible marks that carry an asset id."""
