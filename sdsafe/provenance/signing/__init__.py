"""Credentials and signers."""
