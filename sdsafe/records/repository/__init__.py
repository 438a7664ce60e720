"""The manifest repository and the encrypted private records."""
