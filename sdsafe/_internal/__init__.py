"""Machinery shared by the rooms. Internal: no guarantees, may change at any time."""
