"""Models, adapters, and what their licences allow. Own-words facts with sources; not legal advice."""
