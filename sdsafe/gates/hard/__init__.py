"""The hard layer: what no pack, setting, flag or plug-in allows. Compiled in; asked first, before any check."""
