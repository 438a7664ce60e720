"""placeholder, written with api."""
