"""A signer in a process of its own: it examines what it is asked to sign, keeps its own log, and limits its rate."""
