"""The policy packs that ship with sdsafe. Data only."""
