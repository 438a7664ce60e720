"""Texts as people read them: what the lists of packs and the hard layer both look at."""
