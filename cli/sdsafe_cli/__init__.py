"""The command line of sdsafe."""
