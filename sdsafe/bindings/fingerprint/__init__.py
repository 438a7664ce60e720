"""Robust digests of what a picture looks like."""
