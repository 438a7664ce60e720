"""Prompt checks and the engine that judges findings."""
