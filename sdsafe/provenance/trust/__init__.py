"""Trust lists and our own chain validation."""
